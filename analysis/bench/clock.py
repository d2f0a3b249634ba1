"""Random draws and instants (arrays of milliseconds) in, the made-up fleet's local rhythm out: whole lines at once, no loop over messages.

The same habits as the slow simulator's (`analysis/simulate/rhythm.py`), as arrays.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analysis.simulate.rhythm import DAY, HOUR, MINUTE, SECOND

Times = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

ZONES = ("America/Los_Angeles", "America/New_York", "America/Chicago", "America/Denver")
OPENS, CLOSES = 8, 20
WAKES, SLEEPS = 7, 23
WEEKDAY = np.array([1.0, 1.06, 1.04, 1.0, 0.92, 0.5, 0.36])
"""Share of a Monday's conversations, from Monday on."""
HOURS = np.array([2, 5, 8, 9, 8, 6, 7, 8, 8, 6, 4, 2], dtype=float)
"""Share of a day's first sends by office hour, from 08:00 local."""
AT_NIGHT = 0.15
"""Share of answers written at once although it is night."""


class Clock:
    """Local time of one line over one span; its offset from UTC is that of each day's noon."""

    def __init__(self, zone: str, first_day: int, days: int) -> None:
        self.first_day = first_day
        info = ZoneInfo(zone)
        self._offsets = np.array(
            [
                int(datetime.fromtimestamp((first_day + d) * 86_400 + 43_200, UTC).astimezone(info).utcoffset().total_seconds())  # type: ignore[union-attr]
                for d in range(days)
            ],
            dtype=np.int64,
        ) * SECOND  # fmt: skip

    def offset(self, at: Times) -> Times:
        """Return milliseconds to add to UTC for local time; outside the span, as on its nearest day."""
        return self._offsets[np.clip(at // DAY - self.first_day, 0, len(self._offsets) - 1)]

    def hour(self, at: Times) -> Floats:
        """Return the local hour with fraction."""
        return ((at + self.offset(at)) % DAY) / HOUR

    def in_office(self, days: Times, rng: np.random.Generator) -> Times:
        """Return an instant in office hours of each of these days (counted from 1970), busy hours more often."""
        hour = rng.choice(len(HOURS), size=len(days), p=HOURS / HOURS.sum()) + rng.random(len(days)) + OPENS
        local = days * DAY + (hour * HOUR).astype(np.int64)
        return local - self.offset(local)

    def at_work(self, at: Times, rng: np.random.Generator) -> Times:
        """Return instants in office hours as they are, others a moment after the next opening."""
        hour = self.hour(at)
        wait = ((OPENS - hour) % 24) * HOUR + rng.exponential(40, len(at)) * MINUTE
        return np.where((hour >= OPENS) & (hour < CLOSES), at, at + wait.astype(np.int64))

    def awake(self, at: Times, rng: np.random.Generator) -> Times:
        """Return instants by day as they are, those at night mostly a moment after waking."""
        hour = self.hour(at)
        wait = ((WAKES - hour) % 24) * HOUR + rng.exponential(60, len(at)) * MINUTE
        stays = ((hour >= WAKES) & (hour < SLEEPS)) | (rng.random(len(at)) < AT_NIGHT)
        return np.where(stays, at, at + wait.astype(np.int64))


def reply_delays(count: int, rng: np.random.Generator) -> Times:
    """Return how long people who reply take, in milliseconds: a quick and a slow habit, both log-normal (method sheet, section 2.3)."""
    median = np.where(rng.random(count) < 0.64, 6 * MINUTE, 8 * HOUR)
    return np.maximum(4 * SECOND, median * np.exp(rng.normal(0.0, 1.3, count))).astype(np.int64)
