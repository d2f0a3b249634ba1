"""A worsening's playbook and the messages since in, what has been done of it out: steps tick off when the data shows it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from analysis.explain.constants import CONSTANTS, DAY, KINDS, MINUTE
from analysis.explain.histories import histories
from analysis.explain.history import LineHistory
from analysis.explain.words import count, lasting, milliseconds, plural
from analysis.schema import Explanation
from analysis.settings import Settings

_NEW, _ANSWER = KINDS.index("new"), KINDS.index("answer")


def progress_of(
    e: Explanation,
    messages: pl.DataFrame,
    chats: pl.DataFrame,
    chat_health: pl.DataFrame,
    *,
    since: datetime,
    until: datetime,
    settings: Settings,
) -> list[dict[str, Any]]:
    """Return the steps of a worsening with what the time after it shows of each.

    Args:
        e: the worsening.
        messages: MESSAGES of its line, up to ``until``.
        chats: CHATS.
        chat_health: CHAT_HEALTH.
        since: the worsening.
        until: the end of what is looked at.
        settings: the ask gap, late turn and reply window.

    Returns:
        each action that data can show, with ``done`` (null: not enough data, or too early) and ``since``, its figures.
    """
    known = histories(messages, chats, chat_health, settings)
    return progress_in(e, next(iter(known.values()), None), since=since, until=until, settings=settings)


def progress_in(
    e: Explanation, history: LineHistory | None, *, since: datetime, until: datetime, settings: Settings
) -> list[dict[str, Any]]:
    """Return the same from the line's history, which may reach beyond ``until``; None where it has no message."""
    start, end = milliseconds(since), milliseconds(until)
    days, steps = (end - start) / DAY, [a for a in e.actions if str(a.get("driver", "")) in _RULES]
    if history is None or days < CONSTANTS.progress_days:
        return [a | {"done": None, "since": "Too early to say."} for a in steps]
    seen = _Since(history, start, end, settings)
    return [a | dict(zip(("done", "since"), _judged(a, seen), strict=True)) for a in steps]


class _Since:
    """The asks of one line after a worsening, and how long that has been."""

    def __init__(self, history: LineHistory, start: int, end: int, settings: Settings) -> None:
        self.history, self.start, self.end, self.settings = history, start, end, settings
        self.mask = (history.first > start) & (history.first <= end)
        self.lately = history.first > max(start, end - DAY)  # the last day of it
        self.words = f"in the {lasting(end - start)} since"


def _judged(action: dict[str, Any], seen: _Since) -> tuple[bool | None, str]:
    return _RULES[str(action["driver"])](action, seen)


def _engagement(action: dict[str, Any], seen: _Since) -> tuple[bool | None, str]:
    h, turns = seen.history, seen.settings.late_turn
    late = (h.streak >= turns - 1) & (h.kind != _ANSWER)
    n = int((seen.mask & seen.lately & late).sum())
    if "share_after" in action:
        begun = (h.kind != _NEW) & (h.kind != _ANSWER) & seen.mask & seen.lately
        whole = int(begun.sum())
        cold = int((begun & (h.streak >= CONSTANTS.deep_streak)).sum())
        if whole < CONSTANTS.least_asks_shown:
            return None, f"Only {plural(whole, 'send')} of its own in the last day."
        return cold / whole <= float(
            action["share_before"]
        ) * CONSTANTS.done_slack, f"{count(cold)} of {count(whole)} own sends in the last day went to such chats."
    if "unhealthy_chats" in action:
        lately = np.flatnonzero(seen.mask & seen.lately & (h.kind != _ANSWER))
        ill = sum(h.health_at(int(i)) in ("AT_RISK", "CRITICAL") for i in lately)
        return ill == 0, f"{plural(ill, 'send')} in the last day to chats at risk or critical that had not written."
    if "missing" in action:
        again = int((seen.mask & seen.lately & (h.streak >= 1) & (h.kind != _ANSWER)).sum())
        return (
            None if again else True,
            f"{plural(again, 'send')} in the last day to chats that had not answered the last one.",
        )
    return n == 0, f"{plural(n, 'follow-up')} after {turns - 1} unanswered in the last day."


def _deliverability(action: dict[str, Any], seen: _Since) -> tuple[bool | None, str]:
    h = seen.history
    of = seen.mask & seen.lately
    got = (h.receipt_at <= seen.end) | (h.reply_at <= seen.end)
    known = h.receipt[h.first <= seen.start]
    told = len(known) > 0 and known.mean() >= CONSTANTS.receipt_share  # receipts were usual: silence tells too
    late = h.last <= seen.end - CONSTANTS.receipt_minutes * MINUTE
    whole, bad = int(of.sum()), int((of & ~got & ((h.failed_at <= seen.end) | (told & late))).sum())
    if whole < CONSTANTS.least_asks_shown:
        return None, f"Only {plural(whole, 'send')} in the last day."
    text = f"{count(bad)} of {count(whole)} sends failed or got no receipt in the last day."
    return bad <= max(1, CONSTANTS.done_failed * whole), text


def _new(action: dict[str, Any], seen: _Since) -> tuple[bool | None, str]:
    opened = int((seen.mask & seen.lately & (seen.history.kind == _NEW)).sum())
    return opened <= int(action.get("a_day", 0)), f"{plural(opened, 'new conversation')} in the last day."


def _volume(action: dict[str, Any], seen: _Since) -> tuple[bool | None, str]:
    h, of = seen.history, seen.mask & seen.lately
    if "to_one_chat" in action and "a_day" not in action:
        longest = int(h.sends[of].max()) if of.any() else 0
        return (
            longest < CONSTANTS.loop_sends * 5,
            f"The longest run of sends to one chat in the last day has {count(longest)}.",
        )
    limit = float(action.get("a_day", 0))
    if action.get("driver") == "recipient_spread":  # counted as its usual is
        people = len(np.unique(h.chat[of & (h.kind != _NEW) & ~h.deep]))
        return people <= CONSTANTS.done_slack * limit, f"{plural(people, 'recipient')} in known chats in the last day."
    if "to_one_chat" not in action:  # the published limit, on all messages
        total = h.totals.count([(max(seen.start, seen.end - DAY) + 1, seen.end + 1)])
        return total < limit, f"{plural(total, 'message')} in the last day."
    sends = int(h.sends[of & h.volume].sum())
    text = f"{plural(sends, 'send')} in the last day, new conversations and follow-ups apart."
    return sends <= CONSTANTS.done_slack * limit, text


def _opt_outs(action: dict[str, Any], seen: _Since) -> tuple[bool | None, str]:
    h = seen.history
    n = int((seen.mask & h.opted_out).sum())
    return n == 0, f"{plural(n, 'send')} to people who had opted out, {seen.words}."


_RULES: dict[str, Callable[[dict[str, Any], _Since], tuple[bool | None, str]]] = {
    "engagement": _engagement,
    "deliverability": _deliverability,
    "new_conversations": _new,
    "recipient_spread": _volume,
    "send_pace": _volume,
    "opt_outs": _opt_outs,
}
