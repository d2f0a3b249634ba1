"""Messages' lines and buckets in, one cell for every bucket of every line's span out: counting is adding up at cell numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Grid:
    """The buckets between each line's first and last message, numbered line after line: cell = place of the line's first + bucket - first.

    A line may be counted from a later bucket on only; it then has no cells before.

    The cells are the rows of the signals: those without a message are rows of zeros (contract.md, section 3).

    Args:
        first: the first bucket of each line.
        last: the last one.
        start: the cell of each line's first bucket, and after the last line how many cells there are.
    """

    first: Ints
    last: Ints
    start: Ints

    @classmethod
    def of(cls, line_no: Ints, bucket: Ints, since: Ints | None = None) -> Grid:
        """Return the grid that holds every message: their line (numbered from 0, every number in use) and bucket, any order.

        since: the bucket from which each line is counted, or its last one where that is earlier; None: all of it.
        """
        lines = int(line_no.max()) + 1
        first, last = np.full(lines, np.iinfo(np.int64).max), np.full(lines, -1)
        runs = np.flatnonzero(np.concatenate(([True], line_no[1:] != line_no[:-1])))
        np.minimum.at(first, line_no[runs], np.minimum.reduceat(bucket, runs))
        np.maximum.at(last, line_no[runs], np.maximum.reduceat(bucket, runs))
        if since is not None:
            first = np.minimum(np.maximum(first, since), last)
        return cls(first, last, np.concatenate(([0], np.cumsum(last - first + 1))))

    @property
    def size(self) -> int:
        """How many cells there are."""
        return int(self.start[-1])

    def cell(self, line_no: Ints, bucket: Ints) -> Ints:
        """Return the cell of each line and bucket; the bucket must lie in the line's span."""
        return bucket + (self.start[:-1] - self.first)[line_no]

    def holds(self, line_no: Ints, bucket: Ints) -> Bools:
        """Return whether a line is counted in a bucket that is not after its last one."""
        return bucket >= self.first[line_no]

    def lines(self) -> Ints:
        """Return the line of every cell."""
        return np.repeat(np.arange(len(self.first)), np.diff(self.start))

    def buckets(self) -> Ints:
        """Return the bucket of every cell."""
        return np.arange(self.size) - (self.start[:-1] - self.first)[self.lines()]

    def count(self, cells: Ints, of: Bools | None = None) -> Ints:
        """Return how often each cell is named; of: only where this is true."""
        # by places: to pick by truths takes several times as long where they are mixed
        return np.bincount(cells if of is None else cells[np.flatnonzero(of)], minlength=self.size)

    def highest(self, cells: Ints, values: Ints) -> Ints:
        """Return the largest value of each cell, 0 where it is not named. cells: ascending."""
        found = np.zeros(self.size, dtype=np.int64)
        if len(cells):
            runs = np.flatnonzero(np.concatenate(([True], cells[1:] != cells[:-1])))
            found[cells[runs]] = np.maximum.reduceat(values, runs)
        return found

    def running(self, line_no: Ints, bucket: Ints, by: Ints) -> Ints:
        """Return, for every cell, the sum of changes of its line up to its bucket.

        A change before the line's span holds from its beginning; one after it is left out.
        """
        within = np.flatnonzero(bucket <= self.last[line_no])
        line_no = line_no[within]
        cells = self.cell(line_no, np.maximum(bucket[within], self.first[line_no]))
        changes = np.bincount(cells, weights=by[within], minlength=self.size).astype(np.int64)
        sums = np.concatenate(([0], np.cumsum(changes)))
        return sums[1:] - np.repeat(sums[self.start[:-1]], np.diff(self.start))
