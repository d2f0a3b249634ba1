"""Seed and size in, the lines of a fleet out: roles, zones, young lines, and what will happen to each."""

from __future__ import annotations

import numpy as np

from analysis.simulate.replay.happen import fresh_chats
from analysis.simulate.replay.incidents import plan
from analysis.simulate.replay.line import Line, build, rhythm
from analysis.simulate.replay.roles import ROLES, ZONES
from analysis.simulate.shared.draws import DAY, HOUR

_YOUNG = 0.1
"""Share of lines whose life begins inside the span."""
_AREAS = (206, 303, 404, 512, 617, 702, 808, 919)


def fleet(*, seed: int, lines: int, days: int, end: int, strength: float = 1.0) -> list[Line]:
    """Return the lines of a fleet; equal arguments give equal fleets.

    Args:
        seed: which fleet of this size.
        lines: how many, at least 1.
        days: span up to ``end``.
        end: instant after the last event, ms, a full hour.
        strength: factor on the size of every incident.
    """
    streams = np.random.SeedSequence([seed, 20041026]).spawn(lines)
    deck: list[str] = []
    made = []
    for place, stream in enumerate(streams):
        rng = np.random.default_rng(stream)
        role = ROLES[place % len(ROLES)]
        zone = ZONES[int(rng.integers(len(ZONES)))]
        start = end - days * DAY
        if days >= 20 and rng.random() < _YOUNG:
            start += int(rng.uniform(0.35, 0.6) * days) * DAY + 5 * HOUR
        shape, office = rhythm(role, zone, start, end, rng)
        incidents = plan(rng, role, deck, start=start, end=end, office=office, strength=strength)
        fresh = {i.number: fresh_chats(i, role.openers) for i in incidents if i.kind == "opener_burst"}
        made.append(
            build(
                number=f"+1{_AREAS[place % len(_AREAS)]}555{1000 + place // len(_AREAS) % 9000:04d}", role=role, zone=zone,
                seed=int(rng.integers(2**62)), start=start, end=end, incidents=tuple(incidents), shape=shape, office=office, fresh=fresh,
            )
        )  # fmt: skip
    return made
