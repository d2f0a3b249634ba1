"""Replies and volume: which lines carry their volume with replies, and which do not."""

from __future__ import annotations

import polars as pl
import streamlit as st

from analysis import charts, pipeline
from analysis.pages import _figures as figures
from analysis.pages import _html as html
from analysis.pages import _periods as periods
from analysis.pages import _quality as quality
from analysis.pages import _replies as parts
from analysis.pages import _replies_cells as cells
from analysis.pages import _words as words
from analysis.pages._foot import foot
from analysis.pages._frame import WHY, asked, freshness, ready, switch
from analysis.pages._store import Here, last_changes

FIRST = 12
MARKS = f"{html.mark('HEALTHY')}healthy {html.mark('AT_RISK')}at risk {html.mark('CRITICAL')}critical now"


def clickable(spec: charts.Spec, key: str, alt: str, ways: dict[str, dict[str, str]]) -> None:
    """Draw a chart whose marks open Why."""
    pick = f"pick_{key}"
    event = st.vega_lite_chart(
        spec, theme=None, key=key, on_select="rerun", selection_mode=[pick], alt=alt, width="stretch"
    )
    picked = (event.get("selection") or {}).get(pick) or []
    line = picked[0].get("line") if isinstance(picked, list) and picked else None
    if line in ways:
        st.switch_page(WHY, query_params=ways[line])


def under(card: str, frame: pl.DataFrame, w: parts.Window, here: Here, chart: tuple[str, str] | None = None) -> None:
    """Show a card's foot."""
    name = figures.named("replies", card, figures.span(w.start, w.end))
    foot(
        card, frame, here, name=name, chart=chart, before=w.before, start=w.start, end=w.end, days=w.days,
        young=here.settings.young_line_days,
    )  # fmt: skip


def pictures(c: pl.DataFrame, w: parts.Window, ways: dict[str, dict[str, str]], here: Here) -> None:
    """Show where each line was and is, and change in volume against change in replies."""
    drawn = parts.moves(c)
    floor = here.settings.ref_reply_floor
    left, right = st.columns([1.55, 1], gap="medium")
    with left, st.container(key="card_moves", gap="small", height="stretch"):
        title = parts.moves_title(c)
        sub = f"Tail: the {w.days} days before. Head: these {w.days} days. {MARKS}. Heavy: replies fell. Click a mark to read why."
        reference = (floor, f"throttled below {words.percent(floor)} over 7 days · Linq help centre")
        st.html(html.h2(title, sub + html.narrow(f" Dashes: {html.text(reference[1])}.")))
        spec = charts.moves(
            drawn,
            reference=reference,
            window_hours=here.settings.reply_window_hours,
            theme=here.theme,
        )
        alt = f"{title}. Sends a day against reply rate of {words.plural(drawn.height, 'line')}, before and now."
        clickable(spec, "moves", alt, ways)
        under("moves", parts.download(c), w, here, ("card_moves", title))
    with right, st.container(key="card_growth", gap="small", height="stretch"):
        title = parts.growth_title(c)
        st.html(html.h2(title, "Change in sends against change in replies, one mark a line. Pale: chance may make it."))
        spec = charts.growth(drawn, grew=parts.GREW, fell=-100 * parts.MOVED, theme=here.theme)
        clickable(spec, "growth", f"{title}. {parts.table_title(c)}.", ways)
        under("growth", parts.download(c), w, here, ("card_growth", title))


def table(c: pl.DataFrame, w: parts.Window, ways: dict[str, dict[str, str]], here: Here) -> None:
    """Show every line's sends and replies in both periods, worst first."""
    with st.container(key="card_table", gap="small"):
        st.html(
            html.h2(parts.table_title(c), f"Worst first. Now: these {w.days} days; before: the {w.days} days before.")
        )
        shown = c if asked("all_replies") else c.head(FIRST)
        st.html(html.table(cells.LINES, cells.lines(shown, ways), least=860))
        thin = parts.thin_words(c, w)
        if thin:
            st.html(f'<p class="lh-sub">{html.text(thin)}</p>')
        if c.height > FIRST:
            switch(f"Show all {c.height:,}", "all_replies")
        under("replies", parts.download(c), w, here)


def mix(days: pl.DataFrame, w: parts.Window, here: Here) -> None:
    """Show who the fleet's sends go to, now and before."""
    m = parts.mix(days, w, here.settings.young_line_days)
    with st.container(key="card_mix", gap="small"):
        st.html(html.h2(parts.mix_title(m), "Whole fleet: shares of all sends by whom they went to, now and before."))
        if not m.kinds["now_of"][0]:
            st.html('<p class="lh-p">No send of these days is on a line that is long enough in the data to tell.</p>')
        else:
            st.html(html.table(cells.KINDS, cells.mix(m), least=760))
            told = cells.opted_out_words(m)
            if told:
                st.html(f'<p class="lh-sub">{html.text(told)}</p>')
        under("mix", m.kinds, w, here)


def main() -> None:
    """Draw the page."""
    here = ready()
    days = here.read(pipeline.signals, grain="day")
    n, said = periods.asked()
    w = parts.window(n, here.as_of, here.zone)
    c = parts.compared(days, here.lines(), w)
    st.html(html.h1(parts.headline(c), freshness(here)))
    thin = parts.thin_words(c, w)
    text = "\n".join([parts.headline(c), f"{parts.table_title(c)}.", *([thin] if thin else [])])
    periods.choice(w, said, days, text, here)
    lost = quality.warning(here, *parts.instants(w, here.zone), days="The days compared")
    if lost:
        st.html(html.inset("No data for a part of the days compared", lost))
    ways = last_changes(here)
    if not c["outbound_now"].sum() and not c["outbound_before"].sum():
        st.html('<p class="lh-p">No send is loaded for these days. Load a message export on the Data page.</p>')
        return
    if c["enough"].any():
        pictures(c, w, ways, here)
    table(c, w, ways, here)
    mix(days, w, here)


main()
