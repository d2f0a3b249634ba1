"""Changes as measured in, line by line their verdicts and what has been done since out: here, or in other processes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from analysis.explain.apart import Apart, read
from analysis.explain.attribution import Scales
from analysis.explain.cases import Cases, Measures
from analysis.explain.change import Change, of_lines
from analysis.explain.constants import DAY
from analysis.explain.drift import ScoringChange
from analysis.explain.history import LineHistory
from analysis.explain.measure import Measured
from analysis.explain.peers import Own, Peers
from analysis.explain.progress import progress_in
from analysis.explain.quiet import KnownQuietTimes, Points
from analysis.explain.running import Array
from analysis.explain.troubles import Troubles
from analysis.explain.verdict import Verdict, by_line
from analysis.pipeline.moments import instant
from analysis.schema import Explanation
from analysis.settings import Settings

ProgressRow = tuple[str, datetime, str, str]
"""What the data shows of the steps of a worsening: line, when, kind, JSON."""
Before = Mapping[tuple[str, datetime, str], str]
Told = tuple[list[Verdict], list[ProgressRow]]


class _Line(NamedTuple):
    """What telling takes of one line, beside its history and what all lines rest on."""

    changes: list[Change]
    measures: dict[Change, Measures]
    shares: dict[Change, list[tuple[str, float]]]
    drifts: dict[Change, ScoringChange | None]
    troubles: Troubles
    own: Own
    """Its asks, as the others' are compared with them."""
    quiet: dict[str, Points]
    weights: dict[int, Array]
    """By day of a change (since 1970)."""


def told_by_line(
    known: Measured, stand: Mapping[str, list[Verdict]], before: Before, settings: Settings, apart: Apart | None
) -> Iterator[Told]:
    """Yield the verdicts of each line with a change, those that stand among them, and what has been done of its playbooks.

    Args:
        known: changes as measured.
        stand: verdicts of an earlier refresh that stand, by line.
        before: what had been done by it.
        settings: see Settings.
        apart: other processes; only where nothing stands.
    """
    if apart is None:
        for line, fresh in by_line(known):
            yield _with_progress(fresh, stand[line], before, known.histories, settings)
        return
    pool = {line: known.quiet[line] for line in known.scales.pool()}
    rest = apart.written((apart.shelf, known.fleet, pool, known.peers.hours, settings))
    yield from apart.spread(_told, [(rest, line) for line in _lines_of(known)])


def _lines_of(known: Measured) -> Iterator[_Line]:
    """Yield what telling takes of each line, those with most changes first."""
    for line, own in sorted(of_lines(known.changes).items(), key=lambda of: -len(of[1])):
        measured = {c: known.measures[c] for c in own if c in known.measures}
        yield _Line(
            own,
            measured,
            {c: known.shares[c] for c in own if c in known.shares},
            {c: known.drifts[c] for c in own if c in known.drifts},
            known.troubles[line],
            known.peers.own(line),
            {line: known.quiet[line]} if line in known.quiet else {},
            {day: known.scales.weights_on(day) for day in {c.at // DAY for c in measured}},
        )


def _told(task: tuple[Path, _Line]) -> Told:
    path, of = task
    shelf, fleet, pool, hours, settings = read(path)
    troubles = {change.line: of.troubles for change in of.changes}
    cases = Cases(of.measures, shelf, troubles, fleet, settings)
    cases.know(of.measures)
    scales = Scales(KnownQuietTimes(pool, of.quiet), [], of.weights)
    peers = Peers(dict.fromkeys(troubles, of.own), hours)
    ((_, fresh),) = by_line(Measured(of.changes, cases, of.shares, of.drifts, scales, troubles, peers))
    return _with_progress(fresh, [], {}, shelf, settings)


def _with_progress(
    fresh: list[Verdict],
    stand: list[Verdict],
    before: Before,
    histories: Mapping[str, LineHistory],
    settings: Settings,
) -> Told:
    """Return the verdicts of a line, and what has been done of its playbooks."""
    over = {instant(v.explanation.at) for v in fresh}
    own = [v.explanation for v in stand + fresh]
    return stand + fresh, _progress_of(own, over, before, histories, settings)


def _progress_of(
    told: list[Explanation],
    found: set[datetime],
    before: Mapping[tuple[str, datetime, str], str],
    histories: Mapping[str, LineHistory],
    settings: Settings,
) -> list[ProgressRow]:
    """Return what the data shows of the steps of each worsening of a line that is over: from it up to the line's return to health.

    What was kept of those that were over before anything new stays as it is. What is done while a line is still in trouble changes with
    every event: it is looked at when somebody asks (`lh.progress`).

    Args:
        told: the explanations of the line.
        found: when those of them are that are new.
        before: rows as they were kept, by line, time and kind.
        histories: of the line, where any is new.
        settings: see Settings.
    """
    back: dict[str, datetime] = {}
    rows = []
    for e in sorted(told, key=lambda e: e.at, reverse=True):  # latest first: what comes after each is known
        when = instant(e.at)
        if e.new in ("HEALTHY", "ACTIVE"):
            back[e.kind] = when
        elif e.actions and e.kind in back:
            row = before.get((e.line, when, e.kind))
            if row is None or not found.isdisjoint((when, back[e.kind])):
                steps = progress_in(e, histories.get(e.line), since=when, until=back[e.kind], settings=settings)
                row = json.dumps(steps, ensure_ascii=False)
            rows.append((e.line, when, e.kind, row))
    return rows
