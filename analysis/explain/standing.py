"""What an earlier refresh measured, and from when on each line may be otherwise, in; which of its explanations stand out.

An explanation uses nothing later than its change. It rests on its own line, on pooled rates, on the scale that quiet times and worsenings
before it give, and on whether the vendor's scoring seems to have changed. Where all these are what they were, it stands; what it tells of the
other lines' replies, and how often quiet times had as much pressure, is put into it again (``retold``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec
import numpy as np

from analysis.explain.attribution import Scale, Scales
from analysis.explain.baseline import EDGES, FIXED, Fleet, FleetSums
from analysis.explain.cases import with_messages
from analysis.explain.change import Change, episode_of, weighable
from analysis.explain.constants import DAY
from analysis.explain.drift import Lesson, ScoringChanges, scoring_of
from analysis.explain.peers import Peers
from analysis.explain.quiet import NO_POINTS, KeptQuiet, KnownQuietTimes, Points, last_day, pool_of
from analysis.explain.running import Array
from analysis.explain.telling import quiet_figures
from analysis.schema import Driver, Explanation
from analysis.settings import Settings


@dataclass(frozen=True)
class Kept:
    """What an earlier refresh measured, and what it rested on.

    Args:
        begins: line to the time (ms) from which on anything of it may be other than it was; lines that are not among them are as they were.
        changes: all it explained, in order of time, line and kind.
        firsts: when each line's first message was (ms).
        sums: what pooled rates rested on.
        quiet: quiet times by line.
        lessons: of all changes.
    """

    begins: Mapping[str, float]
    changes: list[Change]
    firsts: Mapping[str, int]
    sums: FleetSums
    quiet: dict[str, Points]
    lessons: list[Lesson]


NOTHING = Kept({}, [], {}, FleetSums(0, [], np.zeros((1, FIXED)), np.zeros((1, len(EDGES)))), {}, [])
"""Where there was no earlier refresh: all is due."""


class Standing:
    """Which changes need no new explanation.

    Args:
        kept: of the earlier refresh.
        changes: all there are now, in order of time, line and kind.
        pool: of ``pool_of`` now.
        fleet: pooled rates as they are now.
        settings: see Settings.
    """

    def __init__(self, kept: Kept, changes: list[Change], pool: list[str], fleet: Fleet, settings: Settings) -> None:
        self.rescaled = frozenset[Change]()
        self._kept, self._changes, self._fleet, self._settings = kept, changes, fleet, settings
        self._pool, self._pool_then = pool, pool_of(kept.firsts)
        self._was, self._same = Fleet(kept.sums, settings), dict[int, bool]()
        self._first = min(kept.begins.values(), default=np.inf)
        """Up to then nothing is new of any line."""

    def due(self) -> frozenset[Change]:
        """Return the changes that are new, or whose line or pooled rates are not what they were."""
        there = set(self._kept.changes)
        return self._with_stories(
            c for c in self._changes if c not in there or c.at >= self._begin(c.line) or not self.same(c.at)
        )

    def quiet(self) -> KeptQuiet:
        """Return the quiet times as they were measured."""
        k = self._kept
        return KeptQuiet(k.quiet, k.begins, weighable(with_messages(k.changes, k.firsts)), self._pool_then, self.same)

    def lessons(self, due: frozenset[Change]) -> list[Lesson]:
        """Return what changes teach that are not due."""
        stand = {c.key for c in self._changes if c not in due}
        return [lesson for lesson in self._kept.lessons if lesson.key in stand]

    def same(self, t: int) -> bool:
        """Say whether pooled rates at a time are what they were."""
        if t < self._first:
            return True
        day = int(t // DAY)
        if day not in self._same:
            self._same[day] = self._fleet.at(t).key == self._was.at(t).key
        return self._same[day]

    def on_another_scale(
        self,
        due: frozenset[Change],
        scales: Scales,
        points: Mapping[str, Points],
        taught: Mapping[tuple[str, int, str], Array],
    ) -> frozenset[Change]:
        """Return those that are not due, but are weighed by another scale now; notes those that other quiet times are told of (``rescaled``).

        Args:
            due: the changes that are due already.
            scales: by the quiet times and lessons of now.
            points: quiet times of now, by line.
            taught: effects of the lessons of now, by ``Lesson.key``.
        """
        k = self._kept
        unlike, pools = _unlike_from(k.quiet, points), {*self._pool_then, *self._pool}
        shared = min((day for line, day in unlike.items() if line in pools), default=np.inf)
        taught_from = _taught_unlike_from({lesson.key: lesson.effects for lesson in k.lessons}, taught)
        asked = [
            c
            for c in weighable(with_messages(self._changes, k.firsts))
            if c not in due and (taught_from < c.at or min(shared, unlike.get(c.line, np.inf)) <= last_day(c.at))
        ]
        if not asked:
            return frozenset()
        were = self._scales_then()
        found = self._with_stories(c for c in asked if not scales.at(c.line, c.at).weighs_as(were.at(c.line, c.at)))
        self.rescaled = frozenset(asked) - found
        return found - due

    def drifted(self, due: frozenset[Change], now: ScoringChanges) -> frozenset[Change]:
        """Return those that are not due, but show another change of the vendor's scoring.

        Args:
            due: the changes that are due already.
            now: by the lessons of now.
        """
        then = scoring_of(self._kept.lessons, self._kept.firsts, self._settings)
        asked = (c for c in self._changes if c not in due and c.worsening and c.at >= self._first)
        return frozenset(c for c in asked if now.at(c.at) != then.at(c.at))

    def _begin(self, line: str) -> float:
        return self._kept.begins.get(line, np.inf)

    def _scales_then(self) -> Scales:
        k = self._kept
        quiet = KnownQuietTimes({line: k.quiet.get(line, NO_POINTS) for line in self._pool_then}, k.quiet)
        return Scales(quiet, [(lesson.at, lesson.effects) for lesson in k.lessons])

    def _with_stories(self, due: Iterable[Change]) -> frozenset[Change]:
        """Return changes with those that come after them in the same spell of trouble: their stories tell of them."""
        found, by_line = set(due), defaultdict[str, list[Change]](list)
        for change in self._changes:
            if change not in found and not found.isdisjoint(episode_of(by_line[change.line], change)):
                found.add(change)
            by_line[change.line].append(change)
        return frozenset(found)


def retold(e: Explanation, change: Change, compared_from: int | None, scale: Scale | None, peers: Peers) -> Explanation:
    """Return an explanation that stands with what it tells of other lines as it is now.

    Args:
        e: the explanation.
        change: what it explains.
        compared_from: since when the line was compared with the others (ms); None where it was not.
        scale: of the change, where it is by other quiet times; else None.
        peers: how lines were answered.
    """
    if scale is not None:
        e = msgspec.structs.replace(e, drivers=[_weighed(driver, scale) for driver in e.drivers])
    if compared_from is not None:
        e = msgspec.structs.replace(e, peers=peers.beside(change.line, compared_from, change.at))
    return e


def _weighed(driver: Driver, scale: Scale) -> Driver:
    pressure = driver.evidence.get("observed")
    if driver.driver != "unexplained" or not isinstance(pressure, float):
        return driver
    return msgspec.structs.replace(driver, evidence={**driver.evidence, **quiet_figures(pressure, scale)})


def _unlike_from(one: Mapping[str, Points], other: Mapping[str, Points]) -> dict[str, int]:
    """Return by line the first day whose quiet time only one of two has, or has with other effects."""
    found = {}
    for line in {*one, *other}:
        a, b = (_by_day(of.get(line, NO_POINTS)) for of in (one, other))
        days = [day for day in a.keys() | b.keys() if a.get(day) != b.get(day)]
        if days:
            found[line] = min(days)
    return found


def _by_day(points: Points) -> dict[int, tuple[float, ...]]:
    days, effects = points
    return dict(zip(days.tolist(), map(tuple, effects.tolist()), strict=True))


def _taught_unlike_from(
    one: Mapping[tuple[str, int, str], Array], other: Mapping[tuple[str, int, str], Array]
) -> float:
    """Return the time of the first worsening that only one of two has, or has with other effects."""
    return min(
        (key[1] for key in one.keys() | other.keys() if key not in one or key not in other or not np.array_equal(one[key], other[key])),
        default=np.inf,
    )  # fmt: skip
