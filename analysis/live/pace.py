"""Calls that want to start in, calls spaced out: one pace over all of them, and a pause for all when the API asks for it."""

from __future__ import annotations

import asyncio
import random
import time


class Pace:
    """Lets calls start at most ``rate`` times a second, evenly; nothing is saved up in quiet times."""

    def __init__(self, rate: float) -> None:
        self._gap = 1.0 / rate
        self._next = 0.0
        self._lock = asyncio.Lock()

    async def turn(self) -> None:
        """Return when the next call may start."""
        async with self._lock:
            while (left := self._next - time.monotonic()) > 0:
                await asyncio.sleep(left)
            self._next = time.monotonic() + self._gap

    def hold(self, seconds: float) -> None:
        """Let no call start for so long."""
        self._next = max(self._next, time.monotonic() + seconds)


def backoff(failures: int, first_s: float, longest_s: float) -> float:
    """Return the pause after so many failures of one call (1, 2, …): doubled each time, capped, then 50 to 100 % of it by chance."""
    return float(min(longest_s, first_s * 2 ** min(failures - 1, 30)) * random.uniform(0.5, 1.0))
