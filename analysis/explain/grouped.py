"""Groups of rows in, what each row's group held before it out: running sums and minima over many small groups at once."""

from __future__ import annotations

import numpy as np

from analysis.explain.running import NEVER, Array


class Groups:
    """Rows by two numbers, each group's in their order. Sooner than an expression over groups where these are small and many.

    Args:
        one: a number a row, from 0 on.
        two: another one.
    """

    def __init__(self, one: Array, two: Array) -> None:
        key = one.astype(np.int64) * (int(two.max()) + 1 if len(two) else 1) + two
        self._order = key.argsort(kind="stable")
        begins = np.ones(len(key), dtype=bool)
        ordered = key[self._order]
        begins[1:] = ordered[1:] != ordered[:-1]
        self._first = np.maximum.accumulate(np.where(begins, np.arange(len(key)), 0))
        self._number = np.cumsum(begins) - 1

    def sizes_before(self) -> Array:
        """Return how many rows of its group are before each."""
        return self._as_they_were(np.arange(len(self._order)) - self._first)

    def sums_before(self, values: Array) -> Array:
        """Return the sum of whole numbers over the rows of its group before each."""
        mine = values[self._order].astype(np.int64)
        before = np.cumsum(mine) - mine
        return self._as_they_were(before - before[self._first])

    def least_before(self, times: Array) -> Array:
        """Return the earliest time (ms, NEVER: none) of the rows of its group before each; NEVER where there is none."""
        known = times < NEVER
        if not known.any():
            return np.full(len(times), NEVER)
        start = int(times[known].min())
        room = int(times[known].max()) - start + 2  # each group's numbers are below those of all groups before it
        below = np.where(known, times - start, room - 1)[self._order] - self._number * room
        least = np.minimum.accumulate(below) + self._number * room
        found = np.full(len(times), NEVER)
        later = np.flatnonzero(self._first < np.arange(len(times)))
        before = least[later - 1]
        found[later] = np.where(before < room - 1, before + start, NEVER)
        return self._as_they_were(found)

    def _as_they_were(self, values: Array) -> Array:
        found = np.empty_like(values)
        found[self._order] = values
        return found
