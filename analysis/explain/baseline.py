"""Line histories in, what is usual out: the line's own quiet past shrunk to the fleet's, and the fleet's reply-delay curve."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from analysis.explain.constants import CONSTANTS, DAY, HOUR, KINDS, MINUTE
from analysis.explain.history import LineHistory
from analysis.explain.running import Array, Span
from analysis.explain.troubles import Troubles
from analysis.settings import Settings

EDGES = [m * MINUTE for m in (1, 2, 5, 10, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 960, 1200, 1440)]
EDGES += [h * HOUR for h in (30, 36, 48, 60, 72, 96, 120, 168)]
"""Delays (ms) up to which replies are counted."""
FIXED = 2 * len(KINDS) + 2
"""Columns of ``FleetSums.counts`` that are there whatever the services."""
_REPLY_DEFAULTS = np.array(CONSTANTS.reply_default)


def _interpolate(points: list[tuple[float, float]], x: float) -> float:
    """Return the value at x on straight lines between points, level outside them."""
    if x <= points[0][0]:
        return points[0][1]
    i = bisect_right(points, (x, float("inf")))
    if i == len(points):
        return points[-1][1]
    (x0, y0), (x1, y1) = points[i - 1], points[i]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)


def stepped(values: Array, step: float) -> Array:
    """Return values at the nearest multiple of a step: what many lines rest on, and one message hardly moves, then stays as it is."""
    return np.round(np.round(values / step) * step, 6)


class ReplyCurve:
    """Share of replies that have come within a delay, given that one comes within the reply window."""

    def __init__(self, counts: Array, window: float) -> None:
        prior = [(h * HOUR, share) for h, share in CONSTANTS.reply_delays]
        whole = _interpolate(prior, window)
        edges = [e for e in EDGES if e < window]
        weight, total = CONSTANTS.curve_prior, float(counts.sum())
        seen = np.cumsum(counts)[: len(edges)]
        shares = np.array([_interpolate(prior, e) / whole for e in edges]) * weight
        self._delays = np.array([0.0, *edges, window])
        self._shares = np.concatenate(
            ([0.0], stepped((shares + seen) / (weight + total), CONSTANTS.pooled_step), [1.0])
        )

    @property
    def key(self) -> tuple[float, ...]:
        """What two curves have in common that give the same shares."""
        return tuple(self._shares.tolist())

    def shares(self, delays: Array) -> Array:
        """Return the share of replies within each delay (ms)."""
        return np.interp(delays, self._delays, self._shares)

    def share(self, delay: float) -> float:
        """Return the share of replies within a delay (ms)."""
        return float(np.interp(delay, self._delays, self._shares))


def _grown(counts: Array, growth: float) -> list[int]:
    """Return for 0, 1, … days how many of them are told of, where counts (a running sum by day) are looked at only once they have grown enough."""
    told, last = [0], 0.0
    for days, count in enumerate(counts.tolist(), start=1):
        grown = count > 0 and count >= (1 + growth) * last
        told.append(days if grown else told[-1])
        last = count if grown else last
    return told


@dataclass(frozen=True)
class FleetRates:
    """The fleet's pooled rates as known on one day."""

    reply: dict[str, float]
    failed: float
    silent: dict[str, float]
    """By service, of those that have been used often enough by then."""
    receipts: dict[str, bool]
    curve: ReplyCurve

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """What two days have in common whose rates are the same."""
        told = (tuple(sorted(of.items())) for of in (self.reply, self.silent, self.receipts))
        return (*told, self.failed, self.curve.key)


@dataclass(frozen=True)
class FleetSums:
    """What pooled rates rest on, by day: whole numbers, so that those of parts of a fleet add up exactly."""

    first: int
    """Day of the first row, days since 1970."""
    services: list[str]
    counts: Array
    """A row a day: asks that tell and replies by kind, asks, failed, then by service asks, receipts, silent asks."""
    delays: Array
    """A row a day: replies by delay."""


def added(parts: Sequence[FleetSums]) -> FleetSums:
    """Return the sums of all parts together; a service that one of them has, all have."""
    services = sorted({service for part in parts for service in part.services})
    told = [part for part in parts if part.counts.any()]
    first = min((part.first for part in told), default=0)
    days = max((part.first + len(part.counts) for part in told), default=first + 1) - first
    base, wide = FIXED, len(services)
    counts, delays = np.zeros((days, base + 3 * wide)), np.zeros((days, len(EDGES)))
    for part in told:
        here = slice(part.first - first, part.first - first + len(part.counts))
        place = np.array([services.index(service) for service in part.services], dtype=int)
        columns = np.concatenate((np.arange(base), *(base + block * wide + place for block in range(3))))
        counts[here, columns] += part.counts
        delays[here] += part.delays
    return FleetSums(first, services, counts, delays)


class Fleet:
    """Pooled rates of all lines outside their unhealthy spells: at t only asks whose reply window has passed, up to the last day that added enough."""

    def __init__(self, sums: FleetSums, settings: Settings) -> None:
        self._window = settings.explain_reply_hours * HOUR
        self._lag = int(self._window // DAY) + 2
        self._first, self._services = sums.first, sums.services
        self._sums, self._delays = np.cumsum(sums.counts, axis=0), np.cumsum(sums.delays, axis=0)
        self._told = _grown(self._sums[:, 2 * len(KINDS)], CONSTANTS.pooled_growth)
        self._known: dict[int, FleetRates] = {}

    def at(self, t: float) -> FleetRates:
        """Return the pooled rates from asks older than the reply window at t."""
        days = self._told[max(0, min(int(t // DAY) - self._lag - self._first + 1, len(self._sums)))]
        if days not in self._known:
            self._known[days] = self._rates(days)
        return self._known[days]

    def _rates(self, days: int) -> FleetRates:
        k, n, wide = CONSTANTS, len(KINDS), len(self._services)
        sums = self._sums[days - 1] if days else np.zeros(self._sums.shape[1])
        delays = self._delays[days - 1] if days else np.zeros(len(EDGES))
        measured, replied = sums[:n], sums[n : 2 * n]
        reply = stepped((replied + k.reply_prior * _REPLY_DEFAULTS) / (measured + k.reply_prior), k.pooled_step)
        sent, receipt, silent = sums[FIXED:].reshape(3, wide)
        used = np.flatnonzero(sent >= k.receipt_sends)  # of a service that was hardly used yet nothing is told
        failed, *quiet = stepped(
            (np.append(sums[2 * n + 1], silent[used]) + k.fail_prior * k.fail_default) / (np.append(sums[2 * n], sent[used]) + k.fail_prior),
            k.pooled_fail_step,
        ).tolist()  # fmt: skip
        receipts = receipt[used] >= k.receipt_share * sent[used]
        names = [self._services[i] for i in used]
        return FleetRates(
            dict(zip(KINDS, reply.tolist(), strict=True)),
            failed,
            dict(zip(names, quiet, strict=True)),
            dict(zip(names, receipts.tolist(), strict=True)),
            ReplyCurve(delays, self._window),
        )


def _daily(count: float, days: float) -> float:
    """Return a count a day, drawn to 1 where few days are known."""
    few = CONSTANTS.count_prior
    return (count + few) / (days + few)


def _mean(values: list[float]) -> float:
    """Return the mean of values (whole numbers), drawn a little to 0 where there are few."""
    return sum(values) / (len(values) + CONSTANTS.count_prior)


def _quantile(values: list[float], share: float) -> float:
    """Return what ``np.quantile`` does, to the last digit, without its checks: most of its time on few values."""
    ordered, place = sorted(values), (len(values) - 1) * share
    below = int(place)
    if below + 1 >= len(ordered):
        return ordered[-1]
    low, high = ordered[below : below + 2]
    part = place - below
    return high - (high - low) * (1 - part) if part >= 0.5 else low + (high - low) * part


def _high(values: list[float], mean: float) -> float:
    """Return the ``busy_quantile`` of the values, drawn to their mean where there are few."""
    k, n = CONSTANTS, len(values)
    high = (n * _quantile(values, k.busy_quantile) + k.busy_prior * mean) / (n + k.busy_prior) if n else mean
    return high * (n + k.busy_few) / n if n else mean


@dataclass(frozen=True)
class Usual:
    """What is usual for one line at one time; ``own`` is false where the line has no usual of its own."""

    own: bool
    days: float
    days_new: float
    """Days of it in which a new chat can be told from a known one."""
    asks: int
    spans: list[Span]
    reply: dict[str, float]
    per_day: dict[str, float]
    peaks: dict[str, float]
    """The usual largest number within ``short_hours`` of a day with any: openers, other asks, their sends."""
    busy: dict[str, float]
    """What its busiest usual days reach: openers, other asks, their sends, deep follow-ups, the largest run of sends that
    asks for one reply; never under the mean."""
    sends_per_day: float
    recipients_per_day: float
    total_per_day: float
    opt_outs_per_day: float
    unhealthy: float
    """Share of the chats written to lately that were AT_RISK or CRITICAL, drawn to none by ten chats."""
    failed: float
    failed_count: int
    failed_of: int
    receipts: dict[str, bool]
    curve: ReplyCurve
    young: bool
    quiet: bool = True
    """False where the line was never healthy for long, and its usual comes from unhealthy days too."""

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
    kinds = (*KINDS, "deep")
    counts, quiet = history.sums.over(spans), True
    asks = int(sum(counts[kind] for kind in kinds))
    if days < k.least_usual_days and not young and end - start >= k.least_usual_days * DAY:
        spans, quiet = [(start, end)], False  # never healthy for long: the whole past is all there is
        days = (end - start) / DAY
        counts = history.sums.over(spans)
        asks = int(sum(counts[kind] for kind in kinds))
    own = days >= k.least_usual_days and asks >= k.least_usual_asks
    if not own:
        spans, days, asks, counts = [], 0.0, 0, history.sums.over([])
    reply = {
        kind: (counts["replied", kind] + k.reply_prior * pooled.reply[kind])
        / (counts["measured", kind] + k.reply_prior)
        for kind in KINDS
    }
    receipts = dict(pooled.receipts)
    failed = of = 0.0
    for service in history.services:
        n = counts["told", service]
        if n >= k.receipt_sends:
            receipts[service] = counts["receipts", service] >= k.receipt_share * n
        of += counts["judged", service]
        failed += counts["failed", service]
        if receipts.get(service, False):
            failed += counts["silent", service]
    lately = history.sums.over(
        [(start, t + 1.0)]
    )  # services that it is known to use; not what it used long ago, nor later
    fleet_failed = pooled.failed + max(
        (
            pooled.silent.get(s, k.fail_default)
            for s in history.services
            if receipts.get(s, False) and lately["judged", s]
        ),
        default=0.0,
    )
    # in its first week every chat only looks known, and no silence is long yet: openers and late follow-ups are counted from then on
    late = [(max(a, history.first_at + settings.young_line_days * DAY), b) for a, b in spans]
    late = [(a, b) for a, b in late if b > a]
    days_new = sum(b - a for a, b in late) / DAY
    bad, active = (sum(running.within(spans)) for running in history.unhealthy_daily)
    optouts = history.left.count(spans)
    per_day = {kind: _daily(counts[kind], days) for kind in (*kinds, "recipients")}
    of_late = counts if late == spans else history.sums.over(late)
    for kind in ("new", "deep"):
        per_day[kind] = _daily(of_late[kind], days_new)
    sends_per_day = _daily(counts["sends"], days)
    noons = history.daily["run"].places(spans)  # of all of ``daily``
    late_noons = noons if late == spans else history.daily["run"].places(late)
    daily = {
        what: running.at(late_noons if what in ("new", "deep") else noons) for what, running in history.daily.items()
    }
    peaks = {what: running.within(late if what == "new" else spans) for what, running in history.peaks.items()}
    means = {
        "new": per_day["new"],
        "known": per_day["answer"] + per_day["touch"],
        "sends": sends_per_day,
        "deep": per_day["deep"],
        "run": _mean(daily["run"]),
    }
    return Usual(
        own=own,
        days=days,
        asks=asks,
        spans=spans,
        reply=reply,
        per_day=per_day,
        days_new=days_new,
        peaks={what: _high(values, _mean(values)) for what, values in peaks.items()},
        busy={what: max(mean, _high(daily[what], mean)) for what, mean in means.items()},
        sends_per_day=sends_per_day,
        recipients_per_day=per_day["recipients"],
        total_per_day=history.totals.count(spans) / days if days else 0.0,
        opt_outs_per_day=optouts / days if days else 0.0,
        unhealthy=(bad + k.unhealthy_prior * k.unhealthy_default) / (active + k.unhealthy_prior),
        failed=(failed + k.fail_prior * fleet_failed) / (of + k.fail_prior),
        failed_count=int(failed),
        failed_of=int(of),
        receipts=receipts,
        curve=pooled.curve,
        young=young,
        quiet=quiet,
    )
