"""Frames of the store in, every transition as measured out: its case, the shares of its drivers, and what the fleet shows."""

from __future__ import annotations

from collections import ChainMap, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import polars as pl

from analysis.explain.apart import Apart, Line
from analysis.explain.attribution import Scales, rounded, shares_of
from analysis.explain.baseline import Fleet
from analysis.explain.cases import Cases, Measures, tells, with_messages
from analysis.explain.change import Change, episode_of, weighable
from analysis.explain.drift import Lesson, ScoringChange, ScoringChanges, scoring_of
from analysis.explain.evidence import Case
from analysis.explain.found import Effects
from analysis.explain.histories import histories
from analysis.explain.history import LineHistory
from analysis.explain.peers import Peers
from analysis.explain.quiet import Points, QuietTimes, pool_of, vector
from analysis.explain.shelf import firsts_of
from analysis.explain.standing import NOTHING, Kept, Standing
from analysis.explain.together import ASKED_HOURS, Shared, Told, hours_in, shared, sums_of, tells_to, together
from analysis.explain.troubles import Troubles, troubles
from analysis.schema import SEVERITY
from analysis.settings import Settings


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
    """How the other lines did."""
    lessons: list[Lesson] = field(default_factory=list)
    """Of all changes that teach, in order of time, line and kind."""
    quiet: dict[str, Points] = field(default_factory=dict)
    """Quiet times before changes: of the lines that have one, and of those that all are compared with."""
    due: frozenset[Change] | None = None
    """Those to explain: all but what an earlier refresh explained; all where None."""
    histories: Mapping[str, LineHistory] = field(default_factory=dict)
    """Of the lines that have a change to explain, at least."""
    rescaled: frozenset[Change] = frozenset()
    """Of those that stand the ones that are weighed as before, but by other quiet times."""
    measures: Mapping[Change, Measures] = field(default_factory=dict)
    """What ``cases`` has, without the histories that it was taken from."""
    fleet: Fleet | None = None
    """Pooled rates that it rests on; None where nothing was measured."""


class Lines(Protocol):
    """What is known of all lines: together, and each line's history for those that ask for it."""

    @property
    def firsts(self) -> Mapping[str, int]:
        """When each line's first message was (ms), in order of line."""

    def together(self) -> Shared:
        """Return what all lines tell together."""

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

    def together(self) -> Shared:
        """Return what all lines tell together."""
        return shared(sums_of(self._told.days, self._told.services), self._told.hours)

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
    kept: Kept = NOTHING,
    apart: Apart | None = None,
) -> Measured:
    """Measure changes of lines that are known, all but what is kept, in other processes where there are any; other arguments as ``verdict.explain``."""
    changes = changes_of(transitions, as_of)
    if not changes:
        return Measured()
    of_line, (sums, peers) = troubles_of(spells), lines.together()
    fleet = Fleet(sums, settings)
    standing = Standing(kept, changes, pool_of(lines.firsts), fleet, settings)
    due = standing.due()
    seen = with_messages(changes, lines.firsts)
    quiet = QuietTimes(lines.firsts, weighable(seen), of_line.__getitem__, fleet, settings, kept=standing.quiet())
    found = _Found(changes, seen, lines, of_line, fleet, settings, progress, apart)
    found.read(due)
    lacking = {line: at for line, at in quiet.lacking().items() if line not in found.known}
    quiet.rest_on(ChainMap(dict(lines.since(lacking)), found.known) if lacking else found.known)
    found.measure(quiet)
    points = quiet.all()
    taught = {lesson.key: lesson.effects for lesson in standing.lessons(due)}
    taught |= {c.key: vector(found.measures[c].effects) for c in found.teaching(due)}
    scales = Scales(quiet, [(at, effects) for (_, at, _), effects in taught.items()])
    due |= found.more(standing.on_another_scale(due, scales, points, taught), quiet)
    shares = shares_in(found.effects(), scales)
    # what a line without a usual, or with too few sends, does not explain says nothing of the vendor
    lessons = standing.lessons(due) + [
        Lesson(*c.key, taught[c.key], dict(shares[c])["unexplained"]) for c in found.teaching(due)
    ]
    scoring = scoring_of(lessons, lines.firsts, settings)
    if drifted := standing.drifted(due, scoring):
        due |= found.more(drifted, quiet)
        shares = shares_in(found.effects(), scales)
    return Measured(
        changes=changes,
        cases=found.cases,
        measures=found.measures,
        shares=shares,
        drifts=drifts_in(shares, scoring),
        scales=scales,
        troubles=of_line,
        peers=peers,
        lessons=sorted(lessons, key=lambda lesson: (lesson.at, lesson.line, lesson.kind)),
        quiet=points,
        due=due,
        histories=found.known,
        fleet=fleet,
        rescaled=standing.rescaled,
    )


class _Found:
    """What was found of changes, added some at a time: of those that are due, and of the worsenings that led up to them."""

    def __init__(
        self,
        changes: list[Change],
        seen: list[Change],
        lines: Lines,
        of_line: Mapping[str, Troubles],
        fleet: Fleet,
        settings: Settings,
        progress: Callable[[int, int], None] | None,
        apart: Apart | None,
    ) -> None:
        self._changes, self._seen, self._lines = changes, seen, lines
        self._rest = of_line, fleet, settings
        self._progress, self._apart = progress, apart
        self.known = ChainMap[str, LineHistory]()
        self.cases = ChainMap[Change, Case]()
        self.measures: dict[Change, Measures] = {}

    def read(self, due: frozenset[Change]) -> None:
        """Read the histories of the lines of changes."""
        needed = due.union(*_led_up_to(self._changes, due))
        asked = [c for c in self._seen if c in needed and c not in self.measures]
        if lines := sorted({c.line for c in asked} - set(self.known)):
            self.known.maps.insert(0, self._lines.whole(lines))  # type: ignore[arg-type]
        self._new = Cases(asked, self.known, *self._rest, progress=self._progress)
        self.cases.maps.insert(0, self._new)  # type: ignore[arg-type]

    def measure(self, quiet: QuietTimes) -> None:
        """Measure what was read last; quiet times of its lines are worked out on the way."""
        if self._apart:
            self._measure_apart(self._apart, quiet)
        for change, measures in self._new.measures():
            self.measures[change] = measures
            quiet.of_line(change.line)

    def _measure_apart(self, apart: Apart, quiet: QuietTimes) -> None:
        """Let other processes do so, and quiet times of all other lines too."""
        (of_line, fleet, settings), days = self._rest, quiet.to_measure()
        changes = {line: list[Change]() for line in days} | self._new.lines()
        work = [Line(line, own, days.get(line, []), of_line[line]) for line, own in changes.items()]
        done = 0
        for line, measures, effects in apart.measured(work, fleet, settings):
            self._new.know(measures)
            quiet.take(line, effects)
            done += len(measures)
            if self._progress:
                self._progress(done, len(self._new))

    def more(self, more: frozenset[Change], quiet: QuietTimes) -> frozenset[Change]:
        """Read and measure further changes, and return them."""
        if more:
            self.read(more)
            self.measure(quiet)
        return more

    def teaching(self, due: frozenset[Change]) -> list[Change]:
        """Return the worsenings among changes that teach about later ones, in order of time, line and kind."""
        settings, of = self._rest[-1], self.measures
        return [c for c in self._seen if c in due and c.worsening and c in of and tells(of[c], settings)]

    def effects(self) -> dict[Change, Effects]:
        """Return the effects of all, without their asks."""
        return {change: measures.effects for change, measures in self.measures.items()}


def troubles_of(spells: pl.DataFrame) -> dict[str, Troubles]:
    """Return the unhealthy times of every line, of SPELLS; none of a line without any."""
    return defaultdict(lambda: Troubles([]), troubles(spells))


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
