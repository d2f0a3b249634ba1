"""Frames of the store in, every transition as measured out: its case, the shares of its drivers, and what the fleet shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from analysis.explain.attribution import Scales, rounded, shares_of
from analysis.explain.baseline import Fleet, usual_of
from analysis.explain.change import Change, episode_of
from analysis.explain.constants import DAY
from analysis.explain.drift import ScoringChange, ScoringChanges
from analysis.explain.effects import effects_at
from analysis.explain.evidence import Case
from analysis.explain.histories import histories
from analysis.explain.history import LineHistory
from analysis.explain.onset import onset_of
from analysis.explain.peers import Peers
from analysis.explain.quiet import KeptQuiet, Points, QuietTimes, last_day, vector
from analysis.explain.running import Array
from analysis.explain.troubles import Troubles, troubles
from analysis.schema import SEVERITY
from analysis.settings import Settings

_NEEDS_USUAL = ("engagement", "new_conversations", "recipient_spread", "send_pace", "repeated_content")


@dataclass(frozen=True)
class Lesson:
    """What a worsening teaches about later ones: its effects and amounts (``quiet.vector``), and the share left unexplained."""

    line: str
    at: int
    kind: str
    effects: Array
    unexplained: float


@dataclass(frozen=True)
class Kept:
    """What an earlier refresh measured; nothing that a change uses is later than it.

    Args:
        begin: ms; changes from then on are measured again.
        latest: ms; the latest change as of that refresh.
        quiet: quiet times by line.
        lessons: of all changes.
    """

    begin: int
    latest: int
    quiet: dict[str, Points]
    lessons: list[Lesson]


@dataclass(frozen=True)
class Measured:
    """Changes of a fleet as measured."""

    changes: list[Change] = field(default_factory=list)
    """All, in order of time, line and kind."""
    cases: dict[Change, Case] = field(default_factory=dict)
    """Of the due ones, and of the worsenings that led up to them, that have a message before them."""
    shares: dict[Change, list[tuple[str, float]]] = field(default_factory=dict)
    """Of worsenings."""
    drifts: dict[Change, ScoringChange | None] = field(default_factory=dict)
    """A change of the vendor's scoring as it shows at worsenings without a cause."""
    scales: Scales = field(default_factory=lambda: Scales(None, []))
    troubles: dict[str, Troubles] = field(default_factory=dict)
    peers: Peers = field(default_factory=lambda: Peers([]))
    lessons: list[Lesson] = field(default_factory=list)
    """Of all changes that teach, in order of time, line and kind."""
    quiet: dict[str, Points] = field(default_factory=dict)
    """Quiet times of the lines that have a change, and of those that all are compared with."""
    due: frozenset[Change] | None = None
    """Those to explain: all but what an earlier refresh explained; all where None."""


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
    kept: Kept | None = None,
) -> Measured:
    """Measure changes of lines whose histories are known, all but what is kept; other arguments as ``verdict.explain``."""
    changes = changes_of(transitions, as_of)
    if not changes:
        return Measured()
    of_line: dict[str, Troubles] = defaultdict(lambda: Troubles([]), troubles(spells))
    fleet = Fleet(known, of_line, settings)
    begin = kept.begin if kept else changes[0].at
    due = frozenset(c for c in changes if c.at >= begin)
    seen = [c for c in changes if c.line in known and known[c.line].first_at <= c.at]  # with a message before them
    standing = KeptQuiet()
    if kept:
        before = frozenset(c.line for c in seen if c.at < begin)
        standing = KeptQuiet(kept.quiet, before, last_day(kept.latest), begin)
    quiet = QuietTimes(known, of_line.__getitem__, fleet, settings, latest=changes[-1].at, kept=standing)
    needed = due.union(*_led_up_to(changes, due))
    cases = cases_of(_each([c for c in seen if c in needed], progress), known, of_line, fleet, settings)
    stand = [lesson for lesson in kept.lessons if lesson.at < begin] if kept else []
    teach = [c for c, case in cases.items() if c in due and c.worsening and tells(case)]
    told = [(lesson.at, lesson.effects) for lesson in stand] + [(c.at, vector(cases[c].effects)) for c in teach]
    scales = Scales(quiet, told)
    shares = shares_in(cases, scales)
    # what a line without a usual, or with too few sends, does not explain says nothing of the vendor
    lessons = stand + [
        Lesson(c.line, c.at, c.kind, vector(cases[c].effects), dict(shares[c])["unexplained"]) for c in teach
    ]
    starts = {line: started(history.first_at, settings) for line, history in known.items()}
    unexplained = [(lesson.at, lesson.line, lesson.unexplained) for lesson in lessons]
    drifts = drifts_in(shares, ScoringChanges(unexplained, starts))
    peers, points = Peers(known.values()), quiet.all(c.line for c in seen)
    return Measured(changes, cases, shares, drifts, scales, of_line, peers, lessons, points, due)


def _led_up_to(changes: list[Change], due: frozenset[Change]) -> Iterator[list[Change]]:
    """Yield the worsenings before each change that is due, of the same spell of trouble: its story tells of them."""
    by_line: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        if change in due:
            yield episode_of(by_line[change.line], change)
        by_line[change.line].append(change)


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
