"""Lines far from any trouble in, the effects of such quiet times out: what is ordinary, for every driver and for all together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np

from analysis.explain.baseline import Fleet, usual_of
from analysis.explain.constants import CONSTANTS, DAY
from analysis.explain.effects import effects_at
from analysis.explain.found import Effects
from analysis.explain.history import LineHistory
from analysis.explain.running import Array
from analysis.explain.troubles import Troubles
from analysis.settings import Settings

SCALED = (
    "engagement",
    "deliverability",
    "new_conversations",
    "recipient_spread",
    "send_pace",
    "opt_outs",
    "repeated_content",
)
"""The drivers that have an effect of their own size, in the order of every vector of effects; a flag has none."""


WIDTH = 2 * len(SCALED)


def vector(effects: Effects) -> Array:
    """Return the effects of SCALED, in its order, then their amounts."""
    return np.array([of.get(driver, 0.0) for of in (effects.x, effects.amount) for driver in SCALED])


def effects_of(found: Array, t: int) -> Effects:
    """Return effects of which ``vector`` makes these numbers; no flag."""
    n, values = len(SCALED), [float(v) for v in found]
    return Effects(t, dict(zip(SCALED, values[:n], strict=True)), amount=dict(zip(SCALED, values[n:], strict=True)))


def pool_of(firsts: Mapping[str, int]) -> list[str]:
    """Return the lines that quiet times of the fleet are taken from: those known longest, by their first message (ms)."""
    return sorted(firsts, key=lambda line: (firsts[line], line))[: CONSTANTS.quiet_lines]


class QuietTimes:
    """Effects every other day on lines that are far from any trouble; worked out when first asked for.

    Args:
        histories: all lines.
        troubles: their unhealthy times.
        fleet: pooled rates.
        settings: see Settings.
    """

    def __init__(
        self,
        histories: dict[str, LineHistory],
        troubles: Callable[[str], Troubles],
        fleet: Fleet,
        settings: Settings,
    ) -> None:
        self._histories, self._troubles, self._fleet, self._settings = histories, troubles, fleet, settings
        self._pool = pool_of({line: history.first_at for line, history in histories.items()})
        self._points: dict[str, tuple[Array, Array]] = {}
        self._shared: tuple[Array, Array, Array] | None = None

    def of_line(self, line: str) -> tuple[Array, Array]:
        """Return the quiet days of a line, and its effects at the noon of each; none while young or nearly silent."""
        if line not in self._points:
            history, troubles, settings = self._histories[line], self._troubles(line), self._settings
            first = int(history.first_at // DAY) + settings.young_line_days
            last = int(history.totals.times[-1] // DAY)
            days, found = [], []
            for day in range(first + first % CONSTANTS.quiet_step_days, last + 1, CONSTANTS.quiet_step_days):
                t = day * DAY + DAY // 2
                low, high = np.searchsorted(history.send_at, (t - 7 * DAY, t), side="right")
                if high - low < settings.explain_thin_sends or not troubles.quiet_at(t):
                    continue
                usual = usual_of(history, troubles, self._fleet, t, settings)
                if usual.own:
                    days.append(day)
                    found.append(vector(effects_at(history, troubles, usual, t, settings, flags=False)))
            self._points[line] = np.array(days, dtype=int), np.array(found).reshape(-1, WIDTH)
        return self._points[line]

    def _of_pool(self) -> tuple[Array, Array, Array]:
        """Return owner (place in the pool), day and effects of all quiet times of the pool."""
        if self._shared is None:
            parts = [self.of_line(line) for line in self._pool]
            owner = np.repeat(np.arange(len(parts)), [len(days) for days, _ in parts])
            days = np.concatenate([days for days, _ in parts]) if parts else np.array([], dtype=int)
            found = np.concatenate([x for _, x in parts]) if parts else np.zeros((0, WIDTH))
            self._shared = owner, days, found
        return self._shared

    def before(self, line: str, t: int) -> tuple[Array, Array]:
        """Return quiet times of 60 days up to 7 days before t, of the fleet and of this line: effects, and how much each counts.

        A quiet day of the line's own counts as ``own_weight`` of the fleet's.
        """
        k = CONSTANTS
        last = int((t - k.quiet_days * DAY - DAY // 2) // DAY)
        owner, days, found = self._of_pool()
        inside = (days <= last) & (days >= last - k.quiet_back_days)
        weights = np.ones(len(days))
        if line in self._pool:
            weights[owner == self._pool.index(line)] = k.own_weight
            return found[inside], weights[inside]
        if line not in self._histories:
            return found[inside], weights[inside]
        own_days, own = self.of_line(line)
        mine = (own_days <= last) & (own_days >= last - k.quiet_back_days)
        return (
            np.concatenate((found[inside], own[mine])),
            np.concatenate((weights[inside], np.full(int(mine.sum()), float(k.own_weight)))),
        )


class KnownQuietTimes(QuietTimes):
    """The same where they are known already, from another process: nothing is worked out.

    Args:
        pool: days and effects (of ``QuietTimes.of_line``) of the lines that quiet times of the fleet are taken from, in their order.
        own: those of all other lines that are asked for.
    """

    def __init__(self, pool: Mapping[str, tuple[Array, Array]], own: Mapping[str, tuple[Array, Array]]) -> None:
        self._pool, self._points, self._shared = list(pool), {**own, **pool}, None
        self._histories = cast(Any, self._points)
