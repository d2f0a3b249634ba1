"""Replies and volume: which lines carry their volume with replies, and which do not."""

from __future__ import annotations

from datetime import date

import polars as pl
import streamlit as st

from analysis import charts, pipeline
from analysis.pages import _html as html
from analysis.pages import _replies as parts
from analysis.pages import _replies_cells as cells
from analysis.pages import _words as words
from analysis.pages._frame import WHY, counted, csv, freshness, ready
from analysis.pages._store import Here, address

KEY = "days"
"""The period's name in the address."""
FIRST = 12
MARKS = f"{html.mark('HEALTHY')}healthy {html.mark('AT_RISK')}at risk {html.mark('CRITICAL')}critical now"


def period(w: parts.Window, said: str, first: date | None, here: Here) -> None:
    """Draw the choice of a period, which stands in the address, and say which days are compared."""
    if st.query_params.get(KEY) != str(w.days):
        st.query_params[KEY] = str(w.days)
    st.session_state["period"] = w.days
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="periods"):
        st.segmented_control(
            "Period",
            parts.PERIODS,
            required=True,
            format_func=lambda n: f"{n} days",
            key="period",
            label_visibility="collapsed",
            on_change=lambda: st.query_params.update({KEY: str(st.session_state["period"])}),
        )
        told = parts.period_words(w, first, f"{words.wall(here.as_of, here.zone):%Z}")
        st.html(f'<p class="lh-small">{html.text(f"{said} {told}".strip())}</p>', width="stretch")


def first_day(days: pl.DataFrame) -> date | None:
    """Return the first day in the data."""
    return days.select(pl.col("day").min()).item()


def links(here: Here) -> dict[str, dict[str, str]]:
    """Return for every line the address of Why at its last change."""
    last = {line: list(words.change_keys(found))[-1] for line, found in words.by_line(here.explanations()).items()}
    return {
        line: address(line=words.line_key(line), **({"at": last[line]} if line in last else {}))
        for line in here.lines()["line"]
    }


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


def foot(card: str, frame: pl.DataFrame, name: str) -> None:
    """Show what stands under every card: how its figures are counted, and the file of them."""
    with st.container(horizontal=True, vertical_alignment="center"):
        counted(card)
        csv(frame, name, key=f"csv_{card}")


def pictures(c: pl.DataFrame, w: parts.Window, ways: dict[str, dict[str, str]], here: Here) -> None:
    """Show where each line was and is, and change in volume against change in replies."""
    drawn = parts.moves(c)
    name = f"replies-lines-{w.days}-days"
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
        foot("moves", parts.download(c), name)
    with right, st.container(key="card_growth", gap="small", height="stretch"):
        title = parts.growth_title(c)
        st.html(html.h2(title, "Change in sends against change in replies, one mark a line. Pale: chance may make it."))
        spec = charts.growth(drawn, grew=parts.GREW, fell=-100 * parts.MOVED, theme=here.theme)
        clickable(spec, "growth", f"{title}. {parts.table_title(c)}.", ways)
        foot("growth", parts.download(c), name)


def table(c: pl.DataFrame, w: parts.Window, ways: dict[str, dict[str, str]]) -> None:
    """Show every line's sends and replies in both periods, worst first."""
    with st.container(key="card_table", gap="small"):
        st.html(
            html.h2(parts.table_title(c), f"Worst first. Now: these {w.days} days; before: the {w.days} days before.")
        )
        shown = c if st.session_state.get("all_replies") else c.head(FIRST)
        st.html(html.table(cells.LINES, cells.lines(shown, ways), least=860))
        thin = parts.thin_words(c, w)
        if thin:
            st.html(f'<p class="lh-sub">{html.text(thin)}</p>')
        if c.height > FIRST:
            st.toggle(f"Show all {c.height:,}", key="all_replies")
        foot("replies", parts.download(c), f"replies-lines-{w.days}-days")


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
        foot("mix", m.kinds, f"replies-kinds-{w.days}-days")


def main() -> None:
    """Draw the page."""
    here = ready()
    days = here.read(pipeline.signals, grain="day")
    n, said = parts.asked(st.query_params.get(KEY))
    w = parts.window(n, here.as_of, here.zone)
    c = parts.compared(days, here.lines(), w)
    st.html(html.h1(parts.headline(c), freshness(here)))
    period(w, said, first_day(days), here)
    ways = links(here)
    if not c["outbound_now"].sum() and not c["outbound_before"].sum():
        st.html('<p class="lh-p">No send is loaded for these days. Load a message export on the Data page.</p>')
        return
    if c["enough"].any():
        pictures(c, w, ways, here)
    table(c, w, ways)
    mix(days, w, here)


main()
