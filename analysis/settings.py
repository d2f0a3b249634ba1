"""Every threshold and choice as one frozen record; each field says its default, unit, allowed range, meaning and source."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from analysis.errors import SettingsError


def _s(default: Any, unit: str, low: float | None, high: float | None, help: str, source: str) -> Any:
    """Declare one setting: the only way to add one, so that none is without unit, range, meaning and source."""
    return field(default=default, metadata={"unit": unit, "low": low, "high": high, "help": help, "source": source})


_METHOD = "shared method sheet, section 2 (a starting point, tuned on one simulator)"
_CONTRACT = "definition of the signal"
_OWN_LIVE = "own choice, tried under load (linehealth bench receive)"
_OWN_GAPS = "own choice, checked on simulated traffic (tests/live/test_gaps.py)"


def is_zone(name: str) -> bool:
    """Return whether a word names a time zone that both Python and Polars know."""
    if name.startswith(("right/", "posix")) or name in ("Factory", "localtime"):  # no zones, but files beside them
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _is_day(text: str) -> bool:
    try:
        return 1970 < date.fromisoformat(text).year < 2262
    except ValueError:
        return False


def _hours_of(text: str) -> tuple[int, int] | None:
    """Return the two hours of "22-07"; None where the text is not such."""
    found = re.fullmatch(r"(\d{1,2})-(\d{1,2})", text)
    begin, end = (int(found[1]), int(found[2])) if found else (0, 0)
    return (begin, end) if begin != end and max(begin, end) < 24 else None


@dataclass(frozen=True)
class Settings:
    """All settings in force for one store. Unknown keys and values out of range raise SettingsError."""

    timezone: str = _s(
        "UTC", "IANA zone", None, None, "Zone in which days and hours are cut.", "Linq sandbox resets 00:00 UTC"
    )
    reply_window_hours: float = _s(
        24.0,
        "h",
        1,
        168,
        "An inbound message this soon after a send answers it.",
        "Sendblue and AgentPhone: 24 h reply window; " + _CONTRACT,
    )
    new_chat_grace_hours: float = _s(
        24.0, "h", 0, 720, "A chat created longer than this before its first message is not new.", _CONTRACT
    )
    young_line_days: int = _s(
        7, "days", 0, 60, "History below which chats may only look new and nothing is compared with a usual.", _CONTRACT
    )
    turn_gap_minutes: float = _s(
        5.0, "min", 0.1, 60, "Sends in one chat at most this far apart are one turn.", _CONTRACT
    )
    late_turn: int = _s(
        3,
        "turns",
        2,
        20,
        "From this unanswered turn on, a follow-up counts as unanswered.",
        "Linq help centre: remove after 2-3 unanswered (medium confidence)",
    )
    active_days: int = _s(7, "days", 1, 60, "A chat with a message in this many days is active.", _CONTRACT)
    earliest: str = _s(
        "2000-01-01", "date", None, None, "Times before this day are refused.", "no phone line of this kind is older"
    )
    latest: str = _s(
        "2099-12-31",
        "date",
        None,
        None,
        "Times after this day are refused.",
        "keeps one wrong clock from aging every reply",
    )
    max_line_mb: int = _s(
        8, "MB", 1, 1024, "A longer line of a JSON-lines file is refused.", "a webhook delivery is a few kB"
    )

    ref_reply_floor: float = _s(
        0.15,
        "share of sends",
        0,
        1,
        "Reference line: below it over 7 days sends are delayed.",
        "Linq help centre, line flagging vs. throttling (medium confidence)",
    )
    ref_new_per_day: int = _s(
        50,
        "new conversations a day",
        1,
        100000,
        "Reference line for openers in a day.",
        "Sendblue, Photon, Tuco: 50 a line and day (other vendors; reference only)",
    )
    ref_messages_per_day: int = _s(
        7000,
        "messages a day",
        1,
        1000000,
        "Reference line for total messages in a day.",
        "Linq guide, rate limits (high confidence)",
    )
    ref_unanswered: int = _s(
        5,
        "turns",
        2,
        50,
        "Reference line for unanswered turns in a row in one chat.",
        "messages.dev: at most 5 unanswered per contact; older copy of Sendblue's limits (other vendors; reference only)",
    )

    explain_baseline_days: int = _s(
        28, "days", 7, 180, "Length of the line's own past that a change is compared with.", _METHOD
    )
    explain_baseline_gap_days: int = _s(
        5, "days", 1, 30, "The days before a change that do not count as its usual.", _METHOD
    )
    explain_thin_sends: int = _s(
        30,
        "sends",
        1,
        1000,
        "Fewer sends in the week before a change are too few to explain it.",
        "design sheet, section 6",
    )
    explain_ask_gap_minutes: float = _s(
        10.0, "min", 0.1, 60, "Sends in one chat at most this far apart ask once (explanations only).", _METHOD
    )
    explain_reply_hours: float = _s(
        72.0, "h", 1, 168, "A reply this late still answers an ask (explanations only).", _METHOD
    )
    explain_chats_to_fix: int = _s(
        15, "chats", 1, 100, "At most this many chats are listed to fix.", "Linq reputation audit: at most 15 chats"
    )

    gap_minutes: float = _s(
        30.0,
        "min",
        5,
        1440,
        "Only a longer silence can be a gap in the deliveries.",
        "Linq: a delivery is retried for 30 min",
    )
    gap_false_alarms: float = _s(
        0.1, "a line and year", 0.0001, 100, "A silence that comes by itself more often than this is no gap.", _OWN_GAPS
    )
    gap_least_days: int = _s(7, "days", 1, 365, "Nothing is said of a line known for less than this.", _OWN_GAPS)
    gap_longest_days: int = _s(
        7, "days", 1, 365, "A line silent for longer than this, while others are not, is not in use.", _OWN_GAPS
    )

    gate_new_per_day: int = _s(
        50,
        "new conversations a day",
        0,
        100000,
        "At most this many openers a line and day, whatever its usual.",
        "Sendblue, Photon, Tuco: 50 a line and day (other vendors; Linq publishes none)",
    )
    gate_new_per_hour: int = _s(
        15,
        "new conversations an hour",
        1,
        10000,
        "At most this many openers in any hour.",
        "Sendblue: 15 a line and rolling hour",
    )
    gate_new_gap_minutes: float = _s(
        8.0,
        "min",
        0,
        240,
        "Time to leave between two openers of a line.",
        "Sendblue support: mean gap of at least 8 min",
    )
    gate_growth: float = _s(
        1.5,
        "times its busiest usual day",
        1,
        10,
        "How far a healthy line may go beyond its busiest usual day.",
        "own choice; Linq judges volume against the line's own normal (SDK, volume_spike)",
    )
    gate_start: int = _s(
        10,
        "new conversations a day",
        0,
        1000,
        "What a line may open that has no usual of openers yet, or a tiny one.",
        "own choice: under the 10 that make a burst; vendors ask that new lines ramp up, without a number",
    )
    gate_slow_share: float = _s(
        0.5,
        "share of its usual day",
        0,
        1,
        "What a line at risk may send, to chats that answer.",
        "own choice: half of the usual; Linq help centre: 3 to 7 days of better behaviour",
    )
    gate_risk: float = _s(
        0.15,
        "probability",
        0.01,
        1,
        "From this chance of turning worse within 24 h on, a healthy line goes slow.",
        "own choice: about four times the ordinary day of made-up fleets",
    )
    gate_stale_hours: float = _s(
        24.0,
        "h",
        1,
        720,
        "Data older than this decides nothing: the gate goes slow.",
        "own choice: a day's counts are unknown then",
    )
    alert_from: float = _s(
        0.0,
        "probability",
        0,
        1,
        "Chance of turning worse within 24 h from which to alert; 0: what the own past chose, else gate_risk.",
        "0: chosen on the own past for at most one false alarm a line and month",
    )
    alert_again_hours: float = _s(
        72.0,
        "h",
        1,
        720,
        "A line that stays likely to turn worse for the same reason is told again after this long.",
        "own choice: how far the forecast looks ahead",
    )
    alert_news_hours: float = _s(
        72.0, "h", 1, 720, "Changes older than this are history, not news: no alert.", "own choice: a long weekend"
    )
    alert_quiet: str = _s(
        "",
        "hours, as 22-07",
        None,
        None,
        "Alerts wait until these hours of the store's zone end; a change to CRITICAL or FLAGGED does not. Empty: none.",
        "own choice: none",
    )
    report_days: int = _s(
        7, "days", 1, 366, "Length of a report's period where nothing says when it starts.", "own choice: a week"
    )
    report_small_group: int = _s(
        5,
        "people",
        0,
        1000,
        "In reports, alerts and evidence, counts of fewer people, chats or conversations than this are not told, nor are lists of them. 0: told.",
        "least cell size of many statistical offices",
    )
    report_lines: int = _s(
        20,
        "lines",
        0,
        1000,
        "At most this many lines have a part of their own in a report, the worst first; it says how many are left out.",
        "own choice: some 20 pages",
    )
    alert_recovered: int = _s(0, "0 or 1", 0, 1, "1: also tell when a line is healthy again.", "own choice: off")

    receive_body_kb: int = _s(
        1024,
        "kB",
        16,
        65536,
        "A larger delivery is refused by the receiver.",
        "a webhook delivery is a few kB (SDK models)",
    )
    receive_at_once: int = _s(
        512,
        "deliveries",
        1,
        10000,
        "With so many in work, further deliveries are asked to come again (503).",
        _OWN_LIVE,
    )
    receive_rate: float = _s(
        1000.0,
        "deliveries a second",
        0,
        100000,
        "What one address sends beyond it (after two seconds' worth at once) is asked to come again (503); 0: no limit.",
        "own choice: a third of what two cores keep (linehealth bench receive)",
    )
    receive_time_s: float = _s(
        10.0, "s", 0.5, 60, "A delivery not taken in this time is asked to come again (503).", _OWN_LIVE
    )
    receive_segment_mb: float = _s(16.0, "MB", 0.01, 1024, "Size at which a file of the spool is closed.", _OWN_LIVE)
    receive_fold_s: float = _s(
        10.0, "s", 0.2, 3600, "Time between two moves of received facts into the store.", _OWN_LIVE
    )
    receive_refresh_min: float = _s(
        15.0, "min", 0.05, 1440, "Time between two refreshes of signals and reasons while facts come in.", _OWN_LIVE
    )
    pull_rate: float = _s(
        2.0,
        "calls a second",
        0.01,
        50,
        "How fast `pull` and `audit` may ask the API; $LINEHEALTH_PULL_RATE goes before it.",
        "own choice: Linq publishes no limit for reading (api.md, section 6: at most 2)",
    )
    pull_tries: int = _s(
        8,
        "tries",
        1,
        20,
        "After this many failed tries of one call a pull stops.",
        "own choice: about a minute of back-off",
    )
    pull_wait_minutes: float = _s(
        15.0, "min", 0, 1440, "Asked to wait longer than this, a pull stops and says so.", "own choice"
    )
    observed_minutes: float = _s(
        5.0,
        "min",
        0,
        60,
        "Health seen by a pull this close to a report of a change says nothing: the report knows the time.",
        "own choice: clocks that differ, answers that lag",
    )
    audit_poll_seconds: float = _s(
        10.0,
        "s",
        0.01,
        600,
        "Time between two looks whether an audit is done.",
        "own choice: Linq says every few seconds",
    )
    audit_wait_minutes: float = _s(
        15.0,
        "min",
        0,
        1440,
        "After this long `audit` leaves; the next one goes on with the same audit.",
        "own choice: Linq does not say how long an audit takes",
    )
    audit_after_transition: int = _s(
        0,
        "0 or 1",
        0,
        1,
        "1: the receiver asks for an audit by itself when a line's health gets worse.",
        "own choice: off, since every audit starts a cooldown",
    )

    def __post_init__(self) -> None:
        """Check every value once, and report all that is wrong together."""
        wrong = []
        for f in dataclasses.fields(self):
            value, low, high = getattr(self, f.name), f.metadata["low"], f.metadata["high"]
            if low is not None and not (
                isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
            ):
                wrong.append(f"{f.name} must be a number from {low} to {high} ({f.metadata['unit']})")
        if not is_zone(self.timezone):
            wrong.append("timezone must be an IANA name such as America/New_York")
        for name in ("earliest", "latest"):
            if not _is_day(getattr(self, name)):
                wrong.append(f"{name} must be a day from 1971 to 2261 such as 2026-03-01")
        if self.alert_quiet and not _hours_of(self.alert_quiet):
            wrong.append("alert_quiet must be two different hours from 0 to 23 such as 22-07, or empty")
        if wrong:
            raise SettingsError("; ".join(wrong), where="settings", fix="correct or remove the value")

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which days and hours are cut."""
        return ZoneInfo(self.timezone)

    @property
    def quiet(self) -> tuple[int, int] | None:
        """Hours of the day at which the quiet begins and ends; None where there is none."""
        return _hours_of(self.alert_quiet)
