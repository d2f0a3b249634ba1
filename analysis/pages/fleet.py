"""Fleet: which lines need somebody, worst first, and why."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import streamlit as st

from analysis import charts
from analysis.pages import _figures as figures
from analysis.pages import _fleet as parts
from analysis.pages import _html as html
from analysis.pages import _quality as quality
from analysis.pages import _words as words
from analysis.pages._foot import foot, share
from analysis.pages._frame import WHY, asked, draw, freshness, ready, switch
from analysis.pages._loading import leave_demo, result
from analysis.pages._running import watch
from analysis.pages._store import Here, address

FIRST = 20
HEALTHS = {"Critical": "CRITICAL", "At risk": "AT_RISK", "Flagged": "FLAGGED", "Healthy": "HEALTHY", "Not scored": None}


def under(card: str, frame: pl.DataFrame, here: Here, chart: tuple[str, str] | None = None) -> None:
    """Show a card's foot: every figure of this page is of the 30 days up to the newest data, or of the last 7 of them."""
    since, today = here.as_of - figures.MONTH, words.wall(here.as_of, here.zone).date()
    name = figures.named("fleet", card, figures.span(since, here.as_of))
    foot(card, frame, here, name=name, chart=chart, since=since, as_of=here.as_of, today=today)


def listed(fleet: parts.Fleet, rows: list[parts.Row], here: Here) -> pl.DataFrame:
    """Return the figures of these lines, worst first."""
    whole: pl.DataFrame = here.made("fleet lines", lambda h: figures.lines(fleet.rows, h))
    return whole.filter(pl.col("line").is_in([r.line for r in rows]))


def needs(fleet: parts.Fleet, here: Here) -> None:
    """Show the lines that need somebody, a row each, with its way to Why."""
    with st.container(key="card_needs", gap="small"):
        st.html(
            html.h2(
                "Needs you, worst first",
                "Sends and replies: last 7 days. Pictures: 30 days, replies over their usual, and health; grey column and open box: no data.",
            )
        )
        shown = fleet.needy if asked("all_needs") else fleet.needy[:FIRST]
        for r in shown:
            spark, ribbon = parts.images(r, fleet.window, here.theme, width=180, height=16)
            rate, counts = parts.rate(r.numbers.get("replied") or 0, r.numbers.get("mature") or 0)
            row = html.need_row(
                state=r.worst,
                since=parts.since_words(r),
                line=words.line_name(r.line),
                sends=f"{words.count(r.numbers.get('sends_a_day'))} sends a day",
                reason=r.reason.headline if r.reason else "No change of this line is loaded, only its state.",
                step=r.step,
                spark=spark,
                rate=rate,
                counts=counts,
                ribbon=ribbon,
            )
            with st.container(
                horizontal=True, wrap=False, vertical_alignment="center", key=f"need_{words.line_key(r.line)}"
            ):
                st.html(row)
                query = address(line=words.line_key(r.line), **({"at": r.key} if r.key else {}))
                st.page_link(
                    WHY, label="Why", icon=":material/arrow_forward:", icon_position="right", query_params=query
                )
        if len(fleet.needy) > FIRST:
            switch(f"Show all {len(fleet.needy):,}", "all_needs")
        under("needs", listed(fleet, fleet.needy, here), here)


def every_line(fleet: parts.Fleet, here: Here) -> None:
    """Show a ribbon a line, and what caused the falls."""
    left, right = st.columns([2.05, 1], gap="medium")
    with left, st.container(key="card_ribbons", gap="small"):
        lost = quality.gaps_in(here, here.as_of - timedelta(days=parts.DAYS), here.as_of)
        box = " Open box: no data, a gap in the deliveries." if lost.height else ""
        marks = f"Thin: healthy. Half: {html.mark('AT_RISK')}at risk. Full: {html.mark('CRITICAL')}critical.{box}"
        st.html(
            html.h2("Every line, 30 days", f"{marks} Letters name the main cause of each fall. Click one to read why.")
        )
        rows = fleet.rows
        if len(rows) > parts.MANY:
            still = [r for r in rows if len(r.spells) > 1 or r.needs]
            calm = len(rows) - len(still)
            switch(f"Show {calm:,} that did not change", "all_ribbons")
            rows = rows if asked("all_ribbons") else still
        spells, codes = parts.ribbon_frames(fleet, here, rows[:100])
        spec = charts.ribbons(
            spells,
            codes,
            quality.gap_marks_of(lost, [r.line for r in rows[:100]], fleet.window, here),
            order=[words.line_name(r.line) for r in rows[:100]],
            window=fleet.window,
            theme=here.theme,
        )
        alt = f"Health of {len(rows[:100])} lines over 30 days; {len(fleet.falls)} falls. {parts.sentence(fleet)}"
        event = st.vega_lite_chart(
            spec, theme=None, key="ribbons", on_select="rerun", selection_mode=["pick"], alt=alt, width="stretch"
        )
        picked = (event.get("selection") or {}).get("pick") or []
        under("ribbons", here.made("fleet spells", figures.ribbons), here, ("card_ribbons", "Every line, 30 days"))
        link = picked[0].get("link") if isinstance(picked, list) and picked else None
        if link:
            line, at = str(link).split(" ")
            st.switch_page(WHY, query_params=address(line=line, at=at))
    with right, st.container(key="card_causes", gap="small"):
        st.html(html.h2(parts.causes_title(fleet), "Main cause of each fall in health or status, 30 days."))
        counts = parts.cause_counts(fleet)
        if counts.height:
            told = ", ".join(f"{r['label']} {r['falls']}" for r in counts.iter_rows(named=True))
            draw(charts.causes(counts, theme=here.theme), key="causes", alt=f"Falls by main cause: {told}")
        else:
            st.html('<p class="lh-p">No line changed for the worse in these 30 days.</p>')
        chart = ("card_causes", parts.causes_title(fleet)) if counts.height else None
        under("causes", figures.causes(fleet), here, chart)


def all_lines(fleet: parts.Fleet, here: Here) -> None:
    """Show every line in a table that can be filtered; a chosen row opens Why."""
    with st.container(key="card_lines", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.html(html.h2("All lines"), width="stretch")
            present = [w for w, h in HEALTHS.items() if any(r.worst == h for r in fleet.rows)]
            chosen = st.segmented_control(
                "Health",
                present,
                selection_mode="multi",
                key="health",
                label_visibility="collapsed",
                bind="query-params",
            )
            causes = [w for w in words.DRIVER_WORDS.values() if any(r.cause == w for r in fleet.rows)]
            cause = st.selectbox(
                "Main cause", causes, index=None, key="cause", placeholder="Any main cause", label_visibility="collapsed", width=190,
                bind="query-params",
            )  # fmt: skip
            find = st.text_input(
                "Find a line or a word",
                key="find",
                placeholder="Find a line or a word",
                label_visibility="collapsed",
                width=200,
                bind="query-params",
            )
        wanted = {HEALTHS[w] for w in chosen}
        rows = [
            r
            for r in fleet.rows
            if (not wanted or r.worst in wanted) and (not cause or r.cause == cause) and r.holds(find or "")
        ]
        if not rows:
            st.html(f'<p class="lh-p">No line matches. Clear the filter to see all {len(fleet.rows):,}.</p>')
            return
        zone = f"{words.wall(here.as_of, here.zone):%Z}"
        config = {
            "Health, 30 days": st.column_config.ImageColumn(width=190),
            "Replies, 30 days": st.column_config.ImageColumn(width=120),
            "Replies, 7 d": st.column_config.NumberColumn(format="%.0f %%", help="Blank under 30 counted sends."),
            "Answered": st.column_config.TextColumn(alignment="right"),
            "Sends a day": st.column_config.NumberColumn(format="%.0f", help="Mean of the last 7 days."),
            "New a day": st.column_config.NumberColumn(
                format="%.1f", help="Conversations opened, mean of the last 7 days."
            ),
            "Since": st.column_config.TextColumn(f"Since, {zone}"),
            "New left": st.column_config.NumberColumn(
                help="New conversations that the line may still open today (Ahead)."
            ),
            "Used today": st.column_config.ProgressColumn(
                format="%d %%", min_value=0, max_value=100, width=100, help="Opened today, of what it may open in all."
            ),
            "Next step": st.column_config.TextColumn(width="large"),
        }
        frame = parts.table(rows, fleet, here.theme)
        event = st.dataframe(
            frame,
            column_config=config,
            row_height=36,
            height=min(36 * (len(rows) + 1) + 2, 440),
            placeholder="–",
            on_select="rerun",
            selection_mode="single-row",
            key="table",
            alt=f"{len(rows)} lines with health, replies and volume",
        )
        if event.selection.rows:
            r = rows[event.selection.rows[0]]
            st.switch_page(WHY, query_params=address(line=words.line_key(r.line), **({"at": r.key} if r.key else {})))
        under("lines", listed(fleet, rows, here), here)


def main() -> None:
    """Draw the page."""
    here = ready()
    fleet: parts.Fleet = here.made("fleet", parts.fleet)
    st.html(html.h1(parts.sentence(fleet), freshness(here)))
    leave_demo()
    result()
    place = st.container()
    cells = [(html.badge(state), figure, small) for state, figure, small in parts.tiles(fleet, here)]
    rate, counts = parts.replies_tile(fleet)
    cells.append((html.eyebrow("Replies, 7 days"), rate, counts))
    cells.append((html.eyebrow("Room for new conversations"), *parts.room_tile(fleet)))
    st.html(html.tiles(cells))
    with st.container(horizontal=True, vertical_alignment="center", key="head_foot"):
        under("tiles", figures.tiles(fleet, here), here)
        share(parts.as_text(fleet, here))
    lost = quality.warning(here, here.as_of - timedelta(days=7), here.as_of, days="The last 7 days")
    if lost:
        st.html(html.inset("No data for a part of the last 7 days", lost))
    if fleet.needy:
        needs(fleet, here)
    every_line(fleet, here)
    all_lines(fleet, here)
    with place:
        watch()


main()
