"""Figures and names in, words out: how the screens write numbers, times, lines, causes and the addresses of changes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from analysis.charts.theme import HEALTH_WORDS, STATUS_WORDS, UNKNOWN_WORD, state_word
from analysis.helped.words import KIND_WORDS
from analysis.schema import SEVERITY, Explanation

THIN, MINUS, DASH = "\u202f", "\u2212", "–"
DRIVER_WORDS = {
    "engagement": "Replies",
    "deliverability": "Delivery",
    "new_conversations": "New conversations",
    "recipient_spread": "Recipient spread",
    "send_pace": "Volume",
    "opt_outs": "Opt-outs",
    "flagged": "Carrier flag",
    "repeated_content": "Repeated content",
    "unexplained": "Unexplained",
}
DRIVER_CODES = {
    "engagement": "EN",
    "deliverability": "DE",
    "new_conversations": "NC",
    "recipient_spread": "RS",
    "send_pace": "SP",
    "opt_outs": "OO",
    "flagged": "FL",
    "repeated_content": "RC",
    "unexplained": "?",
}
FLEET_CLAUSES = {
    "engagement": "Replies fell on {n} of them.",
    "deliverability": "Sends fail on {n} of them.",
    "new_conversations": "Too many new conversations on {n} of them.",
    "recipient_spread": "Too many recipients at once on {n} of them.",
    "send_pace": "Volume jumped on {n} of them.",
    "opt_outs": "People who had opted out were written to on {n} of them.",
    "flagged": "The carrier flagged {n} of them.",
    "repeated_content": "The same text went to many on {n} of them.",
}


def act_words(kind: str, label: str | None) -> str:
    """Return what was done, with the person's own words for it."""
    return KIND_WORDS[kind] + (f": {label}" if label else "")


def count(n: float | int | None) -> str:
    """Return a count with commas, one decimal where a mean below ten has one, a dash where it is unknown."""
    if n is None:
        return DASH
    return f"{n:,.1f}".removesuffix(".0") if abs(n) < 10 and n != int(n) else f"{n:,.0f}".replace("-", MINUS)


def percent(rate: float | None) -> str:
    """Return a share as percent with a thin space that does not break; a decimal below ten."""
    if rate is None:
        return DASH
    value = 100 * rate
    return (f"{value:.1f}".removesuffix(".0") if 0 < value < 9.95 else f"{value:.0f}") + f"{THIN}%"


def plural(n: int, one: str, many: str = "") -> str:
    """Return "1 line" or "3 lines"."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def line_name(line: str) -> str:
    """Return a line as people read it: +1 646 555 0013; other countries' numbers stay as they are."""
    match = re.fullmatch(r"\+1(\d{3})(\d{3})(\d{4})", line)
    return f"+1 {match[1]} {match[2]} {match[3]}" if match else line


def ending(line: str) -> str:
    """Return a line as charts name it: its last four digits."""
    return f"…{line[-4:]}"


def chat_name(chat_id: str) -> str:
    """Return a chat as tables name it: the first 8 of the vendor's id."""
    return chat_id[:8]


def lasting(hours: float) -> str:
    """Return a length of time: 40 min, 13 h, 44 h, 5 days."""
    if hours < 1:
        return f"{max(1, round(hours * 60))} min"
    return f"{round(hours)} h" if hours < 48 else f"{round(hours / 24)} days"


def wall(at: datetime, zone: ZoneInfo) -> datetime:
    """Return a naive UTC instant as wall-clock time of a zone (with that zone)."""
    return at.replace(tzinfo=UTC).astimezone(zone)


def moment(at: datetime, zone: ZoneInfo, *, year: bool = False, weekday: bool = True) -> str:
    """Return "Mon 23 Mar, 11:51 UTC"."""
    local = wall(at, zone)
    day = f"{local.day} {local:%b}" + (f" {local.year}" if year else "")
    return f"{local:%a} {day}, {local:%H:%M} {local:%Z}" if weekday else f"{day} {local:%H:%M}"


def day(at: datetime, zone: ZoneInfo) -> str:
    """Return "23 Mar"."""
    local = wall(at, zone)
    return f"{local.day} {local:%b}"


def instant(text: str) -> datetime:
    """Return the ISO 8601 text of an explanation as a naive UTC instant."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC).replace(tzinfo=None)


def plain_state(state: str | None) -> str:
    """Return "At risk" without its mark."""
    return {**HEALTH_WORDS, **STATUS_WORDS}.get(state or "", UNKNOWN_WORD)


def worsened(e: Explanation) -> bool:
    """Return whether the change was for the worse."""
    return SEVERITY.get(e.new, 0) > SEVERITY.get(e.previous or "", 0)


def line_key(line: str) -> str:
    """Return a line as addresses have it: digits only."""
    return line.lstrip("+")


def by_line(found: Iterable[Explanation]) -> dict[str, list[Explanation]]:
    """Return changes by their line, in the order given."""
    told: dict[str, list[Explanation]] = {}
    for e in found:
        told.setdefault(e.line, []).append(e)
    return told


def change_keys(found: list[Explanation]) -> dict[str, Explanation]:
    """Return one line's changes by the short word that addresses have: 20260328T1929, longer only where two collide."""
    keys: dict[str, Explanation] = {}
    minutes = [_digits(e.at)[:13] for e in found]
    for e, minute in zip(found, minutes, strict=True):
        key = minute if minutes.count(minute) == 1 else _digits(e.at)
        keys[key if key not in keys else f"{key}-{e.kind}"] = e
    return keys


def find_change(found: list[Explanation], asked: str) -> str | None:
    """Return the key of the change that an address asks for, or None; ISO text and the bare day are understood too."""
    keys, wanted = change_keys(found), asked if "-" in asked[13:] else _digits(asked)
    if wanted in keys:
        return wanted
    return next((k for k, e in keys.items() if len(wanted) >= 8 and _digits(e.at).startswith(wanted)), None)


def change_key(e: Explanation, found: list[Explanation]) -> str:
    """Return the key of one change among its line's."""
    return next(key for key, other in change_keys(found).items() if other == e)


def _digits(text: str) -> str:
    return re.sub(r"[^0-9T]", "", text.upper())


def change_label(e: Explanation, zone: ZoneInfo) -> str:
    """Return a change as pickers have it: 28 Mar 19:29  ● Healthy → ▲ At risk."""
    return f"{moment(instant(e.at), zone, weekday=False)}  {state_word(e.previous)} → {state_word(e.new)}"
