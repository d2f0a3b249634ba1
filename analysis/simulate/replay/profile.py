"""Quantile tables of real conversations in, draws out: every draw is a function of a key and a place, so that a life lived again differs only where it must."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

HOUR = 3_600_000
DAY = 24 * HOUR
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def mixed(keys: np.ndarray, slot: int) -> np.ndarray:
    """Return a new key for each key and place (splitmix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        z = keys.astype(np.uint64) + np.uint64(slot + 1) * _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * _MIX[0]
        z = (z ^ (z >> np.uint64(27))) * _MIX[1]
    return z ^ (z >> np.uint64(31))


def draw(keys: np.ndarray, slot: int) -> np.ndarray:
    """Return a number in [0, 1) for each key and place: equal keys and places give equal numbers."""
    return (mixed(keys, slot) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def keys(seed: int, count: int) -> np.ndarray:
    """Return that many keys of one stream; streams of neighbouring seeds share none."""
    start = mixed(np.array([seed % 2**63], dtype=np.uint64), 11)
    return mixed(np.arange(count, dtype=np.uint64) + start, 7)


def normal(keys_: np.ndarray, slot: int) -> np.ndarray:
    """Return standard normal draws (Box and Muller)."""
    first = np.sqrt(-2.0 * np.log(1.0 - draw(keys_, slot)))
    return first * np.cos(2 * np.pi * draw(keys_, slot + 7919))


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


@lru_cache(maxsize=64)
def local_hours(zone: str, first_hour: int, count: int) -> np.ndarray:
    """Return the local hour of the week (Monday 00:00 is 0) of each UTC hour since 1970, with daylight saving."""
    where = ZoneInfo(zone)
    found = []
    for hour in range(first_hour, first_hour + count):
        local = datetime.fromtimestamp(hour * 3600, UTC).astimezone(where)
        found.append(local.weekday() * 24 + local.hour)
    return np.array(found)
