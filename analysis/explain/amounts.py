"""A line's last week and its usual in, out: how much went wrong lately by each driver, in usual days of the line."""

from __future__ import annotations

import numpy as np

from analysis.explain.baseline import Usual
from analysis.explain.constants import CONSTANTS, DAY, KINDS
from analysis.explain.history import LineHistory
from analysis.explain.running import Array
from analysis.explain.scan import discounted
from analysis.explain.window import FOLLOWUP, NEW, Window


def amounts_of(w: Window, history: LineHistory, usual: Usual, kept: Array) -> dict[str, float]:
    """Return per driver how much there is of it beyond the usual, lower bounds, in usual days of the line.

    An effect says how far something is out of the usual at its worst; an amount says how much of it there was, recent
    hours counting most (half as much every ``amount_half_days``): a vendor that remembers sums up.

    Args:
        w: asks of the week up to a time.
        history: the line.
        usual: its usual then.
        kept: weight of each ask's missing reply, below 1 in a burst (its exposure).

    Returns:
        engagement: missing replies over the usual replies of a day, and half of the late follow-ups into silence over the usual asks of a day;
        deliverability: failed asks; new_conversations: openers, recipient_spread: asks, send_pace: sends, the more so the fewer
        answer, over the usual asks of a day; opt_outs: sends after opt-outs over the root of it (they weigh on any line).
    """
    k, t = CONSTANTS, w.t
    recent = 0.5 ** ((t - w.first) / (k.amount_half_days * DAY))
    hours = np.arange(0, 7, 1 / 24)
    week = float((0.5 ** (hours / k.amount_half_days)).sum()) / 24  # days that the faded week counts for
    asks, replies = (
        sum(usual.per_day[kind] for kind in KINDS) + 2,
        sum(usual.per_day[kind] * usual.reply[kind] for kind in KINDS) + 1,
    )
    part = np.where(w.measured & ~w.deep, kept, 0.0) * recent
    var = k.reply_spread * float(part**2 @ (w.expected * (1 - w.expected))) + 0.3
    missing = max(0.0, float(part @ (w.expected - w.replied)) - var**0.5)
    silent = _silent(w, recent, usual.per_day["deep"] * week, usual)
    failed = float(recent[w.undelivered & w.judged].sum())
    failed = max(0.0, failed - usual.failed * float(recent[w.judged].sum()) - max(failed, 0.5) ** 0.5)
    opened = _beyond(recent[w.kind == NEW], k.amount_new * usual.per_day["new"] * week)
    known = (w.kind != NEW) & (w.kind != FOLLOWUP) & ~w.opted_out
    usually = (usual.per_day["answer"] + usual.per_day["touch"]) * week
    asked = _beyond(recent[known], k.amount_asks * usually)
    loops = (known | (w.sends >= k.loop_sends)) & ~w.opted_out
    sent = _beyond((recent * w.sends)[loops], k.amount_sends * usual.sends_per_day * week, spread=k.message_spread)
    unheard = float(discounted(_heard(w, known, recent), k.amount_discount))
    unmet = float(discounted(_heard(w, w.kind == NEW, recent), k.amount_new_discount))
    gone = history.out_at[(history.out_at > t - 7 * DAY) & (history.out_at <= t)]
    left = history.left_at[(history.left_at > t - 7 * DAY) & (history.left_at <= t)]

    def faded(at: Array) -> float:
        return float((0.5 ** ((t - at) / (k.amount_half_days * DAY))).sum())

    wave = max(0.0, faded(left) - usual.opt_outs_per_day * week - 1)
    return {
        "engagement": missing / replies + k.silence_due * silent / asks,
        "deliverability": failed / asks,
        "new_conversations": unmet * opened / asks,
        "recipient_spread": unheard * asked / asks,
        "send_pace": unheard * sent / asks,
        "opt_outs": (faded(gone) + k.wave_weight * wave) / asks**0.5,
    }


def _beyond(weights: Array, usual: float, spread: float = 1.0) -> float:
    """Return how much a faded count is beyond a usual one, lowered by its chance."""
    total = float(weights.sum())
    return max(0.0, total - usual - CONSTANTS.count_margin * (spread * total) ** 0.5)


def _heard(w: Window, mask: Array, recent: Array) -> float:
    """Return the answered part of the replies expected by now, drawn to 1 by one reply."""
    return (float((recent * w.replied)[mask].sum()) + 1) / (float((recent * w.expected)[mask].sum()) + 1)


def _silent(w: Window, recent: Array, usually: float, usual: Usual) -> float:
    """Return the late follow-ups beyond usual that nobody answers, recent ones counting most."""
    if usual.days_new < CONSTANTS.least_usual_days:
        return 0.0
    deep = w.deep & ~w.opted_out
    return max(0.0, float(recent[deep].sum()) - CONSTANTS.deep_allowed * usually - CONSTANTS.deep_slack) * unwelcome(
        w, deep, usual
    )


def unwelcome(w: Window, deep: Array, usual: Usual) -> float:
    """Return which part of late follow-ups is unwelcome: all where none is answered, none where they are answered as follow-ups usually are."""
    hoped = usual.reply["followup"] * float(w.share[deep & w.measured].sum())
    came = float(w.replied[deep].sum())
    low, high = CONSTANTS.nagging_welcome
    return min(max((high - (came + 0.5) / (hoped + 1)) / (high - low), 0.0), 1.0)
