"""A seed in, a fleet that behaves like real people and is judged by a hidden vendor of another kind out.

Unlike the demo fleet (``analysis.simulate``) in behaviour, incidents and scorers, so that an explanation that is right on
both is right for a reason. ``distil`` made the tables; ``fleet`` and ``line`` say who the lines are, ``incidents`` what will
happen, ``happen`` and ``weather`` how, ``live`` lets it happen, ``scorers`` and ``judge`` decide and find the truth by living
again without each cause, ``messages`` makes the frames.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from analysis.errors import UsageError
from analysis.schema import CHANGES, HEALTHS, STATUSES
from analysis.simulate.frames import TRUTH, Frames
from analysis.simulate.replay.fleet import fleet
from analysis.simulate.replay.judge import ORGANIC, SCORERS, VENDOR, Change, Judge, judged
from analysis.simulate.replay.line import Line
from analysis.simulate.replay.live import live
from analysis.simulate.replay.messages import chat_health, chats, messages, outages
from analysis.simulate.rhythm import milliseconds

__all__ = ["SCORERS", "replay_frames"]
END = datetime(2026, 11, 22)
"""A fixed day; the clocks of most zones change inside the weeks before it."""


def replay_frames(
    *, seed: int, lines: int, days: int, scorer: str, strength: float = 1.0, noise: float = 1.0, end: datetime = END
) -> Frames:
    """Return a made-up fleet of lines whose behaviour is resampled from real conversations.

    Args:
        seed: which fleet of this size; equal arguments give equal frames.
        lines: how many, at least 1.
        days: span up to ``end``, at least 14.
        scorer: hidden judge, one of ``SCORERS``.
        strength: factor on the size of every incident.
        noise: factor on the vendor's noise and whims.
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
    judge = Judge(made, [live(line, frozenset()) for line in made], scorer, seed, noise)
    lost = outages(np.random.default_rng([seed, 23]), start=made[0].end - days * 86_400_000, end=until)
    parts: dict[str, list[pl.DataFrame]] = {"messages": [], "chats": [], "health": []}
    changes: list[tuple[object, ...]] = []
    truth: list[tuple[object, ...]] = []
    for place, line in enumerate(made):
        life, found = judged(judge, place)
        every = frozenset(i.number for i in line.incidents) | {VENDOR, ORGANIC}
        seen = messages(line, place, life, every, lost, until, life.first_touch)
        parts["messages"].append(seen)
        parts["chats"].append(chats(line, place, seen))
        parts["health"].append(chat_health(line, place, life, until))
        told = [c for c in found if not any(o.over(np.array([c.at]))[0] and not o.receipts_only for o in lost)]
        changes += _reports(line, told)
        truth += [_truth(line, c) for c in told]
    whole = pl.concat(parts["messages"])
    return Frames(
        messages=whole.sort("line", "chat_id", "at", pl.col("direction") == "inbound", "message_id"),
        chats=pl.concat(parts["chats"]).sort("chat_id"),
        chat_health=pl.concat(parts["health"]).sort("chat_id", "at"),
        changes=pl.DataFrame(changes, schema=CHANGES, orient="row").sort(
            "line", "changed_at", "new_health", "new_status"
        ),
        as_of=end if whole.is_empty() else whole["at"].max(),  # type: ignore[arg-type]
        truth=pl.DataFrame(truth, schema=TRUTH, orient="row").sort("line", "at", "kind"),
    )


def _instant(at: int | None) -> datetime | None:
    return None if at is None else datetime(1970, 1, 1) + timedelta(milliseconds=at)


def _reports(line: Line, told: list[Change]) -> list[tuple[object, ...]]:
    """Return CHANGES rows: each report holds health and status, before and after."""
    health, status = 0, 0
    rows: list[tuple[object, ...]] = []
    for c in told:
        before = (c.previous if c.kind == "health" else health, c.previous if c.kind == "status" else status)
        after = (c.new if c.kind == "health" else before[0], c.new if c.kind == "status" else before[1])
        health, status = after
        rows.append(
            (
                line.number,
                _instant(c.at),
                HEALTHS[before[0]],
                HEALTHS[after[0]],
                STATUSES[before[1]],
                STATUSES[after[1]],
            )
        )
    return rows


def _truth(line: Line, c: Change) -> tuple[object, ...]:
    words = HEALTHS if c.kind == "health" else STATUSES
    return (
        line.number, _instant(c.at), c.kind, words[c.previous], words[c.new], c.driver, list(c.also_ok), c.cause, c.planted,
        _instant(c.onset), line.role.name,
    )  # fmt: skip
