"""Asks of a window in, counts over sliding windows out: what volume, openers, failures and follow-ups are scanned with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import log

import numpy as np

from analysis.explain.constants import CONSTANTS, DAY, HOUR
from analysis.explain.running import Array, Span
from analysis.explain.window import Window

DOUBLINGS = 1 / log(2)


def discounted(engaged: Array | float, discount: tuple[float, ...]) -> Array:
    """Return what counts weigh when this part of the usual replies comes: a − b × engaged, between low and high."""
    a, b, low, high = discount
    return np.asarray(np.clip(a - b * engaged, low, high))


def unheard(engaged: Array, chance: Array, discount: tuple[float, ...]) -> Array:
    """Return how much volume weighs by the part of the usual replies that comes: nothing where about all may have come but for chance.

    Args:
        engaged: answered part of the replies expected.
        chance: its standard deviation where replies are as usual.
        discount: as ``discounted``.
    """
    low, high = CONSTANTS.volume_replies
    may_be = engaged + CONSTANTS.volume_margin * chance
    return discounted(engaged, discount) * np.clip((high - may_be) / (high - low), 0.0, 1.0)


def doublings(counts: Array, usual: Array | float) -> Array:
    """Return how many doublings counts are above usual ones, few of either being near each other."""
    few = CONSTANTS.doublings_prior
    return np.asarray(np.log2(np.maximum(counts + few, 1.0) / (usual + few)))


"""Standard deviation of the log2 of a count, times the root of the count."""


def ends_of(t: int) -> Sequence[float]:
    """Return the ends of the days scanned up to t, latest first."""
    k = CONSTANTS
    return [t - i * k.scan_step_hours * HOUR for i in range(int(k.scan_back_hours / k.scan_step_hours) + 1)]


def days_of(ends: Sequence[float]) -> list[tuple[float, float]]:
    """Return the days that end then, as (end, hours)."""
    return [(end, CONSTANTS.window_hours) for end in ends]


def faded(t: int, stops: Array) -> Array:
    """Return how much a window that ended then still weighs at t: all of it for a day, then half as much every ``fade_hours``."""
    k = CONSTANTS
    return np.asarray(0.5 ** (np.maximum(0.0, (t - stops) / HOUR - k.window_hours) / k.fade_hours))


def short_ends(t: int, ends: Sequence[float]) -> Array:
    """Return an end an hour from the first day scanned up to t: the short window slides in steps of an hour."""
    return t - np.arange(0, t - min(ends) + DAY - CONSTANTS.short_hours * HOUR, HOUR)


class Scan:
    """Counts, expected and observed replies of some asks over windows (end - hours, end], each given as (end, hours).

    A reply counts for at most ``loop_replies`` of an ask's weight: one answer does not make a loop an answered one.
    """

    def __init__(self, asks: Window, weights: Array, spans: Sequence[tuple[float, float]]) -> None:
        stops, hours = np.asarray(spans, dtype=float).T
        first = asks.first.astype(float)
        self._low = np.searchsorted(first, stops - hours * HOUR, side="right")
        self._high = np.searchsorted(first, stops, side="right")
        self._asks, self._weights = asks, weights

    def over(self, values: Array) -> Array:
        """Return the sum of the values of the asks in each window."""
        sums = np.zeros(len(values) + 1)
        np.cumsum(values, out=sums[1:])
        return sums[self._high] - sums[self._low]

    @cached_property
    def n(self) -> Array:
        """The sum of the weights."""
        return self.over(self._weights)

    @cached_property
    def _expected(self) -> Array:
        return self.over(self._weights * self._asks.expected)

    @cached_property
    def engaged(self) -> Array:
        """The answered share of the replies expected by now; drawn to ``engaged_prior`` while few are expected."""
        k = CONSTANTS
        came = self.over(np.minimum(self._weights, k.loop_replies) * self._asks.replied)
        return np.asarray((came + k.engaged_prior * k.engaged_replies) / (self._expected + k.engaged_replies))

    @cached_property
    def chance(self) -> Array:
        """Standard deviation of that share where replies are as usual."""
        k, expected = CONSTANTS, self._asks.expected
        variance = np.maximum(self.over(self._weights**2 * expected * (1 - expected)), 0.0)
        return np.asarray(np.sqrt(k.reply_spread * variance) / (self._expected + k.engaged_replies))

    @cached_property
    def rate(self) -> Array:
        """Replies over the share of replies that come by now."""
        asks = self._asks
        return np.asarray(self.over(asks.replied.astype(float)) / np.maximum(self.over(asks.share), 1.0))


def failure_ends(t: int, ends: Sequence[float], hours: float) -> Array:
    """Return the ends of windows of this length from the first day scanned up to t."""
    step = min(CONSTANTS.scan_step_hours, hours / 2) * HOUR
    return t - np.arange(0, t - min(ends) + 1, step)


def day_around(span: tuple[float, float], t: int) -> Span:
    """Return the day that ends with a window given as (end, hours), or for a short one the day around it, up to t."""
    k, (end, hours) = CONSTANTS, span
    stop = end if hours == k.window_hours else min(float(t), end + (k.window_hours - hours) / 2 * HOUR)
    return stop - k.window_hours * HOUR, stop
