"""An open store with counted marts in, why each transition happened filled out: kept where nothing it rests on has changed."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import msgspec
import polars as pl

from analysis.explain.agreement import recalibrated
from analysis.explain.histories import Histories
from analysis.explain.history import LineHistory
from analysis.explain.measure import measured
from analysis.explain.progress import progress_in
from analysis.explain.telling import level_of
from analysis.explain.verdict import explained
from analysis.pipeline.beside import audits_in
from analysis.pipeline.due import Due
from analysis.pipeline.looks import with_looks
from analysis.pipeline.moments import instant
from analysis.pipeline.shards import whole_lines
from analysis.pipeline.steps import Progress, Step
from analysis.schema import Explanation
from analysis.settings import Settings
from analysis.store import marts, read


def explain_again(
    con: Any,
    due: Due,
    spells: pl.DataFrame,
    transitions: pl.DataFrame,
    lost: pl.DataFrame,
    was_lost: pl.DataFrame,
    seen_by_pull: pl.DataFrame,
    *,
    as_of: datetime,
    settings: Settings,
    tell: Progress,
) -> list[Explanation]:
    """Fill the marts of explanations and of what has been done since; returns the explanations, oldest first.

    An explanation uses nothing later than its transition. Where all that is new is later than every transition that is explained, and
    none is left to be explained, they stay as they are; else all are made again.

    Args:
        con: a store open for writing.
        due: what is new.
        spells: SPELLS.
        transitions: TRANSITIONS.
        lost: GAPS.
        was_lost: GAPS as they were before.
        seen_by_pull: OBSERVED.
        as_of: the latest event.
        settings: see Settings.
        tell: is told how far it is.
    """
    kept = read.explanations_as_kept(con)
    told = [_as_measured(document, p) for document, p in kept]
    begin = _begin(due, lost, was_lost, settings)
    known = [(e.line, instant(e.at), e.kind) for e in told]
    fresh = (
        due.whole
        or any(p is None for _, p in kept)
        or known != list(transitions.sort("at", "line", "kind").select("line", "at", "kind").iter_rows())
    )
    if fresh or (begin is not None and any(at >= begin for _, at, _ in known)):
        told = _measured(con, spells, transitions, lost, as_of=as_of, settings=settings, tell=tell)
    told = with_looks(told, seen_by_pull)
    found = recalibrated(told, audits_in(con))
    rows = _rows(found, told)
    if rows.select("document", "measured_p").rows() != kept:
        marts.replace(con, "explanation", rows)
    return found


def _as_measured(document: str, p: float | None) -> Explanation:
    """Return an explanation as it was before the vendor's audits corrected its confidence."""
    e = msgspec.json.decode(document, type=Explanation)
    if p is None or p == e.confidence_p:
        return e
    return msgspec.structs.replace(e, confidence_p=p, confidence=level_of(p))


def _begin(due: Due, lost: pl.DataFrame, was_lost: pl.DataFrame, settings: Settings) -> datetime | None:
    """Return from when on an explanation may come out otherwise; None where nothing is new."""
    key = ["line", "start_at", "end_at"]
    other = pl.concat(a.join(b, on=key, how="anti", nulls_equal=True) for a, b in ((lost, was_lost), (was_lost, lost)))
    # whether a send before a silence was answered is not known where its reply window reaches into it
    silent = [at - timedelta(hours=settings.explain_reply_hours) for at in other["start_at"]]
    return min([*silent, *([due.earliest] if due.earliest is not None else [])], default=None)


def _measured(
    con: Any,
    spells: pl.DataFrame,
    transitions: pl.DataFrame,
    lost: pl.DataFrame,
    *,
    as_of: datetime,
    settings: Settings,
    tell: Progress,
) -> list[Explanation]:
    """Explain every transition from the messages of all lines, and keep what has been done since of those that are over."""
    histories = _histories(con, lost, settings) if transitions.height else {}
    known = measured(
        histories,
        spells,
        transitions,
        as_of=as_of,
        settings=settings,
        progress=lambda done, total: tell(Step("explaining", done=done / total)),
    )
    found = explained(known)
    marts.replace(con, "progress", _progress_rows(found, histories, settings))
    return found


def _histories(con: Any, lost: pl.DataFrame, settings: Settings) -> dict[str, LineHistory]:
    parts = Histories(settings)
    for messages, chats, health, _ in whole_lines(con, read.chat_firsts(con)):
        parts.add(messages, chats, health)
    return parts.built(lost)


def _progress_rows(found: list[Explanation], histories: dict[str, LineHistory], settings: Settings) -> pl.DataFrame:
    """Return what the data shows of the steps of each worsening that is over: from it up to the line's return to health.

    What is done while a line is still in trouble changes with every event: it is looked at when somebody asks (`lh.progress`).
    """
    back: dict[tuple[str, str], datetime] = {}
    rows = []
    for e in reversed(found):  # latest first: what comes after each is known
        when = instant(e.at)
        if e.new in ("HEALTHY", "ACTIVE"):
            back[e.line, e.kind] = when
        elif e.actions and (e.line, e.kind) in back:
            steps = progress_in(e, histories.get(e.line), since=when, until=back[e.line, e.kind], settings=settings)
            rows.append((e.line, when, e.kind, json.dumps(steps, ensure_ascii=False)))
    return pl.DataFrame(rows, schema=marts.PROGRESS, orient="row").sort("line", "at", "kind")


def _rows(found: list[Explanation], as_measured: list[Explanation]) -> pl.DataFrame:
    rows = [
        (
            e.line,
            instant(e.at),
            e.kind,
            e.drivers[0].driver,
            e.headline,
            instant(e.onset) if e.onset else None,
            e.confidence,
            msgspec.json.encode(e).decode(),
            before.confidence_p,
        )
        for e, before in zip(found, as_measured, strict=True)
    ]
    return pl.DataFrame(rows, schema=marts.EXPLANATIONS, orient="row")
