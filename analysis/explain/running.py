"""Values with their times in, their counts and sums over any period out; and the plain types that the room shares."""

from __future__ import annotations

from typing import Any

import numpy as np

Span = tuple[float, float]
"""A period [from, to) in ms."""
Array = np.ndarray[Any, Any]
NEVER = 2**62
"""The time of what did not happen."""
ROOM = 1 << 42
"""More ms than any history has: keys of a line or chat and a time in one number."""


class Sums:
    """Several values of the same times, in order of these, summed over any period at once.

    Args:
        times: ms, in order.
        columns: name to one value (whole numbers) a time.
    """

    def __init__(self, times: Array, columns: dict[Any, Array]) -> None:
        self._times, self._names = times.astype(float), list(columns)
        self._sums = np.zeros((len(columns), len(times) + 1), dtype=np.int32)
        for sums, values in zip(self._sums, columns.values(), strict=True):
            np.cumsum(values, out=sums[1:])

    def over(self, spans: list[Span]) -> dict[Any, int]:
        """Return the sum of each column in [a, b) of any span."""
        places = _places(self._times, spans)
        told = self._sums.take(places[1::2], axis=1) - self._sums.take(places[::2], axis=1)
        return dict(zip(self._names, told.sum(axis=1).tolist(), strict=True))


def _places(times: Array, spans: list[Span]) -> Array:
    """Return where each span begins among some times, and where it ends, one after the other."""
    return times.searchsorted(np.array(spans, dtype=float).ravel())


class Running:
    """Values (whole numbers) in order of time, summed over any period in logarithmic time."""

    def __init__(self, times: Array, values: Array | None = None) -> None:
        self.times = times.astype(float)  # as spans are: numpy would copy whole numbers for every search
        self.sums = np.concatenate(([0.0], np.cumsum(values if values is not None else np.ones(len(times)))))
        self._values = np.diff(self.sums)

    def places(self, spans: list[Span]) -> list[slice]:
        """Return where the values in [a, b) of each span are: the same in all that have the same times."""
        ends = _places(self.times, spans).tolist()
        return [slice(a, b) for a, b in zip(ends[::2], ends[1::2], strict=True)]

    def at(self, places: list[slice]) -> list[float]:
        """Return the values at places."""
        values = self._values
        return [value for place in places for value in values[place].tolist()]

    def count(self, spans: list[Span]) -> int:
        """Return how many lie in [a, b) of any span."""
        return sum(place.stop - place.start for place in self.places(spans))

    def within(self, spans: list[Span]) -> list[float]:
        """Return the values in [a, b) of any span."""
        return self.at(self.places(spans))
