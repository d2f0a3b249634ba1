"""A row of TRANSITIONS in, the worsenings that led up to it out: the spell of trouble that a change belongs to."""

from __future__ import annotations

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
