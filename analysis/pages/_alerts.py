"""Alerts that are due, and how right such alerts would have been, in; the card Alerts of the page Ahead out."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from analysis import pipeline
from analysis.pages import _figures as figures
from analysis.pages import _figures_more as more
from analysis.pages import _html as html
from analysis.pages import _words as words
from analysis.pages._foot import foot
from analysis.pages._store import Here

FROM = {
    "setting": "set by hand (alert_from)",
    "own past": "chosen on your own past for at most one false alarm a line and month",
    "gate_risk": "the gate's (gate_risk): the own past chose none",
}
LEAST = 30
"""Alerts under which no share is told."""
SHOWN = 6
"""Messages shown; the command prints all."""
HEAD = [
    ("From a chance of", False),
    ("Alerts", True),
    ("A fall within 3 days", True),
    ("Falls told of", True),
    ("Ahead, median", True),
    ("False a line and month", True),
]


def title(found: Any) -> str:
    """Return what is due."""
    told = len(found.messages)
    if not told:
        return "no message is due"
    lines = words.plural(found.rows["line"].n_unique(), "line")
    return f"{words.plural(told, 'message is', 'messages are')} due, on {lines}"


def share(part: int, whole: int) -> str:
    """Return "14 of 22", with the share from 30 on."""
    return f"{part:,} of {whole:,}" + (f" ({words.percent(part / whole)})" if whole >= LEAST else "")


def cells(levels: list[dict[str, Any]]) -> list[list[str]]:
    """Return the table of levels, the one in force marked."""
    found = []
    for row in levels:
        lead = words.DASH if row["lead_hours"] is None else words.lasting(row["lead_hours"])
        name = words.percent(row["level"])
        found.append(
            [
                f"<b>● {html.whole(name)}, in force</b>" if row["in_force"] else html.whole(name),
                words.count(row["alerts"]),
                html.whole(share(row["right"], row["alerts"])) if row["alerts"] else words.DASH,
                html.whole(share(row["told"], row["worsenings"])),
                html.whole(lead),
                words.count(round(row["false_a_month"], 2)),
            ]
        )
    return found


def governed(here: Here, record: dict[str, Any], waiting: int) -> str:
    """Return in words which settings govern the alerts."""
    chosen = here.settings
    quiet = f"quiet hours {chosen.alert_quiet} ({chosen.timezone})" if chosen.alert_quiet else "no quiet hours"
    held = f" {words.plural(waiting, 'alert waits', 'alerts wait')} for them to end." if waiting else ""
    return (
        f"Level: {words.percent(record['level'])} within 24 h, {FROM[record['level_from']]}. Told again for the same reason after "
        f"{chosen.alert_again_hours:g} h, or once the chance fell under half of the level; changes up to {chosen.alert_news_hours:g} h old; {quiet}; "
        f"recoveries {'on' if chosen.alert_recovered else 'off'}.{held} All are settings (alert_from, alert_again_hours, alert_news_hours, "
        "alert_quiet, alert_recovered)."
    )


def card(here: Here) -> None:
    """Show what would be told now, how right such alerts would have been here, and what governs them."""
    found, record = here.read(pipeline.alerts), here.read(pipeline.alert_record)
    with st.container(key="card_alerts", gap="small"):
        st.html(
            html.h2(
                f"Alerts: {title(found)}",
                "As of the newest data, one message a reason; <code>linehealth alerts</code> prints them, and nothing is sent from here.",
            )
        )
        left, right = st.columns([1, 1.25], gap="medium")
        with left:
            st.html("".join(_shown(m) for m in found.messages[:SHOWN]) or '<p class="lh-p">Nothing new to tell.</p>')
            if len(found.messages) > SHOWN:
                st.html(f'<p class="lh-small">And {words.plural(len(found.messages) - SHOWN, "more message")}.</p>')
        with right:
            st.html(f'<p class="lh-p">{html.whole(record["sentence"])}</p>')
            if record["levels"]:
                st.html(html.table(HEAD, cells(record["levels"]), least=520))
            st.html(f'<p class="lh-small">{html.whole(governed(here, record, found.waiting))}</p>')
        rows: pl.DataFrame = more.alerts(record)
        foot("alerts", rows, here, name=figures.named("ahead", "alerts", f"{here.as_of:%Y-%m-%d}"))


def _shown(message: Any) -> str:
    lines = [told.partition(":") for told in message.lines[:SHOWN]]
    told = "".join(f"<li>{html.whole(words.line_name(line) + colon + rest)}</li>" for line, colon, rest in lines)
    left = len(message.lines) - SHOWN
    more_ = f'<p class="lh-small">And {left:,} more.</p>' if left > 0 else ""
    return f'<p class="lh-p"><b>{html.whole(message.title)}</b></p><ul class="lh-small">{told}</ul>{more_}'
