"""What can happen to a line: kinds of incidents with the driver each stands for, and single ones with a time and a size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Kind:
    """One kind of incident: what it stands for (contract.md, section 5; empty: a confounder) and how long it lasts."""

    name: str
    driver: str
    hours: tuple[float, float]
    roles: tuple[str, ...] = ()
    """Only on these; empty: on every kind of line."""
    slow: bool = False
    """Its effect grows from nothing: its onset is when the scored state begins to feel it."""


@dataclass(frozen=True)
class Incident:
    """One thing that happens to one line; ``number`` is its place among the line's."""

    number: int
    kind: str
    start: int
    stop: int
    size: float
    seed: int
    driver: str
    """The driver it stands for, empty for a confounder."""
    slow: bool = False
    """Its effect grows from nothing."""

    def inside(self, at: np.ndarray) -> np.ndarray:
        """Return which instants it covers."""
        return (at >= self.start) & (at < self.stop)
