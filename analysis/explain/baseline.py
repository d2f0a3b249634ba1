"""Line histories in, what is usual out: the line's own quiet past shrunk to the fleet's, and the fleet's reply-delay curve."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from itertools import accumulate

from analysis.explain.constants import CONSTANTS, DAY, HOUR, KINDS, MINUTE
from analysis.explain.history import LineHistory, Span, Troubles
from analysis.settings import Settings

_EDGES = [m * MINUTE for m in (1, 2, 5, 10, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 960, 1200, 1440)]
_EDGES += [h * HOUR for h in (30, 36, 48, 60, 72, 96, 120, 168)]
_PUBLISHED = ((0.0, 0.0), (1.0, 0.59), (6.0, 0.74), (24.0, 0.89), (72.0, 0.96), (168.0, 1.0))
"""Share of replies within so many hours (CollegeMsg, method sheet 2.3): the curve before the fleet has shown its own."""
_RATE_DEFAULT = {"new": 0.3, "answer": 0.5, "followup": 0.2, "touch": 0.3}
"""Reply rates per class before the fleet has shown any; weighs 20 asks (reply_prior)."""


def _interpolate(points: list[tuple[float, float]], x: float) -> float:
    """Return the value at x on straight lines between points, level outside them."""
    if x <= points[0][0]:
        return points[0][1]
    i = bisect_right(points, (x, float("inf")))
    if i == len(points):
        return points[-1][1]
    (x0, y0), (x1, y1) = points[i - 1], points[i]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)


class ReplyCurve:
    """Share of replies that have come within a delay, given that one comes within the reply window."""

    def __init__(self, counts: list[float], window: float) -> None:
        prior = [(h * HOUR, share) for h, share in _PUBLISHED]
        whole = _interpolate(prior, window)
        edges = [e for e in _EDGES if e < window] + [window]
        weight = CONSTANTS.curve_prior
        shares = [_interpolate(prior, e) / whole * weight for e in edges]
        seen = [*accumulate(counts)]
        total = seen[-1] if seen else 0.0
        counted = [seen[min(i, len(seen) - 1)] if seen else 0.0 for i in range(len(edges) - 1)] + [total]
        self._window = window
        self._points = [(0.0, 0.0)] + [
            (e, (a + b) / (weight + total)) for e, a, b in zip(edges, shares, counted, strict=True)
        ]

    def share(self, delay: float) -> float:
        """Return the share of replies within a delay (ms)."""
        return 0.0 if delay <= 0 else 1.0 if delay >= self._window else _interpolate(self._points, delay)


@dataclass(frozen=True)
class FleetRates:
    """The fleet's pooled rates as known on one day."""

    reply: dict[str, float]
    failed: float
    silent: dict[str, float]
    receipts: dict[str, bool]
    curve: ReplyCurve


class Fleet:
    """Pooled rates of all lines outside their unhealthy spells, by day: at t only asks whose reply window has passed."""

    def __init__(self, histories: dict[str, LineHistory], troubles: dict[str, Troubles], settings: Settings) -> None:
        self._window = settings.explain_reply_hours * HOUR
        self._lag = int(self._window // DAY) + 2
        self._days: dict[int, dict[tuple[str, str], float]] = defaultdict(lambda: defaultdict(float))
        self._delays: dict[int, list[float]] = defaultdict(lambda: [0.0] * len(_EDGES))
        for line, history in histories.items():
            spans = troubles[line].usual_spans(history.first_at, float("inf"), float("inf"))
            for ask in history.asks:
                if ask.opted_out or not any(a <= ask.first < b for a, b in spans):
                    continue
                day, service = self._days[ask.first // DAY], ask.sends[0].service
                replied = ask.reply_at is not None
                day["asks", ""] += 1
                day["failed", ""] += ask.dead
                day["sent", service] += 1
                day["receipt", service] += ask.receipt
                day["silent", service] += not (ask.receipt or ask.dead or replied)
                if not ask.dead and not ask.deep:
                    day["measured", ask.kind] += 1
                    day["replied", ask.kind] += replied
                if ask.reply_at is not None:
                    i = bisect_right(_EDGES, ask.reply_at - ask.times[-1] - 1)
                    if i < len(_EDGES):
                        self._delays[ask.first // DAY][i] += 1
        self._known: dict[int, FleetRates] = {}
        self._steps = sorted(self._days)

    def at(self, t: int) -> FleetRates:
        """Return the pooled rates from asks older than the reply window at t."""
        until = t // DAY - self._lag
        steps = bisect_right(self._steps, until)
        if steps not in self._known:
            self._known[steps] = self._rates(self._steps[:steps])
        return self._known[steps]

    def _rates(self, days: list[int]) -> FleetRates:
        sums: dict[tuple[str, str], float] = defaultdict(float)
        delays = [0.0] * len(_EDGES)
        for day in days:
            for key, value in self._days[day].items():
                sums[key] += value
            if day in self._delays:
                delays = [a + b for a, b in zip(delays, self._delays[day], strict=True)]
        k = CONSTANTS
        reply = {
            kind: (sums["replied", kind] + k.reply_prior * _RATE_DEFAULT[kind])
            / (sums["measured", kind] + k.reply_prior)
            for kind in KINDS
        }
        failed = (sums["failed", ""] + k.fail_prior * k.fail_default) / (sums["asks", ""] + k.fail_prior)
        silent, receipts = {}, {}
        for what, service in list(sums):
            if what == "sent":
                n = sums["sent", service]
                receipts[service] = n >= k.receipt_sends and sums["receipt", service] >= k.receipt_share * n
                silent[service] = (sums["silent", service] + k.fail_prior * k.fail_default) / (n + k.fail_prior)
        return FleetRates(reply, failed, silent, receipts, ReplyCurve(delays, self._window))


@dataclass(frozen=True)
class Usual:
    """What is usual for one line at one time; ``own`` is false where the line has no usual of its own."""

    own: bool
    days: float
    asks: int
    spans: list[Span]
    reply: dict[str, float]
    per_day: dict[str, float]
    sends_per_day: float
    recipients_per_day: float
    total_per_day: float
    opt_outs_per_day: float
    failed: float
    failed_count: int
    failed_of: int
    receipts: dict[str, bool]
    curve: ReplyCurve
    young: bool

    def receipts_usual(self, service: str) -> bool:
        """Say whether a send on this service usually gets a receipt."""
        return self.receipts.get(service, False)


def usual_of(history: LineHistory, troubles: Troubles, fleet: Fleet, t: int, settings: Settings) -> Usual:
    """Return what is usual for a line at t, from its own quiet past and the fleet's rates.

    Args:
        history: the line.
        troubles: its unhealthy times, which are left out, with the day before each.
        fleet: pooled rates that the line's own are shrunk to.
        t: ms; nothing later is used.
        settings: length of the past, gap before t, age below which a line has no usual.

    Returns:
        Usual from [t - 33 d, t - 5 d); for a line younger than 12 days from the first 60 % of its life; without a
        usual of its own under 7 days of history or under 2 quiet days. Source: method sheet, 2.4.
    """
    k, pooled = CONSTANTS, fleet.at(t)
    gap = settings.explain_baseline_gap_days * DAY
    start = max(float(history.first_at), t - gap - settings.explain_baseline_days * DAY)
    end, life = float(t - gap), t - history.first_at
    young = life < settings.young_line_days * DAY
    if life < k.short_life_days * DAY:
        end = history.first_at + k.short_life_share * life
    end = min(end, t - settings.explain_reply_hours * HOUR)
    spans = [] if young else troubles.usual_spans(start, end, t)
    days = sum(b - a for a, b in spans) / DAY
    asks = sum(history.counts[kind].count(spans) for kind in (*KINDS, "deep"))
    own = days >= k.least_usual_days and asks >= k.least_usual_asks
    if not own:
        spans, days, asks = [], 0.0, 0
    reply = {
        kind: (history.measured[kind].total(spans) + k.reply_prior * pooled.reply[kind])
        / (history.measured[kind].count(spans) + k.reply_prior)
        for kind in KINDS
    }
    receipts = dict(pooled.receipts)
    for service, running in history.services.items():
        n = running.count(spans)
        if n >= k.receipt_sends:
            receipts[service] = running.total(spans) >= k.receipt_share * n
    failed = of = 0.0
    for service, kinds in history.outcomes.items():
        of += kinds["failed"].count(spans)
        failed += kinds["failed"].total(spans)
        if receipts.get(service, False):
            failed += kinds["silent"].total(spans)
    fleet_failed = pooled.failed + max(
        (pooled.silent.get(s, 0.0) for s in history.services if receipts.get(s, False)), default=0.0
    )
    optouts = sum(bisect_right(history.opt_outs, b) - bisect_right(history.opt_outs, a) for a, b in spans)
    return Usual(
        own=own,
        days=days,
        asks=asks,
        spans=spans,
        reply=reply,
        per_day={
            kind: (history.counts[kind].count(spans) + 0.5) / (days + 0.5) for kind in (*KINDS, "deep", "recipients")
        },
        sends_per_day=(history.messages.total(spans) + 0.5) / (days + 0.5),
        recipients_per_day=(history.counts["recipients"].count(spans) + 0.5) / (days + 0.5),
        total_per_day=history.totals.count(spans) / days if days else 0.0,
        opt_outs_per_day=optouts / days if days else 0.0,
        failed=(failed + k.fail_prior * fleet_failed) / (of + k.fail_prior),
        failed_count=int(failed),
        failed_of=int(of),
        receipts=receipts,
        curve=pooled.curve,
        young=young,
    )
