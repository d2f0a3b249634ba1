"""A made-up line in, what was measured at its last change out."""

from __future__ import annotations

from datetime import datetime

from analysis.explain.evidence import Case
from analysis.explain.measure import Measured, measure
from analysis.settings import Settings
from tests.explain.builders import World, share

LATER = datetime(2027, 1, 1)


def measured(world: World, **settings) -> Measured:
    """Everything measured at the changes of a world."""
    return measure(*world.frames(), as_of=LATER, settings=Settings(**settings))


def case_of(world: World, line: str = "+1") -> Case:
    """The last change of a line."""
    found = measured(world)
    return found.cases[[c for c in found.changes if c.line == line][-1]]


def effects_of(world: World, line: str = "+1") -> dict[str, float]:
    """The effects at the last change of a line that are not 0."""
    return {driver: x for driver, x in case_of(world, line).effects.x.items() if x}


def amounts_of(world: World, line: str = "+1") -> dict[str, float]:
    """The amounts at the last change of a line."""
    return case_of(world, line).effects.amount


def known(world: World, chats: int, line: str = "+1") -> World:
    """Let every chat write once on the first day, so that none of them ever looks new."""
    for i in range(chats):
        world.message(line, f"{line}-c{i}", i / chats, "inbound")
    return world


def volume_share(explanation) -> float:
    """What is put down to many recipients or to pace."""
    return share(explanation, "recipient_spread") + share(explanation, "send_pace")
