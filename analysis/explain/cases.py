"""Changes and histories in, the case of each out: worked out a line at a time when asked for, so that a large fleet's need not all be in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from analysis.explain.baseline import Fleet, Usual, usual_of
from analysis.explain.change import Change, of_lines
from analysis.explain.effects import effects_at, week_of
from analysis.explain.evidence import Case
from analysis.explain.found import Effects
from analysis.explain.history import LineHistory
from analysis.explain.onset import Onset, onset_of
from analysis.explain.shelf import Held
from analysis.explain.troubles import Troubles
from analysis.settings import Settings

_NEEDS_USUAL = ("engagement", "new_conversations", "recipient_spread", "send_pace", "repeated_content")


class Cases(Mapping[Change, Case]):
    """The case of every change that has a message of its line before it, in the order of the changes.

    Args:
        changes: of ``with_messages``.
        known: histories of their lines.
        of_line: unhealthy times of each line.
        fleet: pooled rates.
        settings: see Settings.
        most: messages of the lines whose cases are held, of ``Held``; of others what was measured is kept without the history.
        progress: called with (changes measured, all) when one is measured for the first time.
    """

    def __init__(
        self,
        changes: Iterable[Change],
        known: Mapping[str, LineHistory],
        of_line: Mapping[str, Troubles],
        fleet: Fleet,
        settings: Settings,
        *,
        most: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._known, self._of_line, self._fleet, self._settings = known, of_line, fleet, settings
        self._held, self._progress = Held[dict[Change, Case]](most), progress
        self._all = dict.fromkeys(changes)
        self._changes = of_lines(self._all)
        self._measured: dict[Change, Measures] = {}

    def lines(self) -> dict[str, list[Change]]:
        """Return the changes of each line."""
        return self._changes

    def know(self, measures: Mapping[Change, Measures]) -> None:
        """Take in what was measured of some already."""
        self._measured |= measures

    def measures(self) -> Iterator[tuple[Change, Measures]]:
        """Yield what was measured of each, one line after the other: each is measured once."""
        for line, changes in self._changes.items():
            if any(change not in self._measured for change in changes):
                self._of(line)
            yield from ((change, self._measured[change]) for change in changes)

    def __getitem__(self, change: Change) -> Case:
        if change not in self._all:
            raise KeyError(change)
        return (self._held.get(change.line) or self._of(change.line))[change]

    def __contains__(self, change: object) -> bool:
        return change in self._all

    def __iter__(self) -> Iterator[Change]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def _of(self, line: str) -> dict[Change, Case]:
        history, of_line, found = self._known[line], self._of_line[line], {}
        for change in self._changes[line]:
            kept = self._measured.get(change)
            if kept is not None:
                found[change] = kept.whole(history, self._settings)
                continue
            if self._progress:
                self._progress(len(self._measured), len(self))
            found[change] = case = case_of(change, history, of_line, self._fleet, self._settings)
            self._measured[change] = Measures.of(case)
        return self._held.put(line, history.messages, found)


class Measures(NamedTuple):
    """What was measured of a case: small, without the history and the asks that it came from."""

    usual: Usual
    effects: Effects
    onsets: dict[str, Onset]

    @classmethod
    def of(cls, case: Case) -> Measures:
        """Return those of a case."""
        return cls(case.usual, replace(case.effects, window=None), case.onsets)

    def whole(self, history: LineHistory, settings: Settings) -> Case:
        """Return the case."""
        window = week_of(history, self.usual, self.effects.t)
        return Case(history, self.usual, replace(self.effects, window=window), settings, self.onsets)


def with_messages(changes: Iterable[Change], firsts: Mapping[str, int]) -> list[Change]:
    """Return the changes that have a message of their line before them.

    Args:
        changes: any.
        firsts: when each line's first message was (ms), of ``shelf.firsts_of``.
    """
    return [c for c in changes if c.line in firsts and firsts[c.line] <= c.at]


def tells(of: Case | Measures, settings: Settings) -> bool:
    """Say whether a worsening can teach how much each driver weighs: enough data, a usual, and no carrier's flag."""
    thin = of.effects.sends_week < settings.explain_thin_sends
    return of.usual.own and not thin and not of.effects.x["flagged"]


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
