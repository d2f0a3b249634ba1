"""Lines of a shelf in, what other processes measure of each out: the shelf, and what all rest on, reach them as a file."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

from analysis.explain.baseline import Fleet
from analysis.explain.cases import Measures, case_of
from analysis.explain.change import Change
from analysis.explain.quiet import measured_on
from analysis.explain.running import Array
from analysis.explain.shelf import Shelf
from analysis.explain.troubles import Troubles
from analysis.settings import Settings

Spread = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]
"""Does a function of a module to each of some values, in any process and any order, and yields what it gives as it comes."""


class Line(NamedTuple):
    """What is to be measured of a line: at its changes, and on days that may be quiet."""

    line: str
    changes: list[Change]
    days: list[int]
    troubles: Troubles


Outcome = tuple[str, dict[Change, Measures], dict[int, Array]]
"""A line, what was measured at its changes, and the effects at its quiet times by day."""


class Apart(NamedTuple):
    """Other processes that work on lines of a shelf.

    Args:
        spread: hands work to them.
        shelf: of which nothing is held here any more (``put_away``).
        folder: for what all of them read; whoever made it removes it.
    """

    spread: Spread
    shelf: Shelf
    folder: Path

    def written(self, value: Any) -> Path:
        """Write what all of them read (``read``), and return where."""
        path = Path(mkdtemp(dir=self.folder)) / "all"
        with path.open("wb") as file:
            pickle.dump(value, file, protocol=pickle.HIGHEST_PROTOCOL)
        return path

    def measured(self, lines: Iterable[Line], fleet: Fleet, settings: Settings) -> Iterator[Outcome]:
        """Measure lines, those with most to do first; yields each as it is done."""
        rest = self.written((self.shelf, fleet, settings))
        first = sorted(lines, key=lambda of: -(_OF_A_DAY * len(of.changes) + len(of.days)))
        yield from self.spread(_measure, [(rest, line) for line in first])


_OF_A_DAY = 2
"""A change takes about so many times what a quiet day does (measured, analysis/bench)."""


@lru_cache(maxsize=2)
def read(path: Path) -> Any:
    """Return what ``Apart.written`` wrote there; of the last ones it is held."""
    with path.open("rb") as file:
        return pickle.load(file)  # by the process that started this one


def _measure(task: tuple[Path, Line]) -> Outcome:
    path, (line, changes, days, troubles) = task
    shelf, fleet, settings = read(path)
    history = shelf[line]
    measures = {c: Measures.of(case_of(c, history, troubles, fleet, settings)) for c in changes}
    return line, measures, measured_on(days, history, troubles, fleet, settings)
