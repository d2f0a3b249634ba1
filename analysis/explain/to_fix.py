"""A transition and the shares of its drivers in, the chats to fix out: those that weigh most in what went wrong."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from analysis.explain.asks import ChatStates
from analysis.explain.constants import CONSTANTS, DAY, HOUR, MINUTE
from analysis.explain.effects import top_fingerprint
from analysis.explain.evidence import Case, Figures
from analysis.explain.running import NEVER
from analysis.explain.words import iso

_REASONS = {
    "opt_outs": "messaged after opting out",
    "deliverability": "sends fail",
    "engagement": "does not answer",
    "new_conversations": "opened in the burst, no answer",
    "recipient_spread": "got the burst, no answer",
    "send_pace": "most sends of the burst",
    "repeated_content": "got the repeated text",
}


def chats_to_fix(case: Case, shares: dict[str, float]) -> list[Figures]:
    """Return up to ``explain_chats_to_fix`` chats that weigh most in the named drivers, worst first.

    A chat's weight is the sum over drivers of share × its part of that driver's figures (missing replies, failed sends,
    unanswered openers, sends after an opt-out, sends of the burst), over the 7 days before the transition.
    """
    parts = _parts(case, [driver for driver in _REASONS if shares.get(driver, 0) > 0])
    weights: dict[str, dict[str, float]] = defaultdict(dict)
    for driver, chats in parts.items():
        total = sum(chats.values())
        for chat, part in chats.items():
            if total > 0 and part > 0:
                weights[chat][driver] = shares[driver] * part / total
    order = sorted(weights, key=lambda c: (-sum(weights[c].values()), c))[: case.settings.explain_chats_to_fix]
    return [_chat_row(case, chat, min(weights[chat], key=lambda d: (-weights[chat][d], d))) for chat in order]


def _parts(case: Case, drivers: list[str]) -> dict[str, dict[str, float]]:
    """Return each chat's part of the figures of some drivers."""
    parts: dict[str, dict[str, float]] = {driver: defaultdict(float) for driver in drivers}
    windows = case.effects.windows
    missing, failed = parts.get("engagement"), parts.get("deliverability")
    bursts = [
        (parts[driver], driver == "new_conversations", *windows[driver])
        for driver in ("new_conversations", "recipient_spread", "send_pace")
        if driver in parts and driver in windows
    ]
    for s in case.week.seen:
        if missing is not None:
            # a chat that answered is only to be fixed for what it left unanswered since
            kept = CONSTANTS.answered_weight if s.replied else 1.0
            silent = CONSTANTS.deep_weight if s.deep and not s.replied else 0.0
            missing[s.chat] = kept * missing[s.chat] + (s.expected - s.replied) + silent
        if failed is not None:
            failed[s.chat] += s.undelivered
        for part, opens, a, b in bursts:
            if a < s.first <= b and (s.kind == "new") == opens:
                part[s.chat] += (CONSTANTS.burst_answered if s.replied else 1.0) * s.sends
    if "opt_outs" in parts:
        for row in case.history.rows.after_opt_out:
            if case.t - 7 * DAY < row.at <= case.t:
                parts["opt_outs"][row.chat] += 1
    if "repeated_content" in parts and "repeated_content" in windows:
        top, *_ = top_fingerprint(case.history, *windows["repeated_content"])
        for row in case.history.rows.sends_in(windows["repeated_content"][0], int(windows["repeated_content"][1])):
            parts["repeated_content"][row.chat] += row.fingerprint == top
    return parts


def _chat_row(case: Case, chat: str, driver: str) -> Figures:
    t, since = case.t, case.t - 7 * DAY
    states = case.history.states.get(chat, ChatStates())
    at, out, failed_at, receipt_at = case.history.rows.arrays_of(chat)
    came = at[~out & (at <= t)]
    last_in = int(came[-1]) if len(came) else None
    sends = out & (at > since) & (at <= t)
    unanswered = at[out & (at <= t) & (at > (-NEVER if last_in is None else last_in))]
    breaks = unanswered[1:] - unanswered[:-1] > case.settings.turn_gap_minutes * MINUTE
    turns = int(np.count_nonzero(breaks)) + 1 if len(unanswered) else 0
    failed = int(np.count_nonzero(sends & (failed_at <= t) & (receipt_at > t)))
    since_health = states.since(t)
    return {
        "chat_id": chat,
        "reason": _REASONS[driver],
        "driver": driver,
        "sends": int(np.count_nonzero(sends)),
        "unanswered_turns": turns,
        "silent_hours": round((t - last_in) / HOUR, 1) if last_in is not None else None,
        "chat_health": states.at(t),
        "chat_health_since": iso(since_health) if since_health is not None else None,
        "last_reply_at": iso(last_in) if last_in is not None else None,
        "failed": failed,
        "sends_after_opt_out": sum(r.chat == chat and since < r.at <= t for r in case.history.rows.after_opt_out),
    }
