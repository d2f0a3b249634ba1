"""An open store with counted marts in, why each transition happened filled out: kept where nothing it rests on has changed."""

from __future__ import annotations

import json
import tempfile
from bisect import bisect_left
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from analysis.explain.agreement import recalibrated
from analysis.explain.history import LineHistory
from analysis.explain.measure import Kept, Lesson, Lines, Measured, measured, troubles_of
from analysis.explain.progress import progress_in
from analysis.explain.telling import level_of
from analysis.explain.verdict import explained
from analysis.explain.words import milliseconds
from analysis.pipeline.asked import StoreLines, begins_of
from analysis.pipeline.beside import audits_in
from analysis.pipeline.due import Due
from analysis.pipeline.looks import with_looks
from analysis.pipeline.moments import instant
from analysis.pipeline.steps import Progress, Step
from analysis.schema import TRANSITIONS, Explanation
from analysis.settings import Settings
from analysis.store import asked, marts, read_measured


def explain_again(
    con: Any,
    due: Due,
    spells: pl.DataFrame,
    transitions: pl.DataFrame,
    was: pl.DataFrame,
    lost: pl.DataFrame,
    was_lost: pl.DataFrame,
    seen_by_pull: pl.DataFrame,
    *,
    as_of: datetime,
    settings: Settings,
    tell: Progress,
) -> list[Explanation]:
    """Fill the marts of explanations and of what has been done since; returns the explanations, oldest first.

    An explanation uses nothing later than its transition: those before all that is new stay as they are, and so does what later ones
    take from them (quiet times, lessons). Only the others are measured.

    Args:
        con: a store open for writing.
        due: what is new.
        spells: SPELLS.
        transitions: TRANSITIONS.
        was: TRANSITIONS as they were before.
        lost: GAPS.
        was_lost: GAPS as they were before.
        seen_by_pull: OBSERVED.
        as_of: the latest event.
        settings: see Settings.
        tell: is told how far it is.
    """
    kept = read_measured.explanations_as_kept(con)
    told = [_as_measured(document, p) for document, p in kept]
    known = [(e.line, instant(e.at), e.kind) for e in told]
    begin = _begin(due, transitions, was, lost, was_lost, settings)
    keys = was.sort("at", "line", "kind").select("line", "at", "kind")
    fresh = due.whole or not known or any(p is None for _, p in kept) or known != keys.rows()
    stands = 0 if fresh else len(known) if begin is None else bisect_left(known, begin, key=lambda of: of[1])
    with tempfile.TemporaryDirectory(prefix="linehealth-") as scratch:
        lines = StoreLines(con, Path(scratch), lost, troubles_of(spells), settings)
        if not transitions.height:
            asked.clear(con)
        elif not fresh:
            lines.tell_again(_begins(con, due, lost, was_lost, settings))
        if fresh or stands < len(known) or stands < transitions.height:
            earlier = None if fresh or begin is None else _kept(con, begin)
            of = lines.all() if fresh and transitions.height else lines
            made = _measured(
                con, of, spells, transitions, told[:stands], earlier, as_of=as_of, settings=settings, tell=tell
            )
            told = told[:stands] + made
    told = with_looks(told, seen_by_pull)
    found = recalibrated(told, audits_in(con))
    rows = kept_rows(found, told)
    if rows.select("document", "measured_p").rows() != kept:
        marts.replace(con, "explanation", rows)
    return found


def _as_measured(document: str, p: float | None) -> Explanation:
    """Return an explanation as it was before the vendor's audits corrected its confidence."""
    e = msgspec.json.decode(document, type=Explanation)
    if p is None or p == e.confidence_p:
        return e
    return msgspec.structs.replace(e, confidence_p=p, confidence=level_of(p))


def _begin(
    due: Due,
    transitions: pl.DataFrame,
    was: pl.DataFrame,
    lost: pl.DataFrame,
    was_lost: pl.DataFrame,
    settings: Settings,
) -> datetime | None:
    """Return from when on an explanation may come out otherwise; None where nothing is new."""
    # whether a send before a silence was answered is not known where its reply window reaches into it
    silent = [
        at - timedelta(hours=settings.explain_reply_hours)
        for at in _other(lost, was_lost, "line", "start_at", "end_at")
    ]
    changed = _other(transitions, was, *TRANSITIONS.names(), when="at")
    told = [*due.asks.values(), *due.spells.values(), *([due.changed] if due.changed is not None else [])]
    return min([*silent, *changed, *told], default=None)


def _begins(con: Any, due: Due, lost: pl.DataFrame, was_lost: pl.DataFrame, settings: Settings) -> dict[str, float]:
    """Return from when on (ms) what each line tells together may be otherwise."""
    gaps: dict[str | None, datetime] = {}
    for line, at in _unlike(lost, was_lost, "line", "start_at", "end_at").select("line", "start_at").iter_rows():
        gaps[line] = min(at, gaps.get(line, at))
    return begins_of(due.asks, due.spells, gaps, asked.lines(con)["line"].to_list(), settings)


def _other(one: pl.DataFrame, two: pl.DataFrame, *key: str, when: str = "start_at") -> list[datetime]:
    """Return the times of the rows that only one of two frames has."""
    return _unlike(one, two, *key)[when].to_list()


def _unlike(one: pl.DataFrame, two: pl.DataFrame, *key: str) -> pl.DataFrame:
    """Return the rows that only one of two frames has."""
    return pl.concat(a.join(b, on=key, how="anti", nulls_equal=True) for a, b in ((one, two), (two, one)))


def _kept(con: Any, begin: datetime) -> Kept:
    """Return what was measured before, from the marts."""
    points = {
        str(line): (part["day"].cast(pl.Int32).to_numpy().astype(int), np.array(part["effects"].to_list()))
        for (line,), part in read_measured.quiet_times(con).partition_by("line", as_dict=True).items()
    }
    lessons = [
        Lesson(line, milliseconds(at), kind, np.array(effects), share)
        for line, at, kind, effects, share in read_measured.lessons(con).iter_rows()
    ]
    return Kept(milliseconds(begin), points, lessons)


def _measured(
    con: Any,
    lines: Lines,
    spells: pl.DataFrame,
    transitions: pl.DataFrame,
    standing: list[Explanation],
    kept: Kept | None,
    *,
    as_of: datetime,
    settings: Settings,
    tell: Progress,
) -> list[Explanation]:
    """Explain transitions, all but those that stand, and keep what later ones take from them."""
    known = measured(
        lines,
        spells,
        transitions,
        as_of=as_of,
        settings=settings,
        progress=lambda done, total: tell(Step("explaining", done=done / total)),
        kept=kept,
    )
    found = explained(known)
    before = read_measured.progress_rows(con) if standing else []
    progress = _progress_rows(standing, found, before, known.histories, settings)
    marts.replace(con, "progress", progress)
    marts.replace(con, "quiet_time", _quiet_rows(known))
    marts.replace(con, "lesson", _lesson_rows(known))
    return found


def _quiet_rows(known: Measured) -> pl.DataFrame:
    parts = [
        pl.DataFrame(
            {"line": line, "day": pl.Series(days, dtype=pl.Int32).cast(pl.Date), "effects": effects.tolist()},
            schema_overrides=marts.QUIET_TIMES,
        )
        for line, (days, effects) in known.quiet.items()
        if len(days)
    ]
    return pl.concat(parts) if parts else pl.DataFrame(schema=marts.QUIET_TIMES)


def _lesson_rows(known: Measured) -> pl.DataFrame:
    rows = [
        (lesson.line, datetime(1970, 1, 1) + timedelta(milliseconds=lesson.at), lesson.kind, lesson.effects.tolist(), lesson.unexplained)
        for lesson in known.lessons
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=marts.LESSONS, orient="row").sort("line", "at", "kind")


def _progress_rows(
    standing: list[Explanation],
    found: list[Explanation],
    before: list[tuple[str, datetime, str, str]],
    histories: Mapping[str, LineHistory],
    settings: Settings,
) -> pl.DataFrame:
    """Return what the data shows of the steps of each worsening that is over: from it up to the line's return to health.

    What was kept of those that were over before anything new stays as it is.

    What is done while a line is still in trouble changes with every event: it is looked at when somebody asks (`lh.progress`).
    """
    kept, over = {(line, at, kind): row for line, at, kind, row in before}, {instant(e.at) for e in found}
    back: dict[tuple[str, str], datetime] = {}
    rows = []
    # a line's changes one after the other, for one history at a time; latest first: what comes after each is known
    for e in sorted(standing + found, key=lambda e: (e.line, e.at), reverse=True):
        when = instant(e.at)
        if e.new in ("HEALTHY", "ACTIVE"):
            back[e.line, e.kind] = when
        elif e.actions and (e.line, e.kind) in back:
            until, row = back[e.line, e.kind], kept.get((e.line, when, e.kind))
            if row is None or until in over:
                steps = progress_in(e, histories.get(e.line), since=when, until=until, settings=settings)
                row = json.dumps(steps, ensure_ascii=False)
            rows.append((e.line, when, e.kind, row))
    return pl.DataFrame(rows, schema=marts.PROGRESS, orient="row").sort("line", "at", "kind")


def kept_rows(found: list[Explanation], as_measured: list[Explanation]) -> pl.DataFrame:
    """Return explanations as a store keeps them (marts.EXPLANATIONS).

    Args:
        found: after the vendor's audits corrected how sure each is.
        as_measured: the same before that.
    """
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
