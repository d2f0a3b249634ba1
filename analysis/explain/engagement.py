"""A line's last week and its usual in, replies missing at usual exposure and follow-ups into silence out."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot, sqrt

import numpy as np

from analysis.explain.amounts import unwelcome
from analysis.explain.baseline import Usual
from analysis.explain.constants import CONSTANTS, DAY, KINDS
from analysis.explain.found import Effects
from analysis.explain.history import LineHistory
from analysis.explain.running import Array
from analysis.explain.scan import DOUBLINGS, Scan, Scanned, doublings
from analysis.explain.window import ANSWER, FOLLOWUP, NEW, TOUCH, Window


def engagement(
    found: Effects,
    w: Window,
    history: LineHistory,
    usual: Usual,
    burst: Array,
    lengths: Sequence[float],
    over_all: Scanned,
    places: tuple[Array, Array],
) -> None:
    """Set engagement: replies missing at usual exposure, and follow-ups into silence beyond usual.

    Asks of a class beyond 1.8 × usual, over the window or over the day of a burst, belong to the burst and not to a
    fall in replies (the rate step of a rate-and-mix split); deep follow-ups count as silence unless from a blast, and
    as many more are usual as the line has grown.

    Args:
        found: effects of volume and of openers; set here.
        w: asks of the week.
        history: the line.
        usual: its usual.
        burst: of ``kept_in_bursts``.
        lengths: days over which replies may be missing.
        over_all: windows that late follow-ups are scanned over.
        places: of the asks in all of these.
    """
    k = CONSTANTS
    found.x["engagement"] = 0.0
    if not usual.own or not len(w):
        return
    a_day = sum(usual.per_day[kind] for kind in ("new", "answer", "touch"))
    replied, variance = w.replied.astype(float), w.expected * (1 - w.expected)
    usable, own, grows = w.measured & ~w.deep, np.where(w.kind == ANSWER, 0.0, 1.0), w.kind != FOLLOWUP
    best = 0.0
    for days in lengths:
        inside = w.first >= found.t - days * DAY
        tells = inside & usable
        of_kind = np.bincount(w.kind[tells], minlength=len(KINDS)).tolist()
        allowed = [
            1.0
            if code == ANSWER
            else min(1.0, k.exposure_allowed * (usual.per_day[kind] * days + k.exposure_slack) / max(of_kind[code], 1))
            for code, kind in enumerate(KINDS)
        ]
        weight = np.where(tells, np.minimum(np.array(allowed)[w.kind], burst), 0.0)
        late = inside & w.late
        grown = int(np.count_nonzero(inside & grows)) / (days * a_day)
        usual_deep = usual.per_day["deep"] * days * min(max(grown, 1.0), k.deep_grown)
        silence = max(0.0, int(np.count_nonzero(late)) - k.deep_allowed * usual_deep - k.deep_slack)
        if silence:
            silence *= unwelcome(w, late, usual) * (usual.days_new >= k.least_usual_days)
        for part, worth, margin in (
            (weight, 1.0, k.reply_margin),
            (own * weight, k.started_worth, k.started_margin),
        ):
            expected, answered = float(part @ w.expected), float(part @ replied)
            bad = expected - answered
            var = float(part @ variance)
            below = bad + k.silence_worth * silence - margin * sqrt(k.reply_spread * var + 1)
            x = worth * below / (expected + k.silence_due * silence + k.engagement_replies)
            if x > best:
                best = x
                whole = expected + k.silence_due * silence + k.engagement_replies
                found.spread["engagement"] = worth * sqrt(k.reply_spread * var + 1) / whole
                found.windows["engagement"] = (found.t - days * DAY, found.t)
                found.nagging = k.silence_worth * silence > bad and answered >= k.nagging_replies * expected
    again = _follow_ups(w, usual, over_all, places) * k.unit_engagement / k.unit_follow_ups
    found.nagging = found.nagging or again > best
    ill = _unhealthy(found, history, usual) * k.unit_engagement / k.unit_unhealthy
    found.x["engagement"], found.but_ill = hypot(best, again, ill), hypot(best, again)
    if ill > max(best, again):
        found.ill, found.nagging = True, False
        found.windows["engagement"] = (found.t - k.unhealthy_days * DAY, found.t)
    if again > best:
        whole = float(np.count_nonzero(w.late))
        found.spread["engagement"] = DOUBLINGS / sqrt(max(whole, 1.0)) * k.unit_engagement / k.unit_follow_ups


def _unhealthy(found: Effects, history: LineHistory, usual: Usual) -> float:
    """Return by which share more of the active chats than usual are AT_RISK or CRITICAL, a lower bound."""
    k, (bad, n) = CONSTANTS, history.unhealthy(found.t)
    if not n:
        return 0.0
    p = usual.unhealthy
    return max(0.0, (bad - p * n - k.rate_margin * sqrt(k.reply_spread * n * p * (1 - p) + 1)) / (n + k.share_prior))


def _follow_ups(w: Window, usual: Usual, over_all: Scanned, places: tuple[Array, Array]) -> float:
    """Return how far late follow-ups into silence are above the line's busy days, in doublings, the less the more of them are answered; as many more are usual as the line has grown."""
    k, late, days = CONSTANTS, w.late, over_all.days
    if usual.days_new < k.least_usual_days or not late.any():
        return 0.0
    of_days = places[0][: len(days)], places[1][: len(days)]
    begun = (w.kind != FOLLOWUP) & ~w.opted_out
    n, came, due, n_begun = Scan(w, late, of_days).over(late, late & w.replied, late * w.share, begun)
    known = sum(usual.per_day[kind] for kind in ("new", "answer", "touch"))
    grown = np.minimum(np.maximum(n_begun / (known + 3), 1.0), k.follow_ups_grow)
    low = n - k.count_margin * np.sqrt(n)
    answered = np.minimum(1.0, came / np.maximum(due, 1.0))
    over = doublings(np.maximum(low, 0), grown * usual.busy["deep"]) * (1 - answered) - k.follow_up_floor
    over *= days.faded
    return max(0.0, float(over.max()))


def kept_in_bursts(found: Effects, w: Window, usual: Usual) -> Array:
    """Return the weight of each ask's missing reply: below 1 within a day of volume or of openers far beyond usual."""
    kinds = {"new_conversations": (NEW,), "recipient_spread": (TOUCH, FOLLOWUP), "send_pace": (TOUCH, FOLLOWUP)}
    weight = np.ones(len(w))
    for driver, codes in kinds.items():
        if driver not in found.windows:
            continue
        a, b = found.windows[driver]
        for code in codes:
            of = (w.kind == code) & (w.first > a) & (w.first <= b)
            allowed = CONSTANTS.exposure_allowed * (
                usual.per_day[KINDS[code]] * (b - a) / DAY + CONSTANTS.exposure_slack
            )
            weight[of] = np.minimum(weight[of], min(1.0, allowed / max(int(of.sum()), 1)))
    return weight
