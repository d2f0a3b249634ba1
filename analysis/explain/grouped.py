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
        order = key.argsort(kind="stable")
        begins = np.ones(len(key), dtype=bool)
        key = key[order]
        begins[1:] = key[1:] != key[:-1]
        # places in four bytes: of a line of millions of messages each array of eight is 20 MB
        self._order = order.astype(np.int32)
        self._number = np.cumsum(begins, dtype=np.int32) - np.int32(1)
        self._first = begins.nonzero()[0].astype(np.int32)[self._number]

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
        least = np.where(known, times - start, room - 1)[self._order]
        below = self._number * np.int64(room)
        least -= below
        np.minimum.accumulate(least, out=least)
        least += below
        del below
        least[1:] = least[:-1].copy()  # of the row before, in a group of several
        least[self._first == np.arange(len(times), dtype=np.int32)] = room - 1
        return self._as_they_were(np.where(least < room - 1, least + start, NEVER))

    def _as_they_were(self, values: Array) -> Array:
        found = np.empty_like(values)
        found[self._order] = values
        return found
