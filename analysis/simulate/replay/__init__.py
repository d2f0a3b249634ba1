"""A seed in, a fleet that behaves like real people and is judged by a hidden vendor of another kind out.

Unlike the demo fleet (``analysis.simulate``) in behaviour, incidents and scorers, so that an explanation that is right on
both is right for a reason. ``distil`` made the tables; ``fleet`` and ``line`` say who the lines are, ``incidents`` what will
happen, ``happen`` and ``weather`` how, ``live`` lets it happen, ``scorers`` and ``judge`` decide and find the truth by living
again without each cause, ``messages`` makes the frames.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from analysis.errors import UsageError
from analysis.simulate.frames import Frames
from analysis.simulate.replay.fleet import fleet
from analysis.simulate.replay.line import Line
from analysis.simulate.replay.live import live
from analysis.simulate.replay.scorers import Annoyance, Forest, StateSpace
from analysis.simulate.replay.tables import tables
from analysis.simulate.replay.weather import Weather
from analysis.simulate.rhythm import milliseconds
from analysis.simulate.shared.frames import frames_of
from analysis.simulate.shared.judge import Judge
from analysis.simulate.shared.messages import Manners
from analysis.simulate.shared.scores import Score
from analysis.simulate.shared.turns import Life

_SCORES: dict[str, Callable[[list[Line], list[Life], int], Score]] = {
    "annoyance": lambda lines, quiet, seed: Annoyance(lines, quiet),
    "state_space": lambda lines, quiet, seed: StateSpace(lines, quiet, seed=seed),
    "forest": lambda lines, quiet, seed: Forest(lines, quiet, seed=seed),
}
SCORERS = tuple(_SCORES)
__all__ = ["SCORERS", "replay_frames"]
END = datetime(2026, 11, 22)
"""A fixed day; the clocks of most zones change inside the weeks before it."""


def replay_frames(
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
    """Return a made-up fleet of lines whose behaviour is resampled from real conversations.

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
    if scorer not in SCORERS:
        raise UsageError(f"no scorer {scorer!r}", where="replay", fix=f"choose one of {', '.join(SCORERS)}")
    if lines < 1 or days < 14:
        raise UsageError("a replayed fleet needs at least 1 line and 14 days", where="replay", fix="ask for more")
    until = milliseconds(end)
    made = fleet(seed=seed, lines=lines, days=days, end=until, strength=strength)
    quiet = [live(line, frozenset()) for line in made]
    score = _SCORES[scorer](made, quiet, seed)
    judge = Judge(made, quiet, live, score, seed, noise, tightens=scorer == "state_space", drift=drift)
    return frames_of(judge, _manners, days=days, end=end)


def _manners(line: Line) -> Manners:
    t = tables()
    weather = Weather(line, frozenset(i.number for i in line.incidents))
    return Manners(
        gap_s=lambda u: t.at("turn_gap_s", u * 0.7),
        looks_s=lambda u: t.at("reply_delay_s", u) * 0.4,
        by_sms=lambda at: weather.fallback(at, {}),
    )
