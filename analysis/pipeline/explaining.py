"""An open store with counted marts in, why each transition happened filled out: kept where nothing it rests on has changed."""

from __future__ import annotations

import math
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from analysis.explain.agreement import recalibrated
from analysis.explain.apart import Apart, read
from analysis.explain.change import Change
from analysis.explain.drift import Lesson
from analysis.explain.measure import Lines, Measured, changes_of, measured, troubles_of
from analysis.explain.shelf import Shelf
from analysis.explain.standing import NOTHING, Kept
from analysis.explain.telling import level_of
from analysis.explain.verdict import Verdict, in_order, standing
from analysis.explain.words import milliseconds
from analysis.pipeline.asked import StoreLines, begins_of
from analysis.pipeline.beside import audits_in
from analysis.pipeline.due import Due
from analysis.pipeline.looks import with_looks
from analysis.pipeline.moments import instant
from analysis.pipeline.processes import for_tasks
from analysis.pipeline.steps import Progress, Step
from analysis.pipeline.telling import ProgressRow, told_by_line
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

    An explanation uses nothing later than its transition, and little of other lines: those that rest on nothing new stand, and so does what
    others take from them (quiet times, lessons). Only the others are measured.

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
    told = [Verdict(_as_measured(document, p), since) for document, p, since in kept]
    known = [(v.explanation.line, instant(v.explanation.at), v.explanation.kind) for v in told]
    keys = was.sort("at", "line", "kind").select("line", "at", "kind")
    fresh = due.whole or not known or any(p is None for _, p, _ in kept) or known != keys.rows()
    with tempfile.TemporaryDirectory(prefix="linehealth-") as scratch:
        lines = StoreLines(con, Path(scratch), lost, troubles_of(spells), settings)
        gaps = _begins_of_gaps(lost, was_lost)
        begins = _begins(due, transitions, was, gaps, lines.names(), settings)
        told_from = begins_of(due.asks, due.spells, gaps, lines.names(), settings)
        last = milliseconds(transitions["at"].max()) if transitions.height else -1  # type: ignore[arg-type]
        fewer = transitions.height < was.height
        may = fewer or min([*begins.values(), *told_from.values()], default=math.inf) <= last
        # before what it rested on is told again; where no change is so late, nobody asks for it
        earlier = _kept(con, lines, begins, changes_of(was, as_of)) if may and not fresh else NOTHING
        if not transitions.height:
            asked.clear(con)
        elif not fresh:
            for line, at in lines.tell_again(told_from, begins, last).items():
                begins[line] = min(at, begins.get(line, at))
        explained = partial(
            _measured,
            con,
            spells=spells,
            transitions=transitions,
            kept=earlier,
            as_of=as_of,
            settings=settings,
            tell=tell,
        )
        if fresh and transitions.height:
            whole, shelf = lines.all()
            with _apart(shelf, transitions.height, Path(scratch)) as apart:
                told = explained(whole, told=[], apart=apart)
        elif fresh or fewer or min(begins.values(), default=math.inf) <= last:
            told = explained(lines, told=told)
    as_measured = with_looks([v.explanation for v in told], seen_by_pull)
    found = recalibrated(as_measured, audits_in(con))
    rows = kept_rows(found, as_measured, [v.compared_from for v in told])
    if rows.select("document", "measured_p", pl.col("compared_from").cast(pl.Int64)).rows() != kept:
        marts.replace(con, "explanation", rows)
    return found


def _as_measured(document: str, p: float | None) -> Explanation:
    """Return an explanation as it was before the vendor's audits corrected its confidence."""
    e = msgspec.json.decode(document, type=Explanation)
    if p is None or p == e.confidence_p:
        return e
    return msgspec.structs.replace(e, confidence_p=p, confidence=level_of(p))


def _begins(
    due: Due,
    transitions: pl.DataFrame,
    was: pl.DataFrame,
    gaps: Mapping[str | None, datetime],
    lines: list[str],
    settings: Settings,
) -> dict[str, float]:
    """Return from when on (ms) anything that explanations take from each line itself may be otherwise."""
    # whether a send before a silence was answered is not known where its reply window reaches into it
    window, found = timedelta(hours=settings.explain_reply_hours), dict[str, float]()
    silent = {line: at - window for line, at in gaps.items() if line is not None}
    of_all = dict.fromkeys(lines, gaps[None] - window) if None in gaps else {}
    for times in (silent, of_all, _earliest(_unlike(transitions, was, *TRANSITIONS.names()), "at"), due.asks, due.spells, due.changes):  # fmt: skip
        for line, at in times.items():
            found[line] = min(float(milliseconds(at)), found.get(line, math.inf))
    return found


def _begins_of_gaps(lost: pl.DataFrame, was_lost: pl.DataFrame) -> dict[str | None, datetime]:
    """Return line (None: all) to the start of the earliest gap that was not there before, or is no more."""
    return _earliest(_unlike(lost, was_lost, "line", "start_at", "end_at"), "start_at")


def _earliest(rows: pl.DataFrame, when: str) -> dict[Any, datetime]:
    return dict(rows.group_by("line").agg(pl.col(when).min()).iter_rows())


def _unlike(one: pl.DataFrame, two: pl.DataFrame, *key: str) -> pl.DataFrame:
    """Return the rows that only one of two frames has."""
    return pl.concat(a.join(b, on=key, how="anti", nulls_equal=True) for a, b in ((one, two), (two, one)))


def _kept(con: Any, lines: StoreLines, begins: Mapping[str, float], changes: list[Change]) -> Kept:
    """Return what was measured before and what it rested on, from the marts; ``begins`` may be told earlier times yet."""
    points = {
        str(line): (part["day"].cast(pl.Int32).to_numpy().astype(int), np.array(part["effects"].to_list()))
        for (line,), part in read_measured.quiet_times(con).partition_by("line", as_dict=True).items()
    }
    lessons = [
        Lesson(line, milliseconds(at), kind, np.array(effects), share)
        for line, at, kind, effects, share in read_measured.lessons(con).iter_rows()
    ]
    return Kept(begins, changes, dict(lines.firsts), lines.sums(), points, lessons)


@contextmanager
def _apart(shelf: Shelf, changes: int, scratch: Path) -> Iterator[Apart | None]:
    """Yield other processes that work on lines of a shelf, where so many changes are worth it; nothing of it is held here then."""
    with for_tasks(changes, shelf.largest) as spread:
        if spread is not None:
            shelf.put_away()
        yield None if spread is None else Apart(spread, shelf, scratch)
    read.cache_clear()  # where a process was killed this one read as they do


def _measured(
    con: Any,
    lines: Lines,
    *,
    spells: pl.DataFrame,
    transitions: pl.DataFrame,
    told: list[Verdict],
    kept: Kept,
    as_of: datetime,
    settings: Settings,
    tell: Progress,
    apart: Apart | None = None,
) -> list[Verdict]:
    """Explain transitions, all but those whose explanation (of those told before) stands, and keep what later ones take from them."""
    known = measured(
        lines,
        spells,
        transitions,
        as_of=as_of,
        settings=settings,
        progress=lambda done, total: tell(Step("explaining", done=done / total)),
        kept=kept,
        apart=apart,
    )
    stand: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in standing(told, known):
        stand[verdict.explanation.line].append(verdict)
    before = {(line, at, kind): row for line, at, kind, row in read_measured.progress_rows(con)} if stand else {}
    found, progress = list[Verdict](), list[ProgressRow]()
    for verdicts, rows in told_by_line(known, stand, before, settings, apart):
        found += verdicts
        progress += rows
    marts.replace(
        con, "progress", pl.DataFrame(progress, schema=marts.PROGRESS, orient="row").sort("line", "at", "kind")
    )
    marts.replace(con, "quiet_time", _quiet_rows(known))
    marts.replace(con, "lesson", _lesson_rows(known))
    return in_order(found)


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


def kept_rows(
    found: list[Explanation], as_measured: list[Explanation], compared_from: list[int | None]
) -> pl.DataFrame:
    """Return explanations as a store keeps them (marts.EXPLANATIONS).

    Args:
        found: after the vendor's audits corrected how sure each is.
        as_measured: the same before that.
        compared_from: since when the line of each is compared with the others (ms).
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
            since,
        )
        for e, before, since in zip(found, as_measured, compared_from, strict=True)
    ]
    schema = marts.EXPLANATIONS
    return pl.DataFrame(rows, schema={**schema, "compared_from": pl.Int64}, orient="row").cast(dict(schema))  # type: ignore[arg-type]
