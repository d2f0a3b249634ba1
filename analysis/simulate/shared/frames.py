"""A fleet and its hidden judge in, the frames a store would hand on out, with the truth beside them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from analysis.schema import CHANGES, HEALTHS, STATUSES
from analysis.simulate.frames import TRUTH, Frames
from analysis.simulate.rhythm import milliseconds
from analysis.simulate.shared.draws import DAY
from analysis.simulate.shared.judge import Change, Judge, judged
from analysis.simulate.shared.lines import MadeLine
from analysis.simulate.shared.messages import Manners, chat_health, chats, messages, outages


def frames_of(judge: Judge, manners: Callable[[Any], Manners], *, days: int, end: datetime) -> Frames:
    """Return what a store would hand on of a fleet that this judge has looked at.

    Args:
        judge: with its lines.
        manners: how single messages of a line go.
        days: span up to ``end``.
        end: instant after the last event, UTC, a full hour.
    """
    until = milliseconds(end)
    lost = outages(np.random.default_rng([judge.seed, 23]), start=until - days * DAY, end=until)
    parts: dict[str, list[pl.DataFrame]] = {"messages": [], "chats": [], "health": []}
    changes: list[tuple[object, ...]] = []
    truth: list[tuple[object, ...]] = []
    for place, line in enumerate(judge.lines):
        life, found = judged(judge, place)
        seen = messages(line, place, life, manners(line), lost, until)
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


def _reports(line: MadeLine, told: list[Change]) -> list[tuple[object, ...]]:
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


def _truth(line: MadeLine, c: Change) -> tuple[object, ...]:
    words = HEALTHS if c.kind == "health" else STATUSES
    return (
        line.number, _instant(c.at), c.kind, words[c.previous], words[c.new], c.driver, list(c.also_ok), c.cause, c.planted,
        _instant(c.onset), line.type_name,
    )  # fmt: skip
