"""A line's last week and its usual in, out: how much went wrong lately by each driver, in usual days of the line."""

from __future__ import annotations

from functools import cache

import numpy as np

from analysis.explain.baseline import Usual
from analysis.explain.constants import CONSTANTS, DAY, KINDS
from analysis.explain.history import LineHistory
from analysis.explain.running import Array
from analysis.explain.scan import discounted
from analysis.explain.window import NEW, Window


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
    recent, week = 0.5 ** ((t - w.first) / (k.amount_half_days * DAY)), _faded_week()
    asks, replies = (
        sum(usual.per_day[kind] for kind in KINDS) + 2,
        sum(usual.per_day[kind] * usual.reply[kind] for kind in KINDS) + 1,
    )
    part = np.where(w.measured & ~w.deep, kept, 0.0) * recent
    var = k.reply_spread * float(part**2 @ (w.expected * (1 - w.expected))) + 0.3
    missing = max(0.0, float(part @ (w.expected - w.replied)) - var**0.5)
    silent = _silent(w, recent, usual.per_day["deep"] * week, usual)
    failed = float(recent[w.undelivered & w.judged].sum())
    if failed:
        failed = max(0.0, failed - usual.failed * float(recent[w.judged].sum()) - max(failed, 0.5) ** 0.5)
    new, known, loops = ((w.kind == NEW).nonzero()[0], w.begun.nonzero()[0], w.volume.nonzero()[0])
    opened = _beyond(recent[new], k.amount_new * usual.per_day["new"] * week)
    usually = (usual.per_day["answer"] + usual.per_day["touch"]) * week
    asked = _beyond(recent[known], k.amount_asks * usually)
    sent = _beyond(recent[loops] * w.sends[loops], k.amount_sends * usual.sends_per_day * week, spread=k.message_spread)
    unheard = float(discounted(_heard(w, known, recent), k.amount_discount))
    unmet = float(discounted(_heard(w, new, recent), k.amount_new_discount))

    def faded(at: Array) -> float:
        """Return how many of the last week some times (in order) are, recent ones counting most."""
        low, high = at.searchsorted((t - 7 * DAY, t), side="right").tolist()
        return float((0.5 ** ((t - at[low:high]) / (k.amount_half_days * DAY))).sum()) if low < high else 0.0

    wave = max(0.0, faded(history.left_at) - usual.opt_outs_per_day * week - 1)
    return {
        "engagement": missing / replies + k.silence_due * silent / asks,
        "deliverability": failed / asks,
        "new_conversations": unmet * opened / asks,
        "recipient_spread": unheard * asked / asks,
        "send_pace": unheard * sent / asks,
        "opt_outs": (faded(history.out_at) + k.wave_weight * wave) / asks**0.5,
    }


@cache
def _faded_week() -> float:
    """Return the days that a week counts for, recent ones counting most."""
    hours = np.arange(0, 7, 1 / 24)
    return float((0.5 ** (hours / CONSTANTS.amount_half_days)).sum()) / 24


def _beyond(weights: Array, usual: float, spread: float = 1.0) -> float:
    """Return how much a faded count is beyond a usual one, lowered by its chance."""
    total = float(weights.sum())
    return max(0.0, total - usual - CONSTANTS.count_margin * (spread * total) ** 0.5)


def _heard(w: Window, rows: Array, recent: Array) -> float:
    """Return the answered part of the replies expected by now to some asks, drawn to 1 by one reply."""
    of = recent[rows]
    return (float((of * w.replied[rows]).sum()) + 1) / (float((of * w.expected[rows]).sum()) + 1)


def _silent(w: Window, recent: Array, usually: float, usual: Usual) -> float:
    """Return the late follow-ups beyond usual that nobody answers, recent ones counting most."""
    if usual.days_new < CONSTANTS.least_usual_days:
        return 0.0
    deep = float(recent[w.late].sum()) - CONSTANTS.deep_allowed * usually - CONSTANTS.deep_slack
    return deep * unwelcome(w, w.late, usual) if deep > 0 else 0.0


def unwelcome(w: Window, deep: Array, usual: Usual) -> float:
    """Return which part of late follow-ups is unwelcome: all where none is answered, none where they are answered as follow-ups usually are."""
    hoped = usual.reply["followup"] * float(w.share[deep & w.measured].sum())
    came = float(w.replied[deep].sum())
    low, high = CONSTANTS.nagging_welcome
    return min(max((high - (came + 0.5) / (hoped + 1)) / (high - low), 0.0), 1.0)
