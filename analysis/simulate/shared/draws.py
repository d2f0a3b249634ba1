"""Keys and places in, random numbers out: every draw is a function of both, so that a life lived again differs only where it must."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
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


@lru_cache(maxsize=64)
def local_hours(zone: str, first_hour: int, count: int) -> np.ndarray:
    """Return the local hour of the week (Monday 00:00 is 0) of each UTC hour since 1970, with daylight saving."""
    where = ZoneInfo(zone)
    found = []
    for hour in range(first_hour, first_hour + count):
        local = datetime.fromtimestamp(hour * 3600, UTC).astimezone(where)
        found.append(local.weekday() * 24 + local.hour)
    return np.array(found)
