"""Frames of the store in, every transition as measured out: its case, the shares of its drivers, and what the fleet shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from analysis.explain.attribution import Scales, rounded, shares_of
from analysis.explain.baseline import Fleet, usual_of
from analysis.explain.constants import DAY
from analysis.explain.drift import ScoringChange, ScoringChanges
from analysis.explain.effects import effects_at
from analysis.explain.evidence import Case
from analysis.explain.histories import histories
from analysis.explain.history import LineHistory
from analysis.explain.onset import onset_of
from analysis.explain.peers import Peers
from analysis.explain.quiet import QuietTimes
from analysis.explain.troubles import Troubles, troubles
from analysis.schema import SEVERITY
from analysis.settings import Settings

_NEEDS_USUAL = ("engagement", "new_conversations", "recipient_spread", "send_pace", "repeated_content")


@dataclass(frozen=True)
class Change:
    """One row of TRANSITIONS, its time in ms."""

    line: str
    at: int
    kind: str
    previous: str | None
    new: str
    worsening: bool
    missed_before: bool


@dataclass(frozen=True)
class Measured:
    """All changes of a fleet as measured."""

    changes: list[Change] = field(default_factory=list)
    """In order of time, line and kind."""
    cases: dict[Change, Case] = field(default_factory=dict)
    """Of those that have a message before them."""
    shares: dict[Change, list[tuple[str, float]]] = field(default_factory=dict)
    """Of worsenings."""
    drifts: dict[Change, ScoringChange | None] = field(default_factory=dict)
    """A change of the vendor's scoring as it shows at worsenings without a cause."""
    scales: Scales = field(default_factory=lambda: Scales(None, []))
    troubles: dict[str, Troubles] = field(default_factory=dict)
    peers: Peers = field(default_factory=lambda: Peers([]))


def measure(
    messages: pl.DataFrame,
    chats: pl.DataFrame,
    chat_health: pl.DataFrame,
    spells: pl.DataFrame,
    transitions: pl.DataFrame,
    *,
    as_of: datetime,
    settings: Settings,
    gaps: pl.DataFrame | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Measured:
    """Measure every change; arguments as ``verdict.explain``."""
    if transitions.filter(pl.col("at") <= as_of).is_empty():
        return Measured()
    known = histories(messages.filter(pl.col("at") <= as_of), chats, chat_health, settings, gaps)
    return measured(known, spells, transitions, as_of=as_of, settings=settings, progress=progress)


def measured(
    known: dict[str, LineHistory],
    spells: pl.DataFrame,
    transitions: pl.DataFrame,
    *,
    as_of: datetime,
    settings: Settings,
    progress: Callable[[int, int], None] | None = None,
) -> Measured:
    """Measure every change of lines whose histories are known; arguments as ``verdict.explain``."""
    changes = changes_of(transitions, as_of)
    if not changes:
        return Measured()
    of_line: dict[str, Troubles] = defaultdict(lambda: Troubles([]), troubles(spells))
    fleet = Fleet(known, of_line, settings)
    quiet = QuietTimes(known, of_line.__getitem__, fleet, settings)
    cases = cases_of(_each(changes, progress), known, of_line, fleet, settings)
    told = [(c.at, case.effects) for c, case in cases.items() if c.worsening and tells(case)]
    scales = Scales(quiet, told)
    shares = shares_in(cases, scales)
    # what a line without a usual, or with too few sends, does not explain says nothing of the vendor
    unexplained = [(c.at, c.line, dict(of)["unexplained"]) for c, of in shares.items() if tells(cases[c])]
    starts = {line: started(history.first_at, settings) for line, history in known.items()}
    drifts = drifts_in(shares, ScoringChanges(unexplained, starts))
    return Measured(changes, cases, shares, drifts, scales, of_line, Peers(known.values()))


def changes_of(transitions: pl.DataFrame, as_of: datetime) -> list[Change]:
    """Return the rows of TRANSITIONS up to a time, in order of time, line and kind."""
    rows = (
        transitions.filter(pl.col("at") <= as_of)
        .with_columns(pl.col("at").cast(pl.Int64))
        .sort("at", "line", "kind", pl.col("new").replace_strict(SEVERITY, default=None))  # as the timeline does
        .select("line", "at", "kind", "previous", "new", "worsening", "missed_before")
    )
    return [Change(*row) for row in rows.iter_rows()]


def cases_of(
    changes: Iterable[Change],
    known: Mapping[str, LineHistory],
    of_line: Mapping[str, Troubles],
    fleet: Fleet,
    settings: Settings,
) -> dict[Change, Case]:
    """Return the case of every change that has a message of its line before it."""
    return {
        change: case_of(change, known[change.line], of_line[change.line], fleet, settings)
        for change in changes
        if change.line in known and known[change.line].first_at <= change.at
    }


def shares_in(cases: Mapping[Change, Case], scales: Scales) -> dict[Change, list[tuple[str, float]]]:
    """Return the shares of every worsening that has a case."""
    return {c: rounded(shares_of(case.effects, scales.at(c.line, c.at))) for c, case in cases.items() if c.worsening}


def drifts_in(
    shares: Mapping[Change, list[tuple[str, float]]], changed: ScoringChanges
) -> dict[Change, ScoringChange | None]:
    """Return the change of the vendor's scoring as it shows at every worsening without a cause."""
    return {c: changed.at(c.at) for c, of in shares.items() if of[0][0] == "unexplained"}


def started(first_at: int, settings: Settings) -> int:
    """Return from when a line can be explained (ms), from the time of its first message."""
    return round(first_at + settings.young_line_days * DAY)


def _each(changes: list[Change], progress: Callable[[int, int], None] | None) -> Iterator[Change]:
    for done, change in enumerate(changes):
        if progress:
            progress(done, len(changes))
        yield change


def tells(case: Case) -> bool:
    """Say whether a worsening can teach how much each driver weighs: enough data, a usual, and no carrier's flag."""
    thin = case.effects.sends_week < case.settings.explain_thin_sends
    return case.usual.own and not thin and not case.effects.x["flagged"]


def case_of(change: Change, history: LineHistory, of_line: Troubles, fleet: Fleet, settings: Settings) -> Case:
    """Measure one transition: what is usual, what was not, and since when."""
    usual = usual_of(history, of_line, fleet, change.at, settings)
    effects = effects_at(history, of_line, usual, change.at, settings)
    if change.new == "FLAGGED" and not effects.x["flagged"]:
        effects.x["flagged"], effects.windows["flagged"] = 1.0, (change.at, change.at)
    if effects.sends_week < settings.explain_thin_sends:
        effects.x |= dict.fromkeys(_NEEDS_USUAL, 0.0)
    spans = {driver: onset_of(driver, effects, history, usual) for driver, x in effects.x.items() if x > 0}
    return Case(history, usual, effects, settings, spans)
