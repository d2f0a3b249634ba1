"""A dragged-over or addressed period of a line in; its counts against the line's usual for the same hours of the day out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import streamlit as st

from analysis.pages import _html as html
from analysis.pages import _words as words
from analysis.pages._frames import healthy_before

LEAST_DAYS = 7
"""Fewer healthy days before make no usual for the hours of a period."""
LEAST_SENDS = 30
"""Of fewer counted sends no rate is shown, only counts (design sheet, section 6)."""
FORM = "%Y%m%dT%H%M"
COUNTS = (
    ("outbound", "Sends"),
    ("new_conversations", "New conversations"),
    ("unanswered_turns", "Third or later unanswered"),
    ("failed", "Failed sends"),
    ("sends_after_opt_out", "Sends after an opt-out"),
)


@dataclass(frozen=True)
class Period:
    """Whole hours from ``start`` to before ``end``, UTC."""

    start: datetime
    end: datetime

    def words(self, zone: ZoneInfo) -> str:
        """Return the period as people read it."""
        long = words.lasting((self.end - self.start) / timedelta(hours=1))
        return f"{words.moment(self.start, zone)} to {words.moment(self.end, zone)}, {long}"


def dragged(selection: dict[str, Any], zone: ZoneInfo) -> Period | None:
    """Return the period of a drag over the lanes, which is told in ms of the wall clock shown; None where nothing is chosen."""
    ends = (selection.get("brush") or {}).get("t") or []
    if len(ends) != 2:
        return None
    low, high = (_utc(float(end), zone) for end in sorted(ends))
    return _hours(low, high)


def addressed(query: dict[str, str]) -> Period | None:
    """Return the period of an address (from, to), None where it has none or it cannot be read."""
    try:
        low, high = (datetime.strptime(query[name], FORM) for name in ("from", "to"))  # noqa: DTZ007 - UTC throughout
    except (KeyError, ValueError):
        return None
    # the usual looks four weeks back, and the last hour is rounded up: at the ends of the calendar there is neither
    return _hours(low, high) if low < high and low.year > 1970 and high.year < 9999 else None


def address_of(period: Period) -> dict[str, str]:
    """Return a period as the address has it, UTC."""
    return {"from": period.start.strftime(FORM), "to": period.end.strftime(FORM)}


def _utc(wall_ms: float, zone: ZoneInfo) -> datetime:
    wall = datetime(1970, 1, 1) + timedelta(milliseconds=wall_ms)
    return wall.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)


def _hours(low: datetime, high: datetime) -> Period:
    start = low.replace(minute=0, second=0, microsecond=0)
    end = high.replace(minute=0, second=0, microsecond=0)
    return Period(start, end if end >= high and end > start else end + timedelta(hours=1))


def counted_in(hours: pl.DataFrame, period: Period, *, before: datetime) -> list[tuple[str, str, str]]:
    """Return name, seen and usual of each signal in a period.

    Args:
        hours: SIGNALS_HOUR of the line.
        period: whole hours.
        before: the usual is taken from the 28 days before it, healthy hours only, by hour of the day.
    """
    inside = hours.filter(pl.col("hour") >= period.start, pl.col("hour") < period.end)
    calm = healthy_before(hours, "hour", before)
    known = calm["hour"].dt.date().n_unique() >= LEAST_DAYS
    replied, mature = int(inside["replied"].sum() or 0), int(inside["mature"].sum() or 0)
    rate = (
        f"{words.percent(replied / mature)} ({replied:,} of {mature:,})"
        if mature >= LEAST_SENDS
        else f"{replied:,} of {mature:,}"
    )
    whole = int(calm["mature"].sum() or 0)
    usual = words.percent(float(calm["replied"].sum()) / whole) if known and whole >= LEAST_SENDS else "no usual yet"
    rows = [("Answered, of sends old enough", rate, usual)]
    clocks = pl.datetime_range(period.start, period.end, "1h", closed="left", eager=True).dt.hour()
    for column, name in COUNTS:
        by_clock = dict(calm.group_by(pl.col("hour").dt.hour()).agg(pl.col(column).mean()).iter_rows())
        expected = sum(by_clock.get(clock) or 0.0 for clock in clocks)
        rows.append(
            (
                name,
                words.count(int(inside[column].sum() or 0)),
                words.count(round(expected, 1)) if known else "no usual yet",
            )
        )
    return [rows[1], rows[0], *rows[2:]]


def strip(hours: pl.DataFrame, selection: dict[str, Any], *, chart: str, before: datetime, zone: ZoneInfo) -> None:
    """Show the counts of the chosen period, and keep it in the address; a hint where none is chosen."""
    period = dragged(selection, zone)
    was = f"dragged_{chart}"
    if period is not None:
        st.session_state[was] = True
        st.query_params.update(address_of(period))
    elif st.session_state.pop(was, False):  # cleared again
        for name in ("from", "to"):
            st.query_params.pop(name, None)
    else:
        period = addressed({name: st.query_params[name] for name in ("from", "to") if name in st.query_params})
    if period is None:
        st.html('<p class="lh-sub">Drag across a lane to count a period; double-click to clear it.</p>')
        return
    cells = [
        [html.text(name), f"<b>{html.text(seen)}</b>", html.text(usual)]
        for name, seen, usual in counted_in(hours, period, before=before)
    ]
    st.html(
        f'<p class="lh-sub" style="margin-top:8px"><b>{html.text(period.words(zone))}</b></p>'
        + html.table([("Signal", False), ("Seen", True), ("Usual for these hours", True)], cells, least=320)
    )
