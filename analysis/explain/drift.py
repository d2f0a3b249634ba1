"""Worsenings without pressure of their own, over the whole fleet, in; the time from which they came much oftener out."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import log
from zoneinfo import ZoneInfo

import numpy as np

from analysis.explain.constants import CONSTANTS, DAY
from analysis.explain.running import Array
from analysis.explain.words import count, day
from analysis.settings import Settings


@dataclass(frozen=True)
class Lesson:
    """What a worsening teaches about later ones: its effects and amounts (``quiet.vector``), and the share left unexplained."""

    line: str
    at: int
    kind: str
    effects: Array
    unexplained: float

    @property
    def key(self) -> tuple[str, int, str]:
        """What tells it from others."""
        return self.line, self.at, self.kind


@dataclass(frozen=True)
class ScoringChange:
    """Since when, and on how many lines of how many, worsenings without pressure of their own came oftener than before."""

    since: int
    lines: int
    of: int


class ScoringChanges:
    """Worsenings without pressure of their own, over a fleet, ready to be looked at as of any time.

    Args:
        worsenings: (when, line, unexplained share) of all worsenings of the fleet.
        starts: since when every line can be explained (ms).
    """

    def __init__(self, worsenings: Iterable[tuple[int, str, float]], starts: dict[str, int]) -> None:
        told = sorted((at, line) for at, line, share in worsenings if share >= CONSTANTS.drift_unexplained)
        self._times, self._lines = [at for at, _ in told], [line for _, line in told]
        self._starts = np.sort(np.array(list(starts.values()), dtype=np.int64))
        self._sums = np.concatenate(([0.0], np.cumsum(self._starts.astype(float))))

    def at(self, t: int) -> ScoringChange | None:
        """Return the change that the vendor's scoring may have seen, as it shows at t (ms); None where nothing stands out.

        The start within the last ``drift_days`` that makes the distinct lines with an unexplained worsening since then most
        unlikely under the rate before it (Poisson); only where at least ``drift_lines`` lines and ``drift_share`` of the fleet
        are among them, at least ``drift_ratio`` times as many as expected, and ``drift_before`` days of every line before it. Own method: a change of scoring moves many lines
        at once, an organic change does not.
        """
        k = CONSTANTS
        active = int(np.searchsorted(self._starts, t, side="right"))
        first, stop = bisect_left(self._times, t - k.drift_days * DAY), bisect_right(self._times, t)
        best, found = k.drift_likelihood, None
        lines: set[str] = set()
        for place in range(stop - 1, first - 1, -1):
            lines.add(self._lines[place])
            since = self._times[place]
            if place > first and self._times[place - 1] == since:
                continue  # a start takes all of its instant
            n = len(lines)
            if n < max(k.drift_lines, k.drift_share * active):
                continue
            before = bisect_left(self._times, since)
            known = int(np.searchsorted(self._starts, since, side="right"))
            exposed = (known * since - float(self._sums[known])) / DAY
            if exposed < k.drift_before * active:
                break  # too little before it to tell what is usual
            rate = (before + 0.5) / (exposed + CONSTANTS.drift_prior_days)
            expected = rate * active * max((t - since) / DAY, 0.5)
            if n < k.drift_ratio * expected:
                continue
            score = n * log(n / expected) - (n - expected)
            if score > best:
                best, found = score, ScoringChange(since, n, active)
        return found


def scoring_changed(change: ScoringChange, zone: ZoneInfo) -> str:
    """Return the headline of a worsening that came with many others like it."""
    return (
        f"No cause in this line's own sends: {count(change.lines)} of {count(change.of)} lines worsened since {day(change.since, zone)} "
        "without pressure of their own. The vendor may have changed its scoring around then."
    )


def scoring_of(lessons: Iterable[Lesson], firsts: Mapping[str, int], settings: Settings) -> ScoringChanges:
    """Return what lessons tell of changes of the vendor's scoring.

    Args:
        lessons: of all changes.
        firsts: when each line's first message was (ms).
        settings: the age from which a line can be explained.
    """
    starts = {line: started(first_at, settings) for line, first_at in firsts.items()}
    return ScoringChanges([(lesson.at, lesson.line, lesson.unexplained) for lesson in lessons], starts)


def started(first_at: int, settings: Settings) -> int:
    """Return from when a line can be explained (ms), from the time of its first message."""
    return round(first_at + settings.young_line_days * DAY)
