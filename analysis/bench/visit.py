"""A store and a page in, script time out, as JSON: one visit in a process of its own, driven without a browser.

Run as `python -m analysis.bench.visit PAGE AGAIN` with the store in $LINEHEALTH_STORE. PAGE `tour` opens the fleet and then every
other page once, as a person who clicks through the navigation.
"""

from __future__ import annotations

import builtins
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

PAGES = ("fleet", "why", "replies", "delivery", "new", "ahead", "transitions", "data")
TOUR = "tour"
ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 300.0
DRAGGED = timedelta(hours=20)
OTHERS = 5
"""Other lines, changes, days or filters clicked in a visit."""


@dataclass(frozen=True)
class Took:
    """Seconds on the wall and of processor time (all cores); the second tells more where other programs run too."""

    wall: float
    cpu: float

    def __sub__(self, other: Took) -> Took:
        return Took(self.wall - other.wall, self.cpu - other.cpu)

    def __add__(self, other: Took) -> Took:
        return Took(self.wall + other.wall, self.cpu + other.cpu)


def now() -> Took:
    """Return both clocks."""
    return Took(time.perf_counter(), time.process_time())


class Imports:
    """Counts the time in which modules are imported, the outermost import only."""

    def __init__(self) -> None:
        self.took, self._depth, self._plain = Took(0.0, 0.0), 0, builtins.__import__

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Import as Python does, and count."""
        if self._depth:
            return self._plain(*arguments, **named)
        self._depth, started = 1, now()
        try:
            return self._plain(*arguments, **named)
        finally:
            self._depth = 0
            self.took += now() - started

    def __enter__(self) -> Imports:
        builtins.__import__ = self
        return self

    def __exit__(self, *exc: object) -> None:
        builtins.__import__ = self._plain


@dataclass
class Visit:
    """What one visit took; ``faults`` are exceptions that a page showed."""

    imports: Took = field(default_factory=lambda: Took(0.0, 0.0))
    own: Took = field(default_factory=lambda: Took(0.0, 0.0))
    again: list[Took] = field(default_factory=list)
    clicks: dict[str, list[Took]] = field(default_factory=dict)
    opened: dict[str, Took] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def visit(page: str, again: int) -> Visit:
    """Open a page first of all in this process, then again, then click what people click on it."""
    with Imports() as imports:
        from streamlit.testing.v1 import AppTest

        told = Visit()
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
        if page not in ("fleet", TOUR):
            at.switch_page(_script(page))
        before = imports.took
        whole = _timed(at, page, told)
        told.imports, told.own = imports.took, whole - (imports.took - before)
        if page == TOUR:
            for other in PAGES[1:]:
                before = imports.took
                at.switch_page(_script(other))
                took = _timed(at, other, told)
                told.opened[other] = took - (imports.took - before)
            return told
        told.again = [_timed(at, page, told) for _ in range(again)]
        if told.faults:  # what would be clicked may not be there
            return told
        for what, act in _clicks(page, at):
            act()
            told.clicks.setdefault(what, []).append(_timed(at, f"{page}, {what}", told))
    return told


def _script(page: str) -> str:
    return f"analysis/pages/{page}.py"


def _timed(at: AppTest, where: str, told: Visit) -> Took:
    started = now()
    at.run()
    took = now() - started
    told.faults += [f"{where}: {e.message}" for e in at.exception]
    if not any("lh-h1" in part.proto.body for part in at.get("html")):
        told.faults.append(f"{where}: the page has no heading")
    return took


Click = tuple[str, Callable[[], object]]


def _clicks(page: str, at: AppTest) -> Iterator[Click]:
    clicks: dict[str, Callable[[AppTest], Iterator[Click]]] = {
        "fleet": _on_fleet, "why": _on_why, "replies": _on_replies, "delivery": _on_replies, "new": _on_new, "ahead": _on_ahead,
        "transitions": _on_transitions,
    }  # fmt: skip
    return clicks[page](at) if page in clicks else iter(())


def _on_fleet(at: AppTest) -> Iterator[Click]:
    for line in _spread(_lines()):
        yield "filter by number", lambda line=line: at.text_input(key="find").set_value(line[-4:])  # type: ignore[misc]
    yield "filter by number", lambda: at.text_input(key="find").set_value("")
    yield from _choices(at, "filter by health", "health")


def _on_why(at: AppTest) -> Iterator[Click]:
    from analysis import pipeline
    from analysis.pages import _words as words
    from analysis.pages._period import Period, address_of

    latest = {e.line: words.instant(e.at) for e in pipeline.explanations()}
    for line in _spread(sorted(latest)):
        yield "another line", lambda line=line: at.selectbox(key="pick_line").set_value(line)  # type: ignore[misc]
        steps = [b for b in at.button if b.key in ("earlier", "later") and not b.disabled]
        if steps:
            yield "next change", steps[0].click
        if any(t.key == "what_if" for t in at.toggle):
            yield "what-if opened", lambda: at.toggle(key="what_if").set_value(True)
            at.toggle(key="what_if").set_value(False).run()
        hour = latest[line].replace(minute=0, second=0, microsecond=0)
        dragged = address_of(Period(hour - DRAGGED, hour))
        yield "period dragged", lambda dragged=dragged: _go(at, dragged)  # type: ignore[misc]


def _go(at: AppTest, parts: dict[str, str]) -> None:
    """Write into the address: AppTest cannot drag across a chart, and the page reads a dragged period from there too."""
    for name, value in parts.items():
        at.query_params[name] = value


def _on_replies(at: AppTest) -> Iterator[Click]:
    yield from _choices(at, "period", "period")


def _on_new(at: AppTest) -> Iterator[Click]:
    from analysis import pipeline

    last = pipeline.signals(grain="day")["day"].max()
    for back in range(1, OTHERS + 1):
        day = last - timedelta(days=back)  # type: ignore[operator]
        yield "day", lambda day=day: at.selectbox(key="pick_day").set_value(day)  # type: ignore[misc]
    yield from _choices(at, "period", "pick_days")


def _on_ahead(at: AppTest) -> Iterator[Click]:
    yield from _choices(at, "filter by decision", "may")
    for new in (250, 1000):
        yield "plan", lambda new=new: at.number_input(key="new").set_value(new)  # type: ignore[misc]


def _on_transitions(at: AppTest) -> Iterator[Click]:
    yield from _choices(at, "period", "period")
    yield from _choices(at, "kind of change", "show")


def _choices(at: AppTest, what: str, key: str) -> Iterator[Click]:
    """Click every choice of a row of buttons, the one that is on last, so that each click changes something."""
    row = next((b for b in at.button_group if b.key == key), None)
    if row is None:
        return
    now = row.value
    if isinstance(now, list):
        values: list[Any] = [*([choice] for choice in row.options), now]
    else:
        every = [int(choice.split()[0]) if isinstance(now, int) else choice for choice in row.options]
        values = [*(v for v in every if v != now), now]
    for value in values:
        yield what, lambda value=value: at.button_group(key=key).set_value(value)  # type: ignore[misc]


def _lines() -> list[str]:
    from analysis import pipeline

    return sorted(pipeline.lines()["line"])


def _spread(every: list[str]) -> list[str]:
    """Return a few of them, evenly apart."""
    step = max(1, len(every) // OTHERS)
    return every[::step][:OTHERS]


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # streamlit warns that there is no browser
    sys.stdout.write(json.dumps(asdict(visit(sys.argv[1], int(sys.argv[2])))))
