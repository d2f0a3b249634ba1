"""Values with their times in, their counts and sums over any period out; and the plain types that the room shares."""

from __future__ import annotations

from typing import Any

import numpy as np

Span = tuple[float, float]
"""A period [from, to) in ms."""
Array = np.ndarray[Any, Any]
NEVER = 2**62
"""The time of what did not happen."""


class Running:
    """Values in order of time, summed over any period in logarithmic time."""

    def __init__(self, times: Array, values: Array | None = None) -> None:
        self.times = times
        self.sums = np.concatenate(([0.0], np.cumsum(values if values is not None else np.ones(len(times)))))

    def _places(self, spans: list[Span]) -> tuple[Array, Array]:
        ends = np.asarray(spans, dtype=float).reshape(-1, 2)
        return np.searchsorted(self.times, ends[:, 0]), np.searchsorted(self.times, ends[:, 1])

    def count(self, spans: list[Span]) -> int:
        """Return how many lie in [a, b) of any span."""
        low, high = self._places(spans)
        return int((high - low).sum())

    def within(self, spans: list[Span]) -> Array:
        """Return the values in [a, b) of any span."""
        values = np.diff(self.sums)
        return np.concatenate([values[a:b] for a, b in zip(*self._places(spans), strict=True)] or [values[:0]])

    def total(self, spans: list[Span]) -> float:
        """Return the sum of those in [a, b) of any span."""
        low, high = self._places(spans)
        return float((self.sums[high] - self.sums[low]).sum())
