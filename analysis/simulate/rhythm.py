"""Instants and randomness in, local office rhythm, reply delays and ids out: the made-up world's clock, in whole milliseconds UTC."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
TICK = 30 * MINUTE

_WEEKDAY = (1.0, 1.06, 1.04, 1.0, 0.92, 0.5, 0.36)
_OPENS, _CLOSES = 8.0, 20.0
_WAKES, _SLEEPS = 7.0, 23.0
_SHAPE = (2, 5, 8, 9, 8, 6, 7, 8, 8, 6, 4, 2)
"""Share of a day's first sends by office hour, from 08:00 local."""


def milliseconds(at: datetime) -> int:
    """Return an instant (naive means UTC) as milliseconds since 1970."""
    aware = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@lru_cache(maxsize=4096)
def _day_text(day: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).strftime("%Y-%m-%d")


def iso(at: int) -> str:
    """Return milliseconds as the vendor writes an instant: RFC 3339, UTC, "Z"."""
    day, rest = divmod(at, DAY)
    seconds, ms = divmod(rest, SECOND)
    minutes, s = divmod(seconds, 60)
    h, m = divmod(minutes, 60)
    return f"{_day_text(day)}T{h:02d}:{m:02d}:{s:02d}.{ms:03d}Z"


def identifier(rng: random.Random) -> str:
    """Return a made-up id in the shape of a UUID (version 4)."""
    h = f"{rng.getrandbits(128):032x}"
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-{'89ab'[int(h[16], 16) & 3]}{h[17:20]}-{h[20:]}"


def poisson(rng: random.Random, mean: float) -> int:
    """Return a Poisson count for a small mean."""
    floor, product, count = math.exp(-mean), rng.random(), 0
    while product > floor:
        product *= rng.random()
        count += 1
    return count


def reply_delay(rng: random.Random) -> int:
    """Return how long a person who replies takes: a quick and a slow habit, both log-normal.

    Set to the real data of the method sheet, section 2.3: 59 % within 1 h, 74 % within 6 h, 89 % within 24 h.
    """
    quick = rng.random() < 0.64
    median, spread = (6 * MINUTE, 1.3) if quick else (8 * HOUR, 1.3)
    return max(4 * SECOND, int(median * math.exp(rng.gauss(0.0, spread))))


class Calendar:
    """Local time of one line: when it works, and when the people it writes to are awake."""

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone)
        self._offsets: dict[int, int] = {}

    def local(self, at: int) -> tuple[int, float]:
        """Return (weekday from Monday = 0, hour with fraction) of an instant."""
        day = at // DAY
        offset = self._offsets.get(day)
        if offset is None:
            noon = datetime.fromtimestamp(day * 86400 + 43200, self._zone)
            offset = self._offsets[day] = int(noon.utcoffset().total_seconds()) * SECOND  # type: ignore[union-attr]
        days, rest = divmod(at + offset, DAY)
        return (days + 3) % 7, rest / HOUR

    def weight(self, at: int) -> float:
        """Return the share of a full weekday's first sends that falls into the tick beginning now."""
        weekday, hour = self.local(at)
        if not _OPENS <= hour < _CLOSES:
            return 0.0
        return _WEEKDAY[weekday] * _SHAPE[int(hour - _OPENS)] / sum(_SHAPE) / 2

    def at_work(self, at: int, rng: random.Random) -> int:
        """Return the instant itself in office hours, else a moment after the next opening."""
        _, hour = self.local(at)
        if _OPENS <= hour < _CLOSES:
            return at
        wait = (_OPENS - hour) % 24
        return at + int(wait * HOUR + rng.expovariate(1 / 40) * MINUTE)

    def awake(self, at: int, rng: random.Random) -> int:
        """Return the instant itself by day; at night mostly a moment after waking."""
        _, hour = self.local(at)
        if _WAKES <= hour < _SLEEPS or rng.random() < 0.15:
            return at
        wait = (_WAKES - hour) % 24
        return at + int(wait * HOUR + rng.expovariate(1 / 60) * MINUTE)

    def weekday_at(self, at: int, hour: float, *, until: int) -> int:
        """Return that local hour on the day of ``at``; from a weekend the next Monday, or the Friday before where that is too late."""
        weekday, now = self.local(at)
        first = at + int((hour - now) * HOUR)
        ahead = max(0, 7 - weekday) if weekday > 4 else 0
        return first + ahead * DAY if first + ahead * DAY < until else first - (weekday - 4) * DAY
