"""A family, a hidden scorer and a seed in, one made-up fleet with its truth out: what reasons are tried on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from analysis.errors import UsageError
from analysis.simulate.drawn import SCORERS as DRAWN_SCORERS
from analysis.simulate.drawn import drawn_frames
from analysis.simulate.frames import Frames
from analysis.simulate.replay import SCORERS as REPLAY_SCORERS
from analysis.simulate.replay import replay_frames

FAMILIES: dict[str, tuple[Callable[..., Frames], tuple[str, ...]]] = {
    "drawn": (drawn_frames, DRAWN_SCORERS),
    "replay": (replay_frames, REPLAY_SCORERS),
}
"""By name: what makes a fleet of it, and its hidden scorers."""
_MOST = 10
"""Largest factor on the size of causes and on noise."""


@dataclass(frozen=True)
class Fleet:
    """Which fleet: equal values make equal fleets."""

    family: str
    scorer: str
    seed: int
    lines: int
    days: int
    strength: float = 1.0
    noise: float = 1.0
    drift: float = 1.0

    def frames(self) -> Frames:
        """Make it."""
        make, _ = FAMILIES[self.family]
        return make(
            seed=self.seed,
            lines=self.lines,
            days=self.days,
            scorer=self.scorer,
            strength=self.strength,
            noise=self.noise,
            drift=self.drift,
        )


def fleets(
    *,
    seeds: list[int],
    lines: int,
    days: int,
    families: tuple[str, ...] = (),
    scorers: tuple[str, ...] = (),
    strength: float = 1.0,
    noise: float = 1.0,
) -> list[Fleet]:
    """Return one fleet per seed of every scorer of every family (all where none is named).

    Raises:
        UsageError: no such family or scorer, none of the scorers in these families, or a factor out of range.
    """
    every = tuple(s for _, of in FAMILIES.values() for s in of)
    for kind, asked, known in (("family", families, tuple(FAMILIES)), ("scorer", scorers, every)):
        unknown = [name for name in asked if name not in known]
        if unknown:
            raise UsageError(f"no fleet {kind} {unknown[0]!r}", where="evaluate", fix=f"choose of {', '.join(known)}")
    for name, factor in (("strength", strength), ("noise", noise)):
        if not 0 <= factor <= _MOST:
            raise UsageError(f"the {name} is not from 0 to {_MOST}", where="evaluate", fix="1 is the usual size")
    found = [
        Fleet(family, scorer, seed, lines, days, strength, noise)
        for family, (_, of) in FAMILIES.items()
        if not families or family in families
        for scorer in of
        if not scorers or scorer in scorers
        for seed in seeds
    ]
    if not found:
        raise UsageError(
            "no family of these has a scorer of these",
            where="evaluate",
            fix="; ".join(f"{name} has {', '.join(of)}" for name, (_, of) in FAMILIES.items()),
        )
    return found
