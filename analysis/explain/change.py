"""A row of TRANSITIONS in, the worsenings that led up to it out: the spell of trouble that a change belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_WELL = ("HEALTHY", "ACTIVE")


@dataclass(frozen=True)
class Change:
    """One row of TRANSITIONS, its time in ms."""

    line: str
    at: int
    kind: str
    previous: str | None
    new: str
    worsening: bool
    missed_before: bool

    @property
    def key(self) -> tuple[str, int, str]:
        """What tells it from others."""
        return self.line, self.at, self.kind


def weighable(changes: Iterable[Change]) -> list[Change]:
    """Return the changes that drivers are weighed for: worsenings, and recoveries from a known state."""
    return [c for c in changes if c.worsening or c.previous is not None]


def of_lines(changes: Iterable[Change]) -> dict[str, list[Change]]:
    """Return the changes of each line, in their order."""
    found: dict[str, list[Change]] = {}
    for change in changes:
        found.setdefault(change.line, []).append(change)
    return found


def episode_of(before: list[Change], change: Change) -> list[Change]:
    """Return the worsenings of the same kind since the line was last healthy (or active), oldest first.

    Where a report says that the line was healthy before it, an unreported return to health lies between.
    """
    found: list[Change] = []
    later = change
    for earlier in reversed(before):
        if earlier.kind != change.kind:
            continue
        if later.previous in _WELL or earlier.new in _WELL:
            break
        if earlier.worsening:
            found.append(earlier)
        later = earlier
    return found[::-1]
