"""Requests of addresses in, whether each may be taken out: a token bucket for every address, so that one that floods is alone in waiting."""

from __future__ import annotations

import collections
import time
from collections.abc import Callable

BURST_S = 2.0
"""An address that was quiet may send so many seconds' worth at once: the vendor's own retries come in heaps."""
ADDRESSES = 10_000
"""Addresses remembered; the one that was quiet for longest is forgotten first, its bucket being full again by then."""


class Rate:
    """How much each address may still send.

    Args:
        per_second: requests a second of one address; 0: no limit.
        clock: seconds that never go back.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_second, self.most, self.clock = per_second, max(1.0, per_second * BURST_S), clock
        self._left: collections.OrderedDict[str, tuple[float, float]] = collections.OrderedDict()

    def allows(self, address: str) -> bool:
        """Count one request of an address; return whether it is within the limit."""
        if not self.per_second:
            return True
        now = self.clock()
        left, at = self._left.pop(address, (self.most, now))
        left = min(self.most, left + (now - at) * self.per_second)
        allowed = left >= 1
        self._left[address] = (left - 1 if allowed else left, now)
        if len(self._left) > ADDRESSES:
            self._left.popitem(last=False)
        return allowed
