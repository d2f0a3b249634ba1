"""Transitions: every change of health and status, what it took to recover, and how long lines were in which state."""

from __future__ import annotations

import polars as pl
import streamlit as st

from analysis import charts, pipeline
from analysis.pages import _figures as figures
from analysis.pages import _html as html
from analysis.pages import _quality as quality
from analysis.pages import _transitions as parts
from analysis.pages import _words as words
from analysis.pages._foot import foot, share
from analysis.pages._frame import WHY, draw, freshness, ready
from analysis.pages._store import Here, address
from analysis.schema import Explanation


def under(
    card: str, frame: pl.DataFrame, here: Here, period: str, *, chart: tuple[str, str] | None = None, filters: str = ""
) -> None:
    """Show a card's foot."""
    since = parts.begin(here, period)
    name = figures.named(
        "transitions", card, figures.span(since, here.as_of) if since else f"all-to-{here.as_of:%Y-%m-%d}"
    )
    foot(card, frame, here, name=name, chart=chart, since=since or figures.EVER, as_of=here.as_of, filters=filters)


def recovery(of: list[parts.Trouble], here: Here, period: str) -> None:
    """Show how long the spells of trouble took, by cause."""
    with st.container(key="card_recovery", gap="small", height="stretch"):
        marks = f"One mark a fall that is over: {html.mark('AT_RISK')}at risk, {html.mark('CRITICAL')}critical at its worst. Tick: the median of three or more."
        st.html(html.h2("How long it took to recover, by main cause", marks))
        frame, order = parts.recovery_frame(of, here)
        if not order:
            st.html('<p class="lh-p">No fall of this period is over yet.</p>')
            return
        took = {cause: frame.filter(frame["cause"] == cause)["days"].to_list() for cause in order}
        told = "; ".join(
            f"{c}: {words.lasting(24 * min(days))} to {words.lasting(24 * max(days))}" for c, days in took.items()
        )
        draw(charts.recoveries(frame, order=order, theme=here.theme), key="recoveries", alt=f"Time to recover. {told}")
        over = [t for t in of if t.end is not None]
        chart = ("card_recovery", "How long it took to recover, by main cause")
        under("recovery", figures.troubles(over), here, period, chart=chart)


def states(here: Here, period: str) -> None:
    """Show the time that lines spent in each state."""
    with st.container(key="card_states", gap="small", height="stretch"):
        st.html(html.h2("Time in each state", "Line-days of the period, from each line's first known state on."))
        rows = parts.held(here.read(pipeline.spells), parts.begin(here, period), here.as_of)
        whole = sum(days for _, days, _ in rows)
        if not whole:
            st.html('<p class="lh-p">No state of any line is known in this period.</p>')
            return
        cells = [
            [
                html.badge(state),
                html.text(words.percent(days / whole)),
                html.text(words.count(round(days, 1))),
                html.text(words.count(lines)),
            ]
            for state, days, lines in rows
        ]
        heads = [("State", False), ("Share", True), ("Line-days", True), ("Lines", True)]
        st.html(html.table(heads, cells, least=320))
        under("states", figures.states(rows), here, period)


def log(found: list[Explanation], here: Here, period: str) -> None:
    """Show the log, which can be filtered and downloaded; a chosen row opens Why."""
    with st.container(key="card_log", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.html(html.h2("Every change"), width="stretch")
            show = st.segmented_control(
                "Show",
                parts.SHOWN,
                selection_mode="multi",
                key="show",
                label_visibility="collapsed",
                bind="query-params",
            )
            present = {words.DRIVER_WORDS[e.drivers[0].driver] for e in found}
            causes = [w for w in words.DRIVER_WORDS.values() if w in present]
            cause = st.selectbox(
                "Main cause", causes, index=None, key="cause", placeholder="Any main cause", label_visibility="collapsed",
                width=190, bind="query-params",
            )  # fmt: skip
            find = st.text_input(
                "Find a line",
                key="find",
                placeholder="Find a line",
                label_visibility="collapsed",
                width=170,
                bind="query-params",
            )
        rows = parts.log(
            found, start=parts.begin(here, period), show=list(show or []), cause=cause or "", find=find or ""
        )
        if not rows:
            st.html(
                f'<p class="lh-p">No change matches. Clear the filters, or choose a longer period: {len(found):,} changes are known.</p>'
            )
            return
        zone = f"{words.wall(here.as_of, here.zone):%Z}"
        config = {
            "at": st.column_config.TextColumn(f"When, {zone}", width=110),
            "line": st.column_config.TextColumn("Line", width=130),
            "change": st.column_config.TextColumn("Change", width=170),
            "cause": st.column_config.TextColumn("Main cause", width=130),
            "share": st.column_config.NumberColumn("Share", format="%d %%", width=64),
            "why": st.column_config.TextColumn("Why", width="large"),
            "confidence": st.column_config.TextColumn("Confidence", width=90),
        }
        event = st.dataframe(
            parts.log_frame(rows, here), column_config=config, row_height=36, height=min(36 * (len(rows) + 1) + 2, 560), placeholder=words.DASH,
            on_select="rerun", selection_mode="single-row", key="log", alt=f"{len(rows)} changes, newest first, each with its main cause",
        )  # fmt: skip
        st.html(f'<p class="lh-small">{words.plural(len(rows), "change")}. Choose a row to read why.</p>')
        if event.selection.rows:
            e = rows[event.selection.rows[0]]
            key = words.change_key(e, words.by_line(found)[e.line])
            st.switch_page(WHY, query_params=address(line=words.line_key(e.line), at=key))
        filters = figures.filters(list(show or []), cause or "", find or "")
        under("log", figures.log(rows), here, period, filters=filters)


def audits(here: Here) -> None:
    """Show how often the vendor's archived audits named what we name, month by month; nothing where none is archived."""
    rows = here.made("audits", parts.audits_by_month)
    if not rows:
        return
    with st.container(key="card_audits", gap="small"):
        st.html(html.h2("The vendor's audits beside our reasons"))
        cells = [
            [html.text(month), html.text(driver), *(html.text(words.count(n)) for n in counts)]
            for month, driver, *counts in rows
        ]
        heads = [("Month", False), ("Vendor's driver", False), ("Agree", True), ("Differ", True), ("Cannot tell", True), ("They named it", True), ("We named it", True)]  # fmt: skip
        st.html(html.table(heads, cells, least=560))
        st.html(
            '<p class="lh-small">Each audit is held against the change of its line before it. The same: <code>linehealth agreement --monthly</code>. '
            "An audit is asked for with <code>linehealth audit</code>; the vendor forgets it after 24 hours, this store does not.</p>"
        )


def main() -> None:
    """Draw the page."""
    here = ready()
    found = here.explanations()
    head = st.container()  # its sentence needs the period, which stands under it
    with st.container(horizontal=True, vertical_alignment="center", key="periods"):
        period = str(
            st.segmented_control(
                "Period", list(parts.PERIODS), default="30 days", required=True, key="period", label_visibility="collapsed",
                bind="query-params",
            )
        )  # fmt: skip
        sharing = st.container(width="content")  # its text needs the period
    spells: list[parts.Trouble] = here.made("troubles", lambda h: parts.troubles(h.explanations()))
    of = parts.since(spells, parts.begin(here, period))
    head.html(html.h1(parts.sentence(of, here.lines().height, period), freshness(here)))
    st.html(html.tiles([(html.eyebrow(name), figure, small) for name, figure, small in parts.tiles(of)]))
    under("troubles", figures.troubles(of), here, period)
    with sharing:
        share(parts.as_text(of, here, period))
    since = parts.begin(here, period) or words.instant(here.status["first_at"] or here.status["as_of"])
    lost = quality.warning(here, since, here.as_of)
    if lost:
        st.html(html.inset("No data for a part of this period", lost))
    left, right = st.columns([1.55, 1], gap="medium")
    with left:
        recovery(of, here, period)
    with right:
        states(here, period)
    audits(here)
    log(found, here, period)


main()
