"""Lines far from any trouble in, the effects of such quiet times out: what is ordinary, for every driver and for all together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from analysis.explain.baseline import Fleet, usual_of
from analysis.explain.constants import CONSTANTS, DAY
from analysis.explain.effects import effects_at
from analysis.explain.found import Effects
from analysis.explain.history import LineHistory
from analysis.explain.running import Array
from analysis.explain.shelf import firsts_of
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

Points = tuple[Array, Array]
"""Quiet days of a line (since 1970, in order), and its effects at the noon of each, a row a day."""


@dataclass(frozen=True)
class KeptQuiet:
    """Quiet times as an earlier refresh measured them.

    Args:
        points: of each line that has some.
        lines: those beside the pool that were measured, with or without a quiet time.
        until: the last day that was measured.
        begin: ms; from then on anything may be other than it was.
    """

    points: dict[str, Points] = field(default_factory=dict)
    lines: frozenset[str] = frozenset()
    until: int = -1
    begin: float = 0.0


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


def last_day(t: int) -> int:
    """Return the last day whose noon is ``quiet_days`` before t."""
    return int((t - CONSTANTS.quiet_days * DAY - DAY // 2) // DAY)


class QuietTimes:
    """Effects every other day on lines that are far from any trouble; worked out when first asked for, but for what is kept.

    Args:
        histories: all lines.
        troubles: their unhealthy times.
        fleet: pooled rates.
        settings: see Settings.
        latest: ms; the latest time that is asked for.
        kept: of an earlier refresh.
    """

    def __init__(
        self,
        histories: Mapping[str, LineHistory],
        troubles: Callable[[str], Troubles],
        fleet: Fleet,
        settings: Settings,
        *,
        latest: int,
        kept: KeptQuiet | None = None,
    ) -> None:
        self._histories, self._troubles, self._fleet, self._settings = histories, troubles, fleet, settings
        self._until, self._kept = last_day(latest), kept or KeptQuiet()
        self._pool = pool_of(firsts_of(histories))
        self._points: dict[str, Points] = {}
        self._shared: tuple[Array, Array, Array] | None = None

    def all(self, lines: Iterable[str]) -> dict[str, Points]:
        """Return the quiet times of the lines that all others are compared with, and of these lines; in order of line."""
        return {line: self.of_line(line) for line in sorted({*self._pool, *lines}) if line in self._histories}

    def of_line(self, line: str) -> Points:
        """Return the quiet days of a line, and its effects at the noon of each; none while young or nearly silent."""
        if line not in self._points:
            history, troubles = self._histories[line], self._troubles(line)
            stands, known = self._standing(line, troubles)
            first = int(history.first_at // DAY) + self._settings.young_line_days
            days, found = [], []
            for day in range(first + first % CONSTANTS.quiet_step_days, self._until + 1, CONSTANTS.quiet_step_days):
                effects = known.get(day)
                if effects is None and day > stands:
                    effects = self._measured(history, troubles, day * DAY + DAY // 2)
                if effects is not None:
                    days.append(day)
                    found.append(effects)
            self._points[line] = np.array(days, dtype=int), np.array(found).reshape(-1, WIDTH)
        return self._points[line]

    def _standing(self, line: str, troubles: Troubles) -> tuple[int, dict[int, Array]]:
        """Return the last day up to which all that is kept of a line stands, and kept effects by day, some later ones too.

        Effects use nothing later than their noon. Whether a noon is quiet is told by the week after it as well.
        """
        kept = self._kept
        if line not in kept.lines and line not in self._pool:  # a line that joins the pool is new: all its days are
            return -1, {}
        same = int((kept.begin - DAY // 2 - 1) // DAY)  # the last noon before anything new
        stands = min(kept.until, same - int(CONSTANTS.quiet_days) - 1)
        days, effects = kept.points.get(line, (np.array([], dtype=int), np.zeros((0, WIDTH))))
        known = {
            day: of
            for day, of in zip(days.tolist(), effects, strict=True)
            if day <= stands or (day <= same and troubles.quiet_at(day * DAY + DAY // 2))
        }
        return stands, known

    def _measured(self, history: LineHistory, troubles: Troubles, t: int) -> Array | None:
        """Return the effects on a line at t; None where that is no quiet time of it."""
        settings = self._settings
        low, high = np.searchsorted(history.send_at, (t - 7 * DAY, t), side="right")
        if high - low < settings.explain_thin_sends or not troubles.quiet_at(t):
            return None
        usual = usual_of(history, troubles, self._fleet, t, settings)
        return vector(effects_at(history, troubles, usual, t, settings, flags=False)) if usual.own else None

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
        k, last = CONSTANTS, last_day(t)
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
