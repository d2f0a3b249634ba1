"""Events of a line in, numbers by hour out: sums, leaking levels and windows that hidden scorers are made of."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate

import numpy as np

from analysis.simulate.shared.draws import HOUR
from analysis.simulate.shared.lines import MadeLine
from analysis.simulate.shared.turns import Life

Score = Callable[[int, Life], np.ndarray]
"""Place of a line in its fleet and a life of it in, a hidden score by hour out; higher is worse."""


def ticks(line: MadeLine) -> int:
    """Return the number of hours of a line."""
    return (line.end - line.start) // HOUR


def hourly(line: MadeLine, at: np.ndarray, weight: np.ndarray | float = 1.0) -> np.ndarray:
    """Return the sum of weights by hour of the line; what falls outside is left out."""
    hour = (at - line.start) // HOUR
    inside = (hour >= 0) & (hour < ticks(line))
    weights = np.broadcast_to(weight, at.shape)[inside]
    return np.bincount(hour[inside], weights=weights, minlength=ticks(line))


def leaky(inflow: np.ndarray, half_life: float) -> np.ndarray:
    """Return a level that leaks with this half-life in hours."""
    keep = 0.5 ** (1 / half_life)
    return np.fromiter(
        accumulate(inflow.tolist(), lambda level, more: keep * level + more), dtype=float, count=len(inflow)
    )


def window(counts: np.ndarray, hours: int) -> np.ndarray:
    """Return the sum over the last so many hours."""
    total = np.concatenate([np.zeros(hours), np.cumsum(counts)])
    return total[hours:] - total[:-hours]


def hourly_max(line: MadeLine, at: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Return the largest value by hour, 0 where there is none."""
    found = np.zeros(ticks(line))
    np.maximum.at(found, np.clip((at - line.start) // HOUR, 0, ticks(line) - 1), value)
    return found


def running_max(values: np.ndarray, hours: int) -> np.ndarray:
    """Return the largest value of the last so many hours."""
    padded = np.concatenate([np.zeros(hours - 1), values])
    return np.lib.stride_tricks.sliding_window_view(padded, hours).max(axis=1)
