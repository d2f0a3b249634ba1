"""A store in, where the time of a full refresh of it goes out: seconds by part, each without the parts that are told apart within it."""

from __future__ import annotations

import importlib
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from analysis import pipeline

PARTS: tuple[tuple[str, str, str], ...] = (
    ("counting: read messages and chats", "analysis.pipeline.counting", "whole_lines"),
    ("counting: what became of each send", "analysis.pipeline.counting", "judge"),
    ("counting: days and hours", "analysis.signals.panel", "counted"),
    ("counting: chats, deliveries, openers, activity", "analysis.pipeline.counting", "chat_state"),
    ("counting: chats, deliveries, openers, activity", "analysis.signals.delivery", "delivery_day"),
    ("counting: chats, deliveries, openers, activity", "analysis.pipeline.counting", "opening_sends"),
    ("counting: chats, deliveries, openers, activity", "analysis.pipeline.counting", "failure_hours"),
    ("counting: chats, deliveries, openers, activity", "analysis.pipeline.counting", "activity_of"),
    ("counting: the rest, rows into the store", "analysis.pipeline.derive", "count_again"),
    ("gaps in the deliveries", "analysis.signals.gaps", "gaps"),
    ("histories: read messages and chats", "analysis.pipeline.asked", "whole_lines"),
    ("histories: messages in order", "analysis.pipeline.asked", "placed_rows"),
    ("histories: messages in order", "analysis.pipeline.asked", "with_opt_outs"),
    ("histories: asks", "analysis.explain.histories", "asks_of"),
    ("histories: receipts that were to be expected", "analysis.explain.histories", "sends_of"),
    ("histories: receipts that were to be expected", "analysis.explain.histories", "silent_of"),
    ("histories: what lines tell together", "analysis.explain.together", "told_of"),
    ("histories: written and read again", "analysis.explain.shelf.Shelf", "_write"),
    ("histories: written and read again", "analysis.explain.shelf.Shelf", "__getitem__"),
    ("histories: the rest, put together", "analysis.pipeline.asked.StoreLines", "all"),
    ("measuring: what is usual", "analysis.explain.cases", "usual_of"),
    ("measuring: what is usual", "analysis.explain.quiet", "usual_of"),
    ("measuring: effects at quiet times", "analysis.explain.quiet", "effects_at"),
    ("measuring: effects at changes, onsets", "analysis.explain.cases", "case_of"),
    ("measuring: weights, shares, the rest", "analysis.pipeline.explaining", "measured"),
    ("telling: figures and details", "analysis.explain.verdict", "figures_of"),
    ("telling: figures and details", "analysis.explain.verdict", "driver_of"),
    ("telling: chats to fix", "analysis.explain.verdict", "chats_to_fix"),
    ("telling: what eases it", "analysis.explain.verdict", "actions_of"),
    ("telling: what eases it", "analysis.explain.verdict", "outcomes"),
    ("telling: the rest", "analysis.explain.verdict", "explain_line"),
    ("forecasts", "analysis.pipeline.derive", "look_ahead"),
    ("forecasts", "analysis.pipeline.derive", "keep_ahead"),
)
"""A part, where its function lives, and its name; what is in none is "the rest"."""


@dataclass(frozen=True)
class Told:
    """Wall and processor seconds by part, and of all."""

    parts: dict[str, tuple[float, float]]
    whole: tuple[float, float]
    explained: int

    def as_text(self) -> str:
        """Return the table as Markdown."""
        rest = tuple(of - sum(part[i] for part in self.parts.values()) for i, of in enumerate(self.whole))
        rows = [*self.parts.items(), ("the rest: the store's copy, reading facts, writing explanations", rest)]
        return "\n".join(
            [
                f"A full refresh, groups of lines one after the other; {self.explained:,} changes explained.",
                "",
                "| part | seconds | processor, s | of all |",
                "|---|--:|--:|--:|",
                *(
                    f"| {name} | {wall:.2f} | {used:.2f} | {100 * used / self.whole[1]:.0f} % |"
                    for name, (wall, used) in rows
                ),
                f"| all | {self.whole[0]:.2f} | {self.whole[1]:.2f} | 100 % |",
            ]
        )


class _Clock:
    """Adds up the time between the calls of timed functions to the innermost that runs."""

    def __init__(self) -> None:
        self.spent: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._stack: list[str] = []
        self._last = self.now()

    @staticmethod
    def now() -> tuple[float, float]:
        """Return wall and processor seconds."""
        return time.perf_counter(), time.process_time()

    def _tick(self) -> None:
        now = self.now()
        if self._stack:
            for i, (at, before) in enumerate(zip(now, self._last, strict=True)):
                self.spent[self._stack[-1]][i] += at - before
        self._last = now

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Count what happens within to a part."""
        self._tick()
        self._stack.append(part)
        try:
            yield
        finally:
            self._tick()
            self._stack.pop()

    def timed(self, part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that counts its time to a part; of one that yields, the time until each is yielded."""

        def call(*args: Any, **named: Any) -> Any:
            with self.of(part):
                found = work(*args, **named)
            if isinstance(found, Iterator):
                return self._each(part, found)
            return self.timed(part, found) if callable(found) else found  # the second half of work

        return call

    def _each(self, part: str, found: Iterator[Any]) -> Iterator[Any]:
        while True:
            with self.of(part):
                one = next(found, self)
            if one is self:
                return
            yield one


def measured(store: str | Path) -> Told:
    """Refresh a copy of a store from scratch, each part timed: one after the other in one process, where a refresh works on two groups at once, and on lines in several processes."""
    clock = _Clock()
    with tempfile.TemporaryDirectory(dir=Path(store).parent, prefix="parts-") as folder, ExitStack() as patched:
        copy = Path(folder) / "store.duckdb"
        shutil.copy(store, copy)
        for home in ("counting", "asked"):
            patched.enter_context(patch(f"analysis.pipeline.{home}.side_by_side", _one_by_one))
        patched.enter_context(patch("analysis.pipeline.explaining.for_tasks", lambda *_: nullcontext()))
        for part, where, word in PARTS:
            home = _home(where)
            patched.enter_context(patch.object(home, word, clock.timed(part, getattr(home, word))))
        began = clock.now()
        told = pipeline.refresh(store=copy, full=True)
        whole = tuple(at - before for at, before in zip(clock.now(), began, strict=True))
    parts = {part: (clock.spent[part][0], clock.spent[part][1]) for part, *_ in PARTS}
    return Told(parts, (whole[0], whole[1]), told["transitions"])


def _home(where: str) -> Any:
    """Return a module, or a class in one, by its full name."""
    try:
        return importlib.import_module(where)
    except ModuleNotFoundError:
        module, _, name = where.rpartition(".")
        return getattr(importlib.import_module(module), name)


def _one_by_one(groups: Iterable[Any], work: Callable[[Any], Any], **_: Any) -> Iterator[Any]:
    yield from map(work, groups)
