"""Asks of a window in, counts over sliding windows out: what volume, openers, failures and follow-ups are scanned with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from math import log

import numpy as np

from analysis.explain.constants import CONSTANTS, DAY, HOUR
from analysis.explain.running import Array, Span
from analysis.explain.window import Window

DOUBLINGS = 1 / log(2)
"""Standard deviation of the log2 of a count, times the root of the count."""


def discounted(engaged: Array | float, discount: tuple[float, ...]) -> Array:
    """Return what counts weigh when this part of the usual replies comes: a − b × engaged, between low and high."""
    a, b, low, high = discount
    return np.asarray(_between(a - b * engaged, low, high))


def unheard(engaged: Array, chance: Array, discount: tuple[float, ...]) -> Array:
    """Return how much volume weighs by the part of the usual replies that comes: nothing where about all may have come but for chance.

    Args:
        engaged: answered part of the replies expected.
        chance: its standard deviation where replies are as usual.
        discount: as ``discounted``.
    """
    low, high = CONSTANTS.volume_replies
    may_be = engaged + CONSTANTS.volume_margin * chance
    return discounted(engaged, discount) * _between((high - may_be) / (high - low), 0.0, 1.0)


def _between(values: Array | float, low: float, high: float) -> Array:
    """Return what ``np.clip`` does, without its checks: most of its time on few values."""
    return np.asarray(np.minimum(np.maximum(values, low), high))


def doublings(counts: Array | float, usual: Array | float) -> Array:
    """Return how many doublings counts are above usual ones, few of either being near each other."""
    few = CONSTANTS.doublings_prior
    return np.asarray(np.log2(np.maximum(counts + few, 1.0) / (usual + few)))


def fading(back: Array) -> Array:
    """Return how much a window that ended so long ago (ms) still weighs: all of it for a day, then half as much every ``fade_hours``."""
    k = CONSTANTS
    return np.asarray(0.5 ** (np.maximum(0.0, back / HOUR - k.window_hours) / k.fade_hours))


@dataclass(frozen=True)
class Spans:
    """Windows (start, stop] that asks are scanned over, in ms."""

    starts: Array
    stops: Array

    def span(self, place: int) -> Span:
        """Return one of them."""
        return float(self.starts[place]), float(self.stops[place])

    def among(self, times: Array) -> tuple[Array, Array]:
        """Return for each window the place of the first of some times (ms, in order, no whole numbers) in it, and of the first after it."""
        return times.searchsorted(self.starts, side="right"), times.searchsorted(self.stops, side="right")


class Back:
    """Windows as they lie before any time: what does not depend on the time is worked out once, for all of them.

    Args:
        stops: how long before the time each ends (ms).
        hours: how long each is.
    """

    def __init__(self, stops: Array, hours: Array) -> None:
        self.stops, self._starts = stops, stops + hours * HOUR
        self.hours, self.faded = hours, fading(stops)
        self.long = hours == CONSTANTS.window_hours
        """Which of them are days."""
        self.floor = np.where(self.long, 0.0, CONSTANTS.short_floor)
        """What short windows must be above beyond what days must."""

    def __len__(self) -> int:
        return len(self.hours)

    def up_to(self, t: int) -> Spans:
        """Return them before a time."""
        return Spans(t - self._starts, t - self.stops)

    def around(self, place: int, t: int) -> Span:
        """Return the day that ends with one of them, or for a short one the day around it, up to t."""
        k, end, hours = CONSTANTS, float(t - self.stops[place]), float(self.hours[place])
        stop = end if hours == k.window_hours else min(float(t), end + (k.window_hours - hours) / 2 * HOUR)
        return stop - k.window_hours * HOUR, stop


@dataclass(frozen=True)
class Scanned:
    """Windows that are scanned up to a time."""

    days: Back
    """Latest first."""
    every: Back
    """The same, then windows of ``short_hours``, an end an hour."""
    failures: Back


@cache
def scanned(*, fresh: bool) -> Scanned:
    """Return the windows that are scanned up to a time: of its last day only where ``fresh``."""
    k = CONSTANTS
    days = np.arange(1 if fresh else int(k.scan_back_hours / k.scan_step_hours) + 1) * (k.scan_step_hours * HOUR)
    longest = float(days[-1])
    short = np.arange(0, longest + DAY - k.short_hours * HOUR, HOUR)
    failures = [
        (np.arange(0, longest + 1, min(k.scan_step_hours, hours / 2) * HOUR), hours) for hours in k.failure_hours
    ]
    return Scanned(
        _back([(days, k.window_hours)]),
        _back([(days, k.window_hours), (short, k.short_hours)]),
        _back(failures),
    )


def _back(parts: list[tuple[Array, float]]) -> Back:
    stops = np.concatenate([ends for ends, _ in parts]).astype(float)
    return Back(stops, np.concatenate([np.full(len(ends), float(hours)) for ends, hours in parts]))


def days_before(stops: Array) -> Spans:
    """Return the days that end at some times."""
    return Spans(stops - CONSTANTS.window_hours * HOUR, stops)


class Scan:
    """Counts, expected and observed replies of some asks over windows.

    A reply counts for at most ``loop_replies`` of an ask's weight: one answer does not make a loop an answered one.

    Args:
        asks: of a window.
        weights: what each counts; 0: not at all. Sums are the same, to the last digit, as of only the others.
        places: of ``Spans.among`` for the times of these asks.
    """

    def __init__(self, asks: Window, weights: Array, places: tuple[Array, Array]) -> None:
        self._asks, self._weights, self._places = asks, weights, places

    def over(self, *values: Array) -> Array:
        """Return the sum of the values of the asks in each window, a row for each of several."""
        low, high = self._places
        sums = np.zeros((len(values), len(self._asks) + 1))
        np.array(values).cumsum(axis=1, out=sums[:, 1:])
        return np.asarray(sums.take(high, axis=1) - sums.take(low, axis=1))

    @cached_property
    def _sums(self) -> Array:
        weights, expected = self._weights, self._asks.expected
        came = np.minimum(weights, CONSTANTS.loop_replies) * self._asks.replied
        return self.over(weights, weights * expected, came, weights**2 * expected * (1 - expected))

    @property
    def n(self) -> Array:
        """The sum of the weights."""
        return np.asarray(self._sums[0])

    @property
    def engaged(self) -> Array:
        """The answered share of the replies expected by now; drawn to ``engaged_prior`` while few are expected."""
        k, (_, expected, came, _) = CONSTANTS, self._sums
        return np.asarray((came + k.engaged_prior * k.engaged_replies) / (expected + k.engaged_replies))

    @property
    def chance(self) -> Array:
        """Standard deviation of that share where replies are as usual."""
        k, (_, expected, _, variance) = CONSTANTS, self._sums
        return np.asarray(np.sqrt(k.reply_spread * np.maximum(variance, 0.0)) / (expected + k.engaged_replies))
