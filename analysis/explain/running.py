"""Values with their times in, their counts and sums over any period out; and the plain types that the room shares."""

from __future__ import annotations

from typing import Any

import numpy as np

Span = tuple[float, float]
"""A period [from, to) in ms."""
Array = np.ndarray[Any, Any]
NEVER = 2**62
"""The time of what did not happen."""


class Sums:
    """Several values of the same times, in order of these, summed over any period at once.

    Args:
        times: ms, in order.
        columns: name to one value (whole numbers) a time.
    """

    def __init__(self, times: Array, columns: dict[Any, Array]) -> None:
        self._times, self._names = times.astype(float), list(columns)
        self._sums = np.zeros((len(times) + 1, len(columns)), dtype=np.int32)
        for place, values in enumerate(columns.values()):
            np.cumsum(values, out=self._sums[1:, place])

    def over(self, spans: list[Span]) -> dict[Any, int]:
        """Return the sum of each column in [a, b) of any span."""
        ends = np.asarray(spans, dtype=float).reshape(-1, 2)
        low, high = np.searchsorted(self._times, ends.T)
        return dict(zip(self._names, (self._sums[high] - self._sums[low]).sum(axis=0).tolist(), strict=True))


class Running:
    """Values in order of time, summed over any period in logarithmic time."""

    def __init__(self, times: Array, values: Array | None = None) -> None:
        self.times = times.astype(float)  # as spans are: numpy would copy whole numbers for every search
        self.sums = np.concatenate(([0.0], np.cumsum(values if values is not None else np.ones(len(times)))))
        self._values = np.diff(self.sums)

    def _places(self, spans: list[Span]) -> tuple[Array, Array]:
        ends = np.asarray(spans, dtype=float).reshape(-1, 2)
        return np.searchsorted(self.times, ends[:, 0]), np.searchsorted(self.times, ends[:, 1])

    def count(self, spans: list[Span]) -> int:
        """Return how many lie in [a, b) of any span."""
        low, high = self._places(spans)
        return int((high - low).sum())

    def within(self, spans: list[Span]) -> Array:
        """Return the values in [a, b) of any span."""
        values = self._values
        return np.concatenate([values[a:b] for a, b in zip(*self._places(spans), strict=True)] or [values[:0]])

    def total(self, spans: list[Span]) -> float:
        """Return the sum of those in [a, b) of any span."""
        low, high = self._places(spans)
        return float((self.sums[high] - self.sums[low]).sum())
