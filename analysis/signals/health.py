"""Reported changes in, the timeline of each line's health and status out: repeats, gaps and unknown first states made explicit."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from analysis.schema import OBSERVED, SEVERITY, SPELLS, TRANSITIONS

_KINDS = ("health", "status")


@dataclass
class _Step:
    """One report as the timeline takes it: what was known before it, and whether a change before it was missed."""

    at: datetime
    previous: str | None
    new: str
    known: str | None
    missed: bool
    told_equal: bool


def _steps(rows: list[dict[str, Any]], kind: str) -> Iterator[_Step]:
    """Walk one line's reports of one kind in time; of several at one instant the worst new value holds, as one change."""
    told = [r for r in rows if r[f"new_{kind}"] is not None]
    told.sort(key=lambda r: (r["changed_at"], SEVERITY[r[f"new_{kind}"]], SEVERITY.get(r[f"previous_{kind}"], -1)))
    known: str | None = None
    for _, same in itertools.groupby(told, key=lambda r: r["changed_at"]):
        row, *more = same
        previous, new = row[f"previous_{kind}"], row[f"new_{kind}"]
        if more and more[-1][f"new_{kind}"] != new:
            previous = next((r[f"previous_{kind}"] for r in (row, *more) if r[f"previous_{kind}"] is not None), None)
            new = more[-1][f"new_{kind}"]
        if new == known:
            continue  # a repeat
        missed = known is not None and previous is not None and previous != known
        yield _Step(
            row["changed_at"],
            previous if previous is not None else known,
            new,
            known,
            missed,
            told_equal=previous == new,
        )
        known = new


def _by_line(changes: pl.DataFrame) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for (line,), group in changes.sort("line", "changed_at").group_by(["line"], maintain_order=True):
        yield str(line), group.to_dicts()


def spells(changes: pl.DataFrame) -> pl.DataFrame:
    """Return time in each state.

    Before its first report a line was in the report's previous value, since an unknown time (start_at null); where that is not told
    there is no spell. A state learned from a report that says nothing changed began at an unknown earlier time: start_known is false.

    changes: CHANGES, any order. Returns SPELLS, key (line, kind, start_at), unknown starts first.
    """
    out: list[tuple[str, str, str, datetime | None, datetime | None, bool]] = []
    for line, rows in _by_line(changes):
        for kind in _KINDS:
            begun: list[tuple[str, datetime | None, bool]] = []
            for step in _steps(rows, kind):
                if not begun and step.previous is not None and not step.told_equal:
                    begun.append((step.previous, None, False))
                begun.append((step.new, step.at if begun or not step.told_equal else None, not step.told_equal))
            for i, (state, start, known) in enumerate(begun):
                end = begun[i + 1][1] if i + 1 < len(begun) else None
                out.append((line, kind, state, start, end, known))
    return pl.DataFrame(out, schema=SPELLS, orient="row").sort("line", "kind", "start_at", nulls_last=False)


def transitions(changes: pl.DataFrame) -> pl.DataFrame:
    """Return the changes of health and status to explain.

    Repeats are left out; so is a first report that only says how things stand (HEALTHY or ACTIVE with no previous value), and one that
    says that nothing changed. missed_before: the previous value told is not the one known, so a change between was missed.

    changes: CHANGES, any order. Returns TRANSITIONS, key (line, at, kind).
    """
    out: list[tuple[str, datetime, str, str | None, str, bool, bool]] = []
    for line, rows in _by_line(changes):
        for kind in _KINDS:
            for step in _steps(rows, kind):
                if step.told_equal or (step.previous is None and SEVERITY[step.new] == 0):
                    continue
                worse = SEVERITY[step.new] > (SEVERITY[step.previous] if step.previous is not None else 0)
                out.append((line, step.at, kind, step.previous, step.new, worse, step.missed))
    return pl.DataFrame(out, schema=TRANSITIONS, orient="row").sort("line", "at", "kind", maintain_order=True)


def observed(changes: pl.DataFrame, observations: pl.DataFrame, *, within: timedelta) -> pl.DataFrame:
    """Return the changes of health that no report tells and that looks at the lines show.

    A look knows what a line's health is, not since when. So it counts only where it differs from what was known, as a change at the time
    of the look (the latest possible) that came after the last moment at which the previous health is known to hold. A look within
    ``within`` of a report of the same line says nothing: the report knows its time, and clocks and answers may lag. The first look
    at a line without a report says how things stand: its previous value is its own.

    Args:
        changes: CHANGES, any order: what was reported.
        observations: line, observed_at, health; any order, key (line, observed_at).
        within: setting ``observed_minutes``.

    Returns:
        OBSERVED, in order of line and time.
    """
    told: dict[str, list[tuple[datetime, str]]] = {}
    for line, rows in _by_line(changes.filter(pl.col("new_health").is_not_null())):
        told[line] = [(r["changed_at"], r["new_health"]) for r in sorted(rows, key=lambda r: (r["changed_at"], SEVERITY[r["new_health"]]))]  # fmt: skip
    out: list[tuple[str, datetime, str | None, str, datetime | None]] = []
    for (line,), looks in observations.sort("line", "observed_at").group_by(["line"], maintain_order=True):
        reports = told.get(str(line), [])
        known: str | None = None
        held: datetime | None = None
        nearest = 0
        for at, health in looks.select("observed_at", "health").iter_rows():
            while nearest < len(reports) and reports[nearest][0] <= at:
                held, known = reports[nearest]
                nearest += 1
            beside = reports[max(0, nearest - 1) : nearest + 1]
            if any(abs(when - at) <= within for when, _ in beside):
                continue
            if health != known:
                out.append((str(line), at, known if known is not None else health, health, held))
            held, known = at, health
    return pl.DataFrame(out, schema=OBSERVED, orient="row")
