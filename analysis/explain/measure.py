"""Frames of the store in, every transition as measured out: its case, the shares of its drivers, and what the fleet shows."""

from __future__ import annotations

from collections import ChainMap, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

import polars as pl

from analysis.explain.attribution import Scales, rounded, shares_of
from analysis.explain.baseline import Fleet, FleetSums
from analysis.explain.cases import Cases, tells, with_messages
from analysis.explain.change import Change, episode_of
from analysis.explain.constants import DAY
from analysis.explain.drift import ScoringChange, ScoringChanges
from analysis.explain.evidence import Case
from analysis.explain.found import Effects
from analysis.explain.histories import histories
from analysis.explain.history import LineHistory
from analysis.explain.peers import AsksTold, Hours, Peers
from analysis.explain.quiet import KeptQuiet, Points, QuietTimes, vector
from analysis.explain.running import Array
from analysis.explain.shelf import firsts_of
from analysis.explain.together import ASKED_HOURS, Told, hours_in, sums_of, tells_to, together
from analysis.explain.troubles import Troubles, troubles
from analysis.schema import SEVERITY
from analysis.settings import Settings


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
        quiet: quiet times by line.
        lessons: of all changes.
    """

    begin: int
    quiet: dict[str, Points]
    lessons: list[Lesson]


@dataclass(frozen=True)
class Measured:
    """Changes of a fleet as measured."""

    changes: list[Change] = field(default_factory=list)
    """All, in order of time, line and kind."""
    cases: Mapping[Change, Case] = field(default_factory=dict)
    """Of the due ones, and of the worsenings that led up to them, that have a message before them."""
    shares: dict[Change, list[tuple[str, float]]] = field(default_factory=dict)
    """Of worsenings."""
    drifts: dict[Change, ScoringChange | None] = field(default_factory=dict)
    """A change of the vendor's scoring as it shows at worsenings without a cause."""
    scales: Scales = field(default_factory=lambda: Scales(None, []))
    troubles: dict[str, Troubles] = field(default_factory=dict)
    peers: Peers = field(default_factory=lambda: Peers({}, hours_in(pl.DataFrame(schema=ASKED_HOURS))))
    lessons: list[Lesson] = field(default_factory=list)
    """Of all changes that teach, in order of time, line and kind."""
    quiet: dict[str, Points] = field(default_factory=dict)
    """Quiet times before changes: of the lines that have one, and of those that all are compared with."""
    due: frozenset[Change] | None = None
    """Those to explain: all but what an earlier refresh explained; all where None."""
    histories: Mapping[str, LineHistory] = field(default_factory=dict)
    """Of the lines that have a change to explain, at least."""


class Lines(Protocol):
    """What is known of all lines: together, and each line's history for those that ask for it."""

    @property
    def firsts(self) -> Mapping[str, int]:
        """When each line's first message was (ms), in order of line."""

    def together(self) -> tuple[FleetSums, Hours]:
        """Return what pooled rates and the replies of other lines rest on."""

    def whole(self, lines: list[str]) -> Mapping[str, LineHistory]:
        """Return the histories of some lines, and of others as it may be."""

    def since(self, times: Mapping[str, int]) -> Mapping[str, LineHistory]:
        """Return histories of some lines, and of others as it may be, that hold for what is measured from a time (ms) on."""


class AllLines:
    """Lines whose histories are all there.

    Args:
        histories: by line.
        told: what they tell together.
    """

    def __init__(self, histories: Mapping[str, LineHistory], told: Told) -> None:
        self._histories, self._told = histories, told
        self.firsts = firsts_of(histories)

    def together(self) -> tuple[FleetSums, Hours]:
        """Return what pooled rates and the replies of other lines rest on."""
        return sums_of(self._told.days, self._told.services), hours_in(self._told.hours)

    def whole(self, lines: list[str]) -> Mapping[str, LineHistory]:
        """Return all histories."""
        return self._histories

    def since(self, times: Mapping[str, int]) -> Mapping[str, LineHistory]:
        """Return all histories."""
        return self._histories


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
    told: list[Told] = []
    seen = tells_to(told, troubles_of(spells), gaps, settings)
    known = histories(messages.filter(pl.col("at") <= as_of), chats, chat_health, settings, gaps, seen)
    lines = AllLines(known, together(told))
    return measured(lines, spells, transitions, as_of=as_of, settings=settings, progress=progress)


def measured(
    lines: Lines,
    spells: pl.DataFrame,
    transitions: pl.DataFrame,
    *,
    as_of: datetime,
    settings: Settings,
    progress: Callable[[int, int], None] | None = None,
    kept: Kept | None = None,
) -> Measured:
    """Measure changes of lines that are known, all but what is kept; other arguments as ``verdict.explain``."""
    changes = changes_of(transitions, as_of)
    if not changes:
        return Measured()
    of_line, (sums, hours) = troubles_of(spells), lines.together()
    fleet = Fleet(sums, settings)
    begin = kept.begin if kept else changes[0].at
    due = frozenset(c for c in changes if c.at >= begin)
    seen = with_messages(changes, lines.firsts)
    standing = KeptQuiet(kept.quiet, begin) if kept else None
    quiet = QuietTimes(lines.firsts, weighable(seen), of_line.__getitem__, fleet, settings, kept=standing)
    needed = due.union(*_led_up_to(changes, due))
    asked = [c for c in seen if c in needed]
    known = lines.whole(sorted({c.line for c in asked}))
    lacking = {line: at for line, at in quiet.lacking().items() if line not in known}
    quiet.rest_on(ChainMap(dict(lines.since(lacking)), known) if lacking else known)  # type: ignore[arg-type]
    cases = Cases(asked, known, of_line, fleet, settings, progress=progress)
    effects, points = _effects_of(cases, quiet), quiet.all()
    teach = [c for c, (_, tells) in effects.items() if c in due and c.worsening and tells]
    stand = [lesson for lesson in kept.lessons if lesson.at < begin] if kept else []
    told = [(lesson.at, lesson.effects) for lesson in stand] + [(c.at, vector(effects[c][0])) for c in teach]
    scales = Scales(quiet, told)
    shares = shares_in({c: x for c, (x, _) in effects.items()}, scales)
    # what a line without a usual, or with too few sends, does not explain says nothing of the vendor
    lessons = stand + [
        Lesson(c.line, c.at, c.kind, vector(effects[c][0]), dict(shares[c])["unexplained"]) for c in teach
    ]
    starts = {line: started(first_at, settings) for line, first_at in lines.firsts.items()}
    unexplained = [(lesson.at, lesson.line, lesson.unexplained) for lesson in lessons]
    drifts = drifts_in(shares, ScoringChanges(unexplained, starts))
    peers = Peers(AsksTold(known), hours)
    return Measured(changes, cases, shares, drifts, scales, of_line, peers, lessons, points, due, known)


def troubles_of(spells: pl.DataFrame) -> dict[str, Troubles]:
    """Return the unhealthy times of every line, of SPELLS; none of a line without any."""
    return defaultdict(lambda: Troubles([]), troubles(spells))


def weighable(changes: Iterable[Change]) -> list[Change]:
    """Return the changes that drivers are weighed for: worsenings, and recoveries from a known state."""
    return [c for c in changes if c.worsening or c.previous is not None]


def _effects_of(cases: Cases, quiet: QuietTimes) -> dict[Change, tuple[Effects, bool]]:
    """Return the effects of every case, without its asks, and whether it can teach; quiet times of its line are worked out on the way."""
    found = {}
    for change, case in cases.by_line():
        found[change] = replace(case.effects, window=None), tells(case)
        quiet.of_line(change.line)
    return {change: found[change] for change in cases}


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


def shares_in(effects: Mapping[Change, Effects], scales: Scales) -> dict[Change, list[tuple[str, float]]]:
    """Return the shares of every worsening whose effects are known."""
    return {c: rounded(shares_of(x, scales.at(c.line, c.at))) for c, x in effects.items() if c.worsening}


def drifts_in(
    shares: Mapping[Change, list[tuple[str, float]]], changed: ScoringChanges
) -> dict[Change, ScoringChange | None]:
    """Return the change of the vendor's scoring as it shows at every worsening without a cause."""
    return {c: changed.at(c.at) for c, of in shares.items() if of[0][0] == "unexplained"}


def started(first_at: int, settings: Settings) -> int:
    """Return from when a line can be explained (ms), from the time of its first message."""
    return round(first_at + settings.young_line_days * DAY)
