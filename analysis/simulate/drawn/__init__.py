"""A seed in, a fleet drawn from plain chances and judged by a hidden vendor of three more kinds out: the third family.

It shares the search for truth and the shape of messages with the replay family (``analysis.simulate.shared``), but neither behaviour,
nor incidents, nor scorers: people answer by chance and log-normal delays, lines keep a bell-shaped day.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import numpy as np

from analysis.errors import UsageError
from analysis.simulate.drawn.line import Line, fleet
from analysis.simulate.drawn.live import live
from analysis.simulate.drawn.scorers import Ledger, Sickness, Surprise
from analysis.simulate.frames import Frames
from analysis.simulate.rhythm import milliseconds
from analysis.simulate.shared.frames import frames_of
from analysis.simulate.shared.judge import Judge
from analysis.simulate.shared.messages import Manners
from analysis.simulate.shared.scores import Score
from analysis.simulate.shared.turns import Life

_SCORES: dict[str, Callable[[list[Line], list[Life], int], Score]] = {
    "ledger": Ledger,
    "sickness": Sickness,
    "surprise": Surprise,
}
SCORERS = tuple(_SCORES)
END = datetime(2026, 11, 15)
"""A fixed day; clocks change on both sides of the equator in the weeks before it."""

__all__ = ["SCORERS", "drawn_frames"]


def drawn_frames(
    *,
    seed: int,
    lines: int,
    days: int,
    scorer: str,
    strength: float = 1.0,
    noise: float = 1.0,
    drift: float = 1.0,
    end: datetime = END,
) -> Frames:
    """Return a made-up fleet drawn from plain chances.

    Args:
        seed: which fleet of this size; equal arguments give equal frames.
        lines: how many, at least 1.
        days: span up to ``end``, at least 14.
        scorer: hidden judge, one of ``SCORERS``.
        strength: factor on the size of every incident.
        noise: factor on the vendor's noise and whims.
        drift: over 0; factor on the room that the vendor's limits leave above the usual, from the middle day on.
        end: instant after the last event, UTC, a full hour.

    Raises:
        UsageError: unknown scorer, or a number too small.
    """
    if scorer not in _SCORES:
        raise UsageError(f"no scorer {scorer!r}", where="drawn", fix=f"choose one of {', '.join(SCORERS)}")
    if lines < 1 or days < 14:
        raise UsageError("a drawn fleet needs at least 1 line and 14 days", where="drawn", fix="ask for more")
    made = fleet(seed=seed, lines=lines, days=days, end=milliseconds(end), strength=strength)
    quiet = [live(line, frozenset()) for line in made]
    judge = Judge(
        made, quiet, live, _SCORES[scorer](made, quiet, seed), seed, noise, tightens=scorer == "surprise", drift=drift
    )
    return frames_of(judge, _manners, days=days, end=end)


def _manners(line: Line) -> Manners:
    fallbacks = [i for i in line.incidents if i.kind == "sms_days"]

    def by_sms(at: np.ndarray) -> np.ndarray:
        over = np.zeros(len(at), dtype=bool)
        for i in fallbacks:
            over |= i.inside(at)
        return over

    return Manners(
        gap_s=lambda u: 3 + 40 * u**2, looks_s=lambda u: -1500 * np.log(1 - np.minimum(u, 0.999)), by_sms=by_sms
    )
