"""When events of lines arrived in, how surprising each of their silences is out: by the rhythm of the weeks before it, so that it stays as it was told.

Method (METHOD.md, "Gaps in the deliveries"): a silence is judged by what was known when its week began, of the last ``RHYTHM_WEEKS``; in a
line's first ``FIRST_WEEKS`` by these together. What comes later changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

SLOT_MINUTES = 5
FIRST_WEEKS = 4
"""Silences of a line's first weeks are judged by these weeks together, or by what there is of them."""
RHYTHM_WEEKS = 26
"""Else by the weeks before them, so many at most."""
_SLOTS_AN_HOUR, _WEEK = 60 // SLOT_MINUTES, 168
_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_WEEK_MS = _WEEK * _HOUR_MS
_YEAR_MS = 365.25 * 24 * _HOUR_MS
_TRIM, _TRIM_BIAS = 0.98, 0.866
"""The top 2 % of silences (outages among them) are left out of the tail; the mean of an exponential cut there is .866 of the whole."""
_HOURLY_WEIGHT = 24.0
"""Slots that the rate of the same hour on all days weighs in the rate of one hour of the week."""
_FEW = 20
"""Fewer silences have no tail of their own: every slot is taken as independent."""
_LEAST_UNEVEN, _UNEVEN = 0.01, 1.0
"""How much days differ at least; and where too few days tell."""


@dataclass(frozen=True)
class Activity:
    """Slots with an event of some lines, in order of line and slot; times in ms since 1970."""

    line: Array
    """Numbers of the lines from 0 on, each with a slot."""
    slot: Array
    first_at: Array
    last_at: Array
    events: Array


@dataclass(frozen=True)
class Silences:
    """Times between two events of a line that are longer than some minutes, in order of line and time."""

    line: Array
    start: Array
    end: Array
    open: Array
    """Whether it is not over; its end is the latest event of the store then."""
    expected: Array
    """Events that the rhythm would have in it."""
    by_chance_a_year: Array
    """How often a year a silence of such surprise comes by itself on this line."""


class Rhythms:
    """The rhythms of some lines: for each line and week one, by what is known of it then."""

    def __init__(self, of: Activity) -> None:
        self._of, self._lines = of, int(of.line[-1]) + 1
        week, cell = of.slot // (_SLOTS_AN_HOUR * _WEEK), of.slot // _SLOTS_AN_HOUR % _WEEK
        self._w0 = int(week.min())
        self._weeks = int(week.max()) - self._w0 + 1
        begin = np.searchsorted(of.line, np.arange(self._lines))
        end = np.append(begin[1:], len(of.line)) - 1
        self.first_at, self.last_at = of.first_at[begin], of.last_at[end]
        self._first_hour, self._last_hour = of.slot[begin] // _SLOTS_AN_HOUR, of.slot[end] // _SLOTS_AN_HOUR
        self._first_week = self._first_hour // _WEEK - self._w0
        key = (of.line * self._weeks + week - self._w0) * _WEEK + cell
        self._active, self._events = (_before(np.bincount(key, w, self._lines * self._weeks * _WEEK).reshape(self._lines, self._weeks, _WEEK)) for w in (None, of.events))  # fmt: skip
        day = np.bincount(
            (of.line * self._weeks + week - self._w0) * 7 + cell // 24, minlength=self._lines * self._weeks * 7
        )
        day = day.reshape(self._lines, self._weeks, 7).astype(float)
        self._day, self._day_squared = _before(day), _before(day**2)

    def silences(self, as_of: int, minutes: float, apart: list[tuple[int, int]], *, often: float) -> Silences:
        """Return the silences that are longer than some minutes; time ``apart`` (gaps of the whole fleet) does not count.

        How often they come by themselves is infinite where it is more than ``often``, as far as that shows without looking at others.
        """
        of = self._of
        last = np.append(of.line[1:] != of.line[:-1], True)
        end = np.where(last, as_of, np.append(of.first_at[1:], 0))
        long = np.flatnonzero(end - of.last_at > minutes * _MINUTE_MS)
        line, start, end, still = of.line[long], of.last_at[long], end[long], last[long]
        week = start // _WEEK_MS - self._w0
        cut = np.minimum(np.maximum(week, self._first_week[line] + FIRST_WEEKS), self._weeks)
        which, ref = np.unique(line * (self._weeks + 1) + cut, return_inverse=True)
        refs = _Refs(self, which // (self._weeks + 1), which % (self._weeks + 1))
        found = refs.between(ref, start, end)
        for a, b in apart:
            found -= refs.between(ref, np.clip(a, start, end), np.clip(b, start, end))
        surprise, least, expected = found
        uneven = refs.uneven[ref]
        # a day's factor that varies (gamma) makes long silences likelier than independent slots would: a negative binomial's zero
        surprise, least = (np.log(1 + uneven * np.maximum(of, 0)) / uneven for of in (surprise, least))
        return Silences(line, start, end, still, expected, refs.chances(ref, line, week, surprise, least, often))


class _Refs:
    """Rhythms of some lines up to some weeks: ``cut`` is the week (of ``Rhythms``) that is known no more."""

    def __init__(self, of: Rhythms, line: Array, cut: Array) -> None:
        self._all, self._line, self._cut = of, line, cut
        first = of._first_week[line]
        self._begin = np.maximum(first, cut - RHYTHM_WEEKS)
        young = self._begin == first
        at = np.arange(_WEEK)
        # hours of the week that were there: not those before the line's first event, nor after its last where that week goes on
        had = np.repeat((cut - self._begin)[:, None], _WEEK, axis=1)
        had -= young[:, None] & (at < (of._first_hour[line] % _WEEK)[:, None])
        last_week = of._last_hour[line] // _WEEK - of._w0
        had -= ((last_week < cut)[:, None]) * (cut - 1 - last_week)[:, None]
        had -= (last_week < cut)[:, None] & (at > (of._last_hour[line] % _WEEK)[:, None])
        had = np.maximum(had, 0)
        active, events = (sums[line, cut] - sums[line, self._begin] for sums in (of._active, of._events))
        slots = had * _SLOTS_AN_HOUR
        hourly = (_by_hour(active) + 0.5) / (_by_hour(slots) + 1)
        chance = (active + _HOURLY_WEIGHT * hourly) / (slots + _HOURLY_WEIGHT)
        surprise = -_SLOTS_AN_HOUR * np.log(1 - np.minimum(chance, 1 - 1e-6))
        # people's clocks are put forward and back: an hour is as surprising as the least of it and those beside it
        least = np.minimum(surprise, np.minimum(np.roll(surprise, 1, axis=1), np.roll(surprise, -1, axis=1)))
        self._hours = surprise, least, events / np.maximum(had, 1)
        self._sums = tuple(np.cumsum(np.pad(of_hour, ((0, 0), (1, 0))), axis=1) for of_hour in self._hours)
        self._slots_seen = active.sum(axis=1)
        begins = np.maximum(of.first_at[line], (self._begin + of._w0) * _WEEK_MS)
        self._years = np.maximum(np.minimum(of.last_at[line], (cut + of._w0) * _WEEK_MS) - begins, 1) / _YEAR_MS
        self.uneven = self._unevenness(first, last_week)

    def _unevenness(self, first: Array, last_week: Array) -> Array:
        """Return how much days differ beyond chance: the variance of (slots of a day / usual for its weekday), of whole days."""
        of, line, weekday = self._all, self._line, np.arange(7)
        n = np.repeat((self._cut - self._begin)[:, None], 7, axis=1).astype(float)
        total, squared = (sums[line, self._cut] - sums[line, self._begin] for sums in (of._day, of._day_squared))
        # the day of the first event, and that of the last, are not whole; nor are those before and after them there
        for there, edge, hour in (
            (self._begin == first, first, of._first_hour),
            (last_week < self._cut, last_week, of._last_hour),
        ):
            at = (hour[line] % _WEEK // 24)[:, None]
            own = of._day[line, edge + 1] - of._day[line, edge]
            out = there[:, None] & ((weekday <= at) if hour is of._first_hour else (weekday >= at))
            n -= out
            total, squared = total - out * own, squared - out * own**2
        n -= np.where(last_week < self._cut, self._cut - 1 - last_week, 0)[:, None]
        usual = total / np.maximum(n, 1)
        told = (usual > 0) & (n > 1)
        u, m = np.where(told, usual, 1.0), np.where(told, n, 2.0)
        squares = (squared / u**2 - 2 * total / u + m) * m / (m - 1)
        days = (n * told).sum(axis=1)
        beyond = ((squares - m / u) * told).sum(axis=1) / np.maximum(days, 1)
        return np.where(days > 0, np.maximum(beyond, _LEAST_UNEVEN), _UNEVEN)

    def between(self, ref: Array, start: Array, end: Array) -> Array:
        """Return the surprise of an empty time, the least of it where clocks were changed, and the events that the rhythm has in it."""

        def upto(sums: Array, hours: Array, at: Array) -> Array:
            week, rest = np.divmod(at, _WEEK_MS)
            cell, part = np.divmod(rest, _HOUR_MS)
            return np.asarray(week * sums[ref, -1] + sums[ref, cell] + part / _HOUR_MS * hours[ref, cell])

        of = zip(self._sums, self._hours, strict=True)
        return np.stack([upto(sums, hours, end) - upto(sums, hours, start) for sums, hours in of])

    def chances(self, ref: Array, line: Array, week: Array, surprise: Array, least: Array, often: float) -> Array:
        """Return how often a year a silence of such surprise comes by itself, by the tail of those in the weeks that it is judged by.

        A tail falls by e at most for each unit of surprise (its spread is 1 or more) and begins at 0 or above: what is more than ``often``
        by that alone is told as infinite, and its tail is not looked at.
        """
        key = line * (self._all._weeks + 1) + week  # in order: silences are
        low = np.searchsorted(key, self._line * (self._all._weeks + 1) + self._begin)
        high = np.searchsorted(key, self._line * (self._all._weeks + 1) + self._cut)
        n, middle, spread = (high - low).astype(float), np.zeros(len(low)), np.ones(len(low))
        years = self._years[ref]
        rare = n[ref] / years * 0.5 * np.exp(-least) <= often
        for i in np.unique(ref[rare & (n[ref] >= _FEW)]):
            known = np.sort(surprise[low[i] : high[i]])
            half = len(known) // 2
            middle[i] = known[half] if len(known) % 2 else (known[half - 1] + known[half]) / 2
            top = known[int((len(known) - 1) * _TRIM)]
            excess = known[np.searchsorted(known, middle[i]) : np.searchsorted(known, top, side="right")] - middle[i]
            spread[i] = max(1.0, float(excess.mean()) / _TRIM_BIAS)
        beyond = np.where(rare, np.exp(-(least - middle[ref]) / spread[ref]), np.inf)
        return np.where(n[ref] < _FEW, self._slots_seen[ref] / years * np.exp(-least), n[ref] / years * 0.5 * beyond)


def _before(of_week: Array) -> Array:
    """Return the sums over the weeks before each week, and over all of them."""
    return np.cumsum(np.pad(of_week, ((0, 0), (1, 0), (0, 0))), axis=1)


def _by_hour(of_week: Array) -> Array:
    """Return for each hour of the week the sum over the same hour of all days."""
    return np.tile(of_week.reshape(len(of_week), 7, 24).sum(axis=1), 7)
