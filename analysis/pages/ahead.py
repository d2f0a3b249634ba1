"""Ahead: who may open how many today, what is likely to turn next and why, and how to place new recipients."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import streamlit as st

from analysis import charts, pipeline
from analysis.pages import _ahead as parts
from analysis.pages import _alerts as alerting
from analysis.pages import _figures as figures
from analysis.pages import _figures_more as more
from analysis.pages import _history as history
from analysis.pages import _html as html
from analysis.pages import _quality as quality
from analysis.pages import _replay as replay
from analysis.pages import _words as words
from analysis.pages._foot import foot, share
from analysis.pages._frame import WHY, draw, freshness, ready
from analysis.pages._store import Here, address


def under(
    card: str, frame: pl.DataFrame, here: Here, *parts_of_name: str, chart: tuple[str, str] | None = None, **values: Any
) -> None:
    """Show a card's foot."""
    name = figures.named("ahead", card, *parts_of_name, f"{here.as_of:%Y-%m-%d}")
    foot(card, frame, here, name=name, chart=chart, **values)


def decisions(gate: Any, forecast: Any, here: Here) -> None:
    """Show what every line may still send today; a chosen row opens Why."""
    with st.container(key="card_gate", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.html(
                html.h2(
                    "What each line may still send today",
                    "New conversations go to healthy lines only. Chats that exist stay on their line.",
                ),
                width="stretch",
            )
            show = st.segmented_control(
                "Decision",
                list(parts.DECISIONS.values()),
                selection_mode="multi",
                key="may",
                label_visibility="collapsed",
                bind="query-params",
            )
            find = st.text_input(
                "Find a line",
                key="find",
                placeholder="Find a line",
                label_visibility="collapsed",
                width=170,
                bind="query-params",
            )
        chosen = [d for d, word in parts.DECISIONS.items() if word in (show or [])]
        rows = parts.table(gate, forecast, show=chosen, find=find or "")
        if not rows.height:
            st.html(f'<p class="lh-p">No line matches. Clear the filters to see all {gate.height:,}.</p>')
            return
        config = {
            "May": st.column_config.TextColumn(width=80),
            "Line": st.column_config.TextColumn(width=130),
            "Health": st.column_config.TextColumn(width=90),
            "New left": st.column_config.NumberColumn(width=70, help="New conversations that it may still open today."),
            "Used": st.column_config.ProgressColumn(
                "Used today",
                format="%d %%",
                min_value=0,
                max_value=100,
                width=100,
                help="Opened today, of what it may open in all.",
            ),
            "This hour": st.column_config.NumberColumn(width=74),
            "Sends left": st.column_config.NumberColumn(format="localized", width=80),
            "Worse in 24 h": st.column_config.TextColumn(
                alignment="right", width=110, help="Chance, and the 80 % interval of it."
            ),
            "Why": st.column_config.TextColumn(width="large"),
        }
        event = st.dataframe(
            rows.drop("line"), column_config=config, row_height=36, height=min(36 * (rows.height + 1) + 2, 480), placeholder=words.DASH,
            on_select="rerun", selection_mode="single-row", key="gate", alt=f"{rows.height} lines, each with its decision and what is left of today",
        )  # fmt: skip
        if event.selection.rows:
            st.switch_page(WHY, query_params=address(line=rows["line"][event.selection.rows[0]]))
        kept = more.gate(gate, chosen, find or "")
        under("gate", kept, here, filters=more.gate_filters(chosen, find or ""))


def turns_next(forecast: Any, here: Here) -> None:
    """Show which lines are likeliest to turn worse, and what raises their chance."""
    with st.container(key="card_next", gap="small"):
        st.html(
            html.h2(
                parts.next_sentence(forecast),
                "Dot: within 24 h, on its 80 % interval. Ring: within 3 days. A critical line cannot turn worse; one known for less than a week is left out.",
            )
        )
        frame, rows = parts.outlook(forecast, here)
        if not rows:
            st.html('<p class="lh-p">No line has a week of data yet, or all are critical.</p>')
            return
        left, right = st.columns([1, 1.25], gap="medium")
        told = "; ".join(f"{r['line']} {words.percent(r['three_days'])}" for r in frame.head(5).iter_rows(named=True))
        with left:
            draw(
                charts.outlook(frame, theme=here.theme),
                key="outlook",
                alt=f"Chance of turning worse within 3 days: {told}",
            )
        cells = [
            [
                f'<a href="why?{_query(key)}" target="_self">{html.text(name)}</a>',
                html.text(day),
                html.text(three),
                html.text(why),
            ]
            for key, name, day, three, why in parts.reasons(rows)
        ]
        with right:
            st.html(
                html.table(
                    [("Line", False), ("In 24 h", True), ("In 3 days", True), ("What raises it", False)],
                    cells,
                    least=420,
                )
            )
        under("forecast", more.forecast(forecast), here, chart=("card_next", parts.next_sentence(forecast)))


def _query(key: str) -> str:
    return "&amp;".join(f"{k}={html.text(v)}" for k, v in address(line=key).items())


def plan(here: Here) -> str:
    """Place new recipients: how many, over how many days, on which lines. Return the finding."""
    with st.container(key="card_plan", gap="small"):
        st.html(
            html.h2(
                "Place new recipients",
                "People nobody has written to yet. No line goes beyond what it may open that day, or over the risk set for it.",
            )
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            new = st.number_input(
                "New recipients",
                min_value=1,
                max_value=100_000,
                value=100,
                step=10,
                key="new",
                width=160,
                bind="query-params",
            )
            days = st.number_input(
                "Days, today included",
                min_value=1,
                max_value=parts.LONGEST,
                value=3,
                key="days",
                width=160,
                bind="query-params",
            )
        found = parts.planned(here, int(new), int(days))
        st.html(html.h2(found["title"]) + f'<p class="lh-p">{html.text(found["risk"])}</p>')
        if found["table"].height:
            st.dataframe(
                found["table"], row_height=36, height=min(36 * (found["table"].height + 1) + 2, 400), placeholder=words.DASH, key="plan",
                alt=f"{found['plan'].placed} new recipients by line and day",
            )  # fmt: skip
        asked: dict[str, Any] = {"new": int(new), "days": int(days)}
        under("plan", more.plan(found["plan"].rows), here, f"{asked['new']}-in-{asked['days']}-days", **asked)
        return str(found["title"])


def record(here: Here) -> None:
    """Show how right the forecasts have been on this fleet."""
    rests: dict[str, Any] = here.read(pipeline.forecast_record)
    past = rests.get("record")
    with st.container(key="card_record", gap="small"):
        if not past:
            st.html(
                html.h2(
                    "Too few falls to say how right the forecasts are here",
                    f"They rest on {html.text(rests.get('basis', 'nothing yet'))}.",
                )
            )
            under("record", more.record(rests), here)
            return
        title, told = parts.record_words(past)
        st.html(html.h2(title, f"They rest on {html.text(rests['basis'])}."))
        left, right = st.columns([1, 1.25], gap="medium")
        frame = parts.reliability(past, 24)
        with left:
            draw(
                charts.reliability(frame, theme=here.theme),
                key="reliability",
                alt=f"What was told and what came. {told}",
            )
        with right:
            st.html(
                f'<p class="lh-p">{html.text(told)}</p><p class="lh-small">On the dashed line what was told came as often as told.</p>'
            )
        under("record", more.record(rests), here, chart=("card_record", title))


def main() -> None:
    """Draw the page."""
    here = ready()
    gate, forecast = here.read(pipeline.gate), here.read(pipeline.forecast)
    st.html(html.h1(parts.sentence(gate), freshness(here)))
    head = st.container(horizontal=True, key="head_foot")
    lost = quality.warning(here, here.as_of - timedelta(days=7), here.as_of, days="The last 7 days")
    if lost:
        st.html(
            html.inset("No data for a part of the last 7 days", f"{lost} Forecast and gate count these neither as answered nor as not.")
        )  # fmt: skip
    decisions(gate, forecast, here)
    turns_next(forecast, here)
    alerting.card(here)
    placed = plan(here)
    replay.card(here)
    history.shown_levels(here)
    history.shown_times(here)
    record(here)
    with head:
        share("\n".join([parts.sentence(gate), f"{parts.next_sentence(forecast).rstrip('.')}.", f"{placed}."]))


main()
