"""Figures in, short pieces of text out: counts, rates, times and periods as the design sheet writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from analysis.explain.constants import DAY, HOUR, MINUTE

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def milliseconds(at: datetime) -> int:
    """Return an instant (UTC, without a zone) as ms since 1970."""
    return round((at - datetime(1970, 1, 1)).total_seconds() * 1000)


def iso(ms: int) -> str:
    """Return an instant as ISO 8601 text, UTC, milliseconds, Z."""
    return datetime.fromtimestamp(ms // 1000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03d}Z"


def count(n: float) -> str:
    """Return a count with commas; a small mean with one decimal."""
    return f"{n:,.1f}".removesuffix(".0") if 0 < n < 10 and n != int(n) else f"{round(n):,}"


def of(part: int, whole: int, noun: str) -> str:
    """Return "3 of 11 sends" or "none of 11 sends"."""
    return f"{count(part) if part else 'none'} of {count(whole)} {noun}"


def percent(rate: float) -> str:
    """Return a rate as percent, with a decimal below 10."""
    value = 100 * rate
    return f"{value:.1f} %".replace(".0 %", " %") if 0 < value < 9.95 else f"{round(value)} %"


def in_100(rate: float) -> str:
    """Return "9 in 100" or, below one, "none"."""
    n = round(100 * rate)
    return f"{n} in 100" if n else "fewer than 1 in 100" if rate > 0 else "none"


def one_in(rate: float) -> str:
    """Return "1 in 8", "3 in 4" or "none"."""
    if rate <= 0:
        return "none"
    return f"1 in {count(round(1 / rate))}" if rate <= 0.4 else f"{round(100 * rate)} in 100"


def plural(n: float, one: str, many: str = "") -> str:
    """Return "1 send" or "3 sends"."""
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def day(ms: int, zone: ZoneInfo) -> str:
    """Return "23 Mar"."""
    at = datetime.fromtimestamp(ms / 1000, tz=zone)
    return f"{at.day} {_MONTHS[at.month - 1]}"


def moment(ms: int, zone: ZoneInfo) -> str:
    """Return "7 Mar 05:55"."""
    return f"{day(ms, zone)} {datetime.fromtimestamp(ms / 1000, tz=zone):%H:%M}"


def since(ms: int, t: int, zone: ZoneInfo) -> str:
    """Return the day, or the minute where it is less than two days before t."""
    return moment(ms, zone) if t - ms < 2 * DAY else day(ms, zone)


def lasting(ms: float) -> str:
    """Return "an hour", "7 hours", "a day", "4 days"."""
    hours = max(1, round(ms / HOUR))
    if hours < 24:
        return "an hour" if hours == 1 else f"{hours} hours"
    days = round(ms / DAY)
    return "a day" if days == 1 else f"{days} days"


def after(ms: float) -> str:
    """Return "within a minute", "after 25 minutes", "after an hour", "after 4 days"."""
    minutes = round(ms / MINUTE)
    if minutes < 60:
        return f"after {plural(minutes, 'minute')}" if minutes else "within a minute"
    return f"after {lasting(ms)}"


def times(value: float) -> str:
    """Return how many times something is: "0.8", "3.4" or "16"."""
    return f"{value:.1f}" if value < 9.95 else f"{round(value):,}"
