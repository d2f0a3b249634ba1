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
from analysis.explain.scan import DOUBLINGS, Scan, days_of, doublings, ends_of, faded
from analysis.explain.window import ANSWER, FOLLOWUP, NEW, TOUCH, Window


def engagement(found: Effects, w: Window, history: LineHistory, usual: Usual, lengths: Sequence[float]) -> None:
    """Set engagement: replies missing at usual exposure, and follow-ups into silence beyond usual.

    Asks of a class beyond 1.8 × usual, over the window or over the day of a burst, belong to the burst and not to a
    fall in replies (the rate step of a rate-and-mix split); deep follow-ups count as silence unless from a blast, and
    as many more are usual as the line has grown.
    """
    k = CONSTANTS
    found.x["engagement"] = 0.0
    if not usual.own or not len(w):
        return
    burst, begun = kept_in_bursts(found, w, usual), ("new", "answer", "touch")
    best = 0.0
    for days in lengths:
        inside = w.first >= found.t - days * DAY
        tells = inside & w.measured & ~w.deep
        weight = np.where(tells, 1.0, 0.0)
        for code, kind in enumerate(KINDS):
            if code != ANSWER:
                of = tells & (w.kind == code)
                allowed = k.exposure_allowed * (usual.per_day[kind] * days + k.exposure_slack) / max(int(of.sum()), 1)
                weight[of] = min(1.0, allowed)
        weight = np.minimum(weight, np.where(tells, burst, 0.0))
        deep = int((inside & w.deep & ~w.opted_out).sum())
        grown = int((inside & (w.kind != FOLLOWUP)).sum()) / (days * sum(usual.per_day[kind] for kind in begun))
        usual_deep = usual.per_day["deep"] * days * min(max(grown, 1.0), k.deep_grown)
        silence = max(0.0, deep - k.deep_allowed * usual_deep - k.deep_slack) * unwelcome(
            w, inside & w.deep & ~w.opted_out, usual
        )
        silence *= usual.days_new >= k.least_usual_days
        for part, worth, margin in (
            (weight, 1.0, k.reply_margin),
            (np.where(w.kind == ANSWER, 0.0, weight), k.started_worth, k.started_margin),
        ):
            expected, answered = float(part @ w.expected), float(part @ w.replied)
            bad = expected - answered
            var = float(part @ (w.expected * (1 - w.expected)))
            below = bad + k.silence_worth * silence - margin * sqrt(k.reply_spread * var + 1)
            x = worth * below / (expected + k.silence_due * silence + k.engagement_replies)
            if x > best:
                best = x
                whole = expected + k.silence_due * silence + k.engagement_replies
                found.spread["engagement"] = worth * sqrt(k.reply_spread * var + 1) / whole
                found.windows["engagement"] = (found.t - days * DAY, found.t)
                found.nagging = k.silence_worth * silence > bad and answered >= k.nagging_replies * expected
    ends = ends_of(found.t) if len(lengths) > 1 else [found.t]
    again = _follow_ups(found, w, usual, ends) * k.unit_engagement / k.unit_follow_ups
    found.nagging = found.nagging or again > best
    ill = _unhealthy(found, history, usual) * k.unit_engagement / k.unit_unhealthy
    found.x["engagement"], found.but_ill = hypot(best, again, ill), hypot(best, again)
    if ill > max(best, again):
        found.ill, found.nagging = True, False
        found.windows["engagement"] = (found.t - k.unhealthy_days * DAY, found.t)
    if again > best:
        late = float((w.deep & ~w.opted_out).sum())
        found.spread["engagement"] = DOUBLINGS / sqrt(max(late, 1.0)) * k.unit_engagement / k.unit_follow_ups


def _unhealthy(found: Effects, history: LineHistory, usual: Usual) -> float:
    """Return by which share more of the active chats than usual are AT_RISK or CRITICAL, a lower bound."""
    k, (bad, n) = CONSTANTS, history.unhealthy(found.t)
    if not n:
        return 0.0
    p = usual.unhealthy
    return max(0.0, (bad - p * n - k.rate_margin * sqrt(k.reply_spread * n * p * (1 - p) + 1)) / (n + k.share_prior))


def _follow_ups(found: Effects, w: Window, usual: Usual, ends: Sequence[float]) -> float:
    """Return how far late follow-ups into silence are above the line's busy days, in doublings, the less the more of them are answered; as many more are usual as the line has grown."""
    k = CONSTANTS
    deep = w.of(w.deep & ~w.opted_out)
    if not len(deep) or usual.days_new < k.least_usual_days:
        return 0.0
    scan = Scan(deep, np.ones(len(deep)), days_of(ends))
    begun = w.of((w.kind != FOLLOWUP) & ~w.opted_out)
    known = sum(usual.per_day[kind] for kind in ("new", "answer", "touch"))
    grown = np.clip(Scan(begun, np.ones(len(begun)), days_of(ends)).n / (known + 3), 1.0, k.follow_ups_grow)
    low = scan.n - k.count_margin * np.sqrt(scan.n)
    over = (
        doublings(np.maximum(low, 0), grown * usual.busy["deep"]) * (1 - np.minimum(1.0, scan.rate)) - k.follow_up_floor
    )
    over *= faded(found.t, np.asarray(ends, dtype=float))
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
