"""Figures of one driver in, a short line of words with counts out; and the same for what eased in a recovery."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from analysis.explain.constants import CONSTANTS, HOUR
from analysis.explain.evidence import Figures
from analysis.explain.headline import num, opted_out, unhealthy
from analysis.explain.words import count, in_100, lasting, moment, of, percent, plural, since


def rate(part: float, whole: float) -> str:
    """Return " (9 %)", or nothing under 30: too few for a rate."""
    return f" ({percent(part / whole)})" if whole >= CONSTANTS.spoken_rate else ""


def summary_of(driver: str, f: Figures) -> str:
    """Return what a driver shows, e.g. "48 of 506 sends answered (9 %), usually 64 %"."""
    seen, whole = int(num(f, "observed_count")), int(num(f, "observed_of"))
    window = lasting(num(f, "window_hours") * HOUR)
    if driver == "engagement" and "follow_ups" in f:
        return f"{count(seen)} follow-ups into silence in {window}, usually {count(num(f, 'usual'))} a day"
    if driver == "engagement" and "unhealthy_chats" in f:
        return unhealthy(f).rstrip(".")
    if driver == "engagement":
        usual = f"usually {percent(num(f, 'usual'))}"
        if num(f, "ripe") < CONSTANTS.spoken_ripe:
            usual = f"{count(num(f, 'usual_by_now'))} would be usual by now"
        return f"{of(seen, whole, 'sends')} answered{rate(seen, whole)}, {usual}"
    if driver == "deliverability":
        usual = f"usually {percent(num(f, 'usual'))}" if num(f, "usual_of") else "no usual yet"
        parts = []
        if num(f, "failed"):
            parts.append(f"{count(num(f, 'failed'))} failed")
        if num(f, "without_receipt"):
            parts.append(f"{count(num(f, 'without_receipt'))} without a receipt")
        return f"{' and '.join(parts) or 'none failed'} of {count(whole)} sends{rate(seen, whole)}, {usual}"
    if driver == "new_conversations":
        usual = "no usual yet" if f.get("usual") is None else f"usually {count(num(f, 'usual'))}"
        if f.get("first_seen_before") is not None:
            usual = f"{count(num(f, 'first_seen_before'))} at most before"
        back = of(int(num(f, "answered")), int(num(f, "answered_of")), "answered")
        return f"{plural(seen, 'new conversation')} in a day, {usual}; {back}"
    if driver in ("recipient_spread", "send_pace") and f.get("limit") is not None:
        return f"{count(seen)} messages in a day, {count(num(f, 'limit'))} recommended at most"
    if driver in ("recipient_spread", "send_pace"):
        text = f"{plural(seen, 'send')} to {plural(num(f, 'recipients'), 'recipient')} in {window}"
        return f"{text}, usually {plural(num(f, 'usual'), 'send')} to {plural(num(f, 'usual_recipients'), 'recipient')}"
    if driver == "opt_outs":
        return opted_out(f).rstrip(".")
    if driver == "flagged":
        after = of(int(num(f, "failed_after")), int(num(f, "sends_after")), "sends after it failed")
        return (
            f"Flagged {lasting(num(f, 'window_hours') * HOUR)} before the change; {after}"
            if num(f, "sends_after")
            else "Flagged by the carrier"
        )
    return f"The same text in {of(seen, whole, 'sends')}{rate(seen, whole)}, usually {percent(num(f, 'usual'))}"


def eased_text(driver: str, then: Figures, now: Figures, eased_at: int | None, t: int, zone: ZoneInfo) -> str | None:
    """Return what stopped or came back, or None where it was not measured.

    Args:
        driver: the driver that eased.
        then: its figures at the worsening.
        now: its figures since it eased, up to the recovery.
        eased_at: when its excess last showed (ms).
        t: the recovery (ms).
        zone: for dates.
    """
    start = f" since {since(eased_at, t, zone)}" if eased_at is not None else ""
    n, seen = int(num(now, "observed_of")), int(num(now, "observed_count"))
    if driver == "engagement" and "follow_ups" in then:
        return f"follow-ups into silence are down to {count(num(now, 'observed'))} a day from {count(num(then, 'observed'))}"
    if driver == "engagement" and "unhealthy_chats" in then:
        return f"{of(seen, n, 'active chats')} are at risk or critical, {percent(num(then, 'observed'))} before"
    if driver == "engagement":
        if (
            n < CONSTANTS.least_asks_shown
            or now.get("observed") is None
            or num(now, "observed") <= num(then, "observed")
        ):
            return None
        return (
            f"{in_100(num(now, 'observed'))} sends are answered{start}"
            if n >= CONSTANTS.spoken_rate
            else f"{of(seen, n, 'sends')} are answered{start}"
        )
    if driver == "deliverability":
        if n < CONSTANTS.least_asks_shown:
            return None
        if not seen:
            return f"no send has failed{start}"
        return (
            f"{of(seen, n, 'sends')} not delivered{start}, {percent(num(then, 'observed'))} before"
            if n >= CONSTANTS.spoken_rate
            else None
        )
    if driver == "new_conversations":
        opened = plural(num(now, "observed"), "new conversation") if num(now, "observed") else "no new conversation"
        return f"{opened} in the last day, down from {count(num(then, 'observed'))}"
    if driver in ("recipient_spread", "send_pace"):
        return f"{plural(num(now, 'observed'), 'send')} in the last day, {count(num(then, 'observed'))} in {lasting(num(then, 'window_hours') * HOUR)} before"
    if driver == "opt_outs":
        return (
            f"nothing went to people who had opted out{start}"
            if not seen
            else f"{plural(seen, 'send')} to people who had opted out in the last day, {count(num(then, 'observed'))} before"
        )
    if driver == "flagged":
        return "the carrier lifted its flag" + (f" on {moment(eased_at, zone)}" if eased_at is not None else "")
    return f"the repeated text is down to {percent(num(now, 'observed'))} of sends"
