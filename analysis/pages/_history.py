"""What the fleet's own past shows in; two cards of the page Ahead out: levels of behaviour, and how long things take."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl
import streamlit as st

from analysis import charts, pipeline
from analysis.pages import _figures as figures
from analysis.pages import _html as html
from analysis.pages import _words as words
from analysis.pages._foot import foot
from analysis.pages._frame import draw
from analysis.pages._store import Here

BEHAVIOURS = {
    "openers": "New conversations",
    "sends": "Sends",
    "follow_ups": "Late follow-ups",
    "failures": "Failed sends",
}
STATES = {"AT_RISK": "At risk", "CRITICAL": "Critical"}
LONGEST = 30.0
"""Days drawn at most."""
LEVELS = {"lines": "lines_in_group", "times": "times_as_often", "line_days": "line_days_seen", "falls": "falls_seen"}
"""Columns whose names mean something else in other files."""
TIMES = pl.Schema(
    {
        "measured": pl.String,
        "measured_for": pl.String,
        "cases": pl.Int64,
        "events": pl.Int64,
        "middle": pl.Float64,
        "middle_low": pl.Float64,
        "middle_high": pl.Float64,
    }
)
"""What was measured on which cases, key (measured, measured_for)."""


def levels_frame(levels: pl.DataFrame) -> pl.DataFrame:
    """Return the levels under names that mean one thing in every file."""
    return levels.rename(LEVELS)


def times_frame(times: dict[str, Any]) -> pl.DataFrame:
    """Return the times as TIMES."""
    rows: list[tuple[Any, ...]] = [
        ("hours from onset to fall", r["driver"], r["falls"], r["dated"], r["hours"], r["hours_low"], r["hours_high"])
        for r in times.get("onset", [])
    ]
    healed = [(r["state"], r) for r in times.get("recovery", [])]
    rows += [
        ("days from fall to healthy", state, r["falls"], r["recovered"], r["days"], r["days_low"], r["days_high"])
        for state, r in healed
    ]
    if slowed := times.get("after_slowing"):
        rows.append(
            (
                "days from cause back in its usual to healthy",
                "all",
                slowed["falls"],
                slowed["recovered"],
                slowed["days"],
                slowed["days_low"],
                slowed["days_high"],
            )
        )
    rows += [
        (
            "share that fell again",
            f"within {r['days']} days",
            r["recoveries"],
            r["relapsed"],
            r["rate"],
            r["low"],
            r["high"],
        )
        for r in times.get("relapse", [])
    ]
    return pl.DataFrame(rows, schema=TIMES, orient="row")


def healing(times: dict[str, Any]) -> pl.DataFrame:
    """Return the curves as charts.HEALING."""
    rows = [
        (
            STATES[r["state"]],
            c["day"],
            c["healthy"],
            c["low"],
            c["high"],
            f"{STATES[r['state']]}: {words.percent(c['healthy'])} healthy again by day {c['day']:.1f} ({words.percent(c['low'])} to "
            f"{words.percent(c['high'])}); {round(c['open']):,} still waited",
        )
        for r in times.get("recovery", [])
        for c in r["curve"]
    ]
    return pl.DataFrame(rows, schema=charts.HEALING, orient="row")


def sentences(levels: pl.DataFrame) -> list[tuple[str, str]]:
    """Return what to say of each behaviour: of all lines, and of a third by volume where a level shows there."""
    found = []
    for row in levels.iter_rows(named=True):
        if row["line_group"] != "all" and row["answer"] != "level":
            continue
        third = "" if row["line_group"] == "all" else f", {row['line_group']} lines"
        who = f"{words.plural(row['lines'], 'line')} of {row['group_low']:,.0f} to {row['group_high']:,.0f} sends a day"
        found.append((f"{BEHAVIOURS[row['behaviour']]}{third}", f"{row['sentence']} ({who}.)"))
    return sorted(found, key=lambda f: list(BEHAVIOURS.values()).index(f[0].split(",")[0]))


def shown_levels(here: Here) -> None:
    """Show from which level of a behaviour on lines fall twice as often."""
    levels = here.read(pipeline.thresholds)
    with st.container(key="card_levels", gap="small"):
        st.html(
            html.h2(
                "What your own history shows",
                "From which level on lines fall at least twice as often. What goes together need not be cause and effect.",
            )
        )
        told = [[html.text(name), html.text(sentence)] for name, sentence in sentences(levels)]
        if told:
            st.html(html.table([("A day", False), ("What followed", False)], told))
        else:
            st.html('<p class="lh-p">Nothing measured yet: load exports, or run linehealth refresh.</p>')
        _under("levels", levels_frame(levels), here)


def _under(card: str, frame: pl.DataFrame, here: Here, chart: tuple[str, str] | None = None) -> None:
    foot(card, frame, here, name=figures.named("ahead", card, f"{here.as_of:%Y-%m-%d}"), chart=chart)


def shown_times(here: Here) -> None:
    """Show how long it takes from cause to fall and back, and how often a line falls again."""
    times: dict[str, Any] = here.read(pipeline.lags)
    frame = times_frame(times)
    with st.container(key="card_times", gap="small"):
        until = words.wall(datetime.fromisoformat(times["until"]), here.zone) if times else None
        title = times_title(times)
        st.html(html.h2(title, f"Measured on your lines up to {until:%a %-d %b %H:%M}." if until else ""))
        curve = healing(times)
        left, right = st.columns([1, 1.25], gap="medium")
        with left:
            if curve.height:
                most = max(1.0, min(LONGEST, float(curve["day"].max())))  # type: ignore[arg-type]
                draw(charts.healing(curve, most_days=most, theme=here.theme), key="healing", alt=title)
                st.html(
                    '<p class="lh-small">Share of falls healthy again, on its 95 % band; lines still waiting are counted as long as they wait.</p>'
                )
            else:
                st.html('<p class="lh-p">Too few recoveries for a curve: it takes 10 from a state.</p>')
        with right:
            st.html(html.table([("Measured", False), ("Counts", True), ("Middle", True)], cells(frame)))
        _under("times", frame, here, chart=("card_times", title) if curve.height else None)


def times_title(times: dict[str, Any]) -> str:
    """Return the finding: how long a line at risk takes to healthy."""
    risk = next((r for r in times.get("recovery", []) if r["state"] == "AT_RISK"), None)
    if risk is None or not risk["falls"]:
        return "No line has fallen yet"
    if risk["days"] is None:
        return f"{risk['recovered']:,} of {words.plural(risk['falls'], 'fall')} to at risk came back to healthy so far"
    return f"Half of the lines at risk are healthy again within {risk['days']:.1f} days"


def cells(frame: pl.DataFrame) -> list[list[str]]:
    """Return the table's cells: what was measured, its counts, and the middle with its range; a dash under 10 events."""
    found = []
    for r in frame.iter_rows(named=True):
        measured, of = r["measured"], r["measured_for"]
        if measured.startswith("hours"):
            name, part = f"Onset to fall: {words.DRIVER_WORDS[of]}", "dated"
            value = _range(r, lambda v: f"{v:,.0f}", " h")
        elif measured.startswith("share"):
            name, part = f"Fell again {of}", "fell"
            value = _range(r, lambda v: f"{100 * v:.0f}", f"{words.THIN}%")
        else:
            name = "Cause back in its usual to healthy" if of == "all" else f"{STATES[of]} to healthy"
            part, value = "healthy", _range(r, lambda v: f"{v:.1f}", " days")
        if r["cases"]:
            found.append([html.text(name), html.text(f"{r['events']:,} of {r['cases']:,} {part}"), html.text(value)])
    return found


def _range(r: dict[str, Any], told: Any, unit: str) -> str:
    if r["middle"] is None:
        return words.DASH
    low, high = (words.DASH if r[k] is None else told(r[k]) for k in ("middle_low", "middle_high"))
    return f"{told(r['middle'])}{unit} ({low}–{high})"
