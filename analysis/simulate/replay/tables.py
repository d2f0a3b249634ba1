"""The tables distilled from real conversations in, quantiles out: how long turns, delays and silences are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Tables:
    """What was distilled from real conversations (distil.py): quantiles at the same levels, and shares."""

    levels: np.ndarray
    reply_delay_s: np.ndarray
    turn_gap_s: np.ndarray
    turn_size: np.ndarray
    going_on: np.ndarray
    person_replies: np.ndarray
    chat_weight: np.ndarray
    rest_days: np.ndarray
    hour_of_week: np.ndarray
    day_factor: np.ndarray
    day_memory: float

    def at(self, name: str, u: np.ndarray) -> np.ndarray:
        """Return the quantile of a table at each level ``u`` in [0, 1); beyond the outermost level its value."""
        return np.interp(u, self.levels, getattr(self, name))

    def size(self, u: np.ndarray) -> np.ndarray:
        """Return how many messages a turn has."""
        return np.maximum(1, np.floor(np.interp(u, self._size_levels, self._sizes) + 0.25)).astype(np.int64)

    @property
    def _size_levels(self) -> np.ndarray:
        return np.array([*self.levels, 0.995, 0.999])

    @property
    def _sizes(self) -> np.ndarray:
        return self.turn_size


@lru_cache(maxsize=1)
def tables() -> Tables:
    """Return the tables of ``tables.json``."""
    raw = json.loads((Path(__file__).parent / "tables.json").read_text(encoding="utf-8"))
    arrays = {name: np.array(value, dtype=float) for name, value in raw.items() if isinstance(value, list)}
    arrays["turn_size"] = np.concatenate([arrays["turn_size"], arrays.pop("turn_size_top")])
    return Tables(levels=arrays.pop("quantiles") / 100, day_memory=float(raw["day_memory"]), **arrays)
