"""A fleet's coded tables in, where the time of counting its signals by day goes out: processor seconds a step, and the least that any way needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import numpy as np
import polars as pl

from analysis.bench.peers import ours
from analysis.bench.signals import coded
from analysis.signals import judged, panel
from analysis.signals.peaks import Sliding

STEPS: tuple[tuple[str, Any, str], ...] = (
    ("read the messages from DuckDB", ours, "_read"),
    ("was each send answered in time", judged, "fates"),
    ("which sends open a conversation", judged, "openers"),
    ("turns left unanswered", judged, "late_turns"),
    ("sends after an opt-out", judged.chat_state, "after_opt_out"),
    ("sliding counts: one sort of the sends, running sums", judged, "sliding"),
    ("the highest of each day", Sliding, "highest"),
    ("counts of each day", panel, "_counts"),
    ("chats active and in trouble", panel.chat_state, "activity"),
    ("names, rates, states", panel, "_with_names_and_days"),
    ("names, rates, states", panel, "_with_state"),
)
"""A step, where its function lives, and its name: what is not in one is "the rest"."""


@dataclass(frozen=True)
class Told:
    """Processor seconds by step, of all, and of the least that was measured beside it."""

    messages: int
    steps: dict[str, float]
    whole: float
    least: dict[str, float]

    def as_text(self) -> str:
        """Return both tables as Markdown."""
        rest = self.whole - sum(self.steps.values())
        rows = [*self.steps.items(), ("the rest (order, cells, put together)", rest)]
        return "\n".join(
            [
                f"{self.messages:,} messages, one group of lines after the other; {self.whole:.2f} s of processor in all.",
                "",
                "| step | processor, s | share |",
                "|---|--:|--:|",
                *(f"| {name} | {spent:.2f} | {100 * spent / self.whole:.0f} % |" for name, spent in rows),
                "",
                "| the least of any way, alone | processor, s |",
                "|---|--:|",
                *(f"| {name} | {spent:.2f} |" for name, spent in self.least.items()),
            ]
        )


def measured(folder: str | Path) -> Told:
    """Count the signals of a folder of `linehealth bench data` by day, each step timed; groups of lines come one after the other."""
    database = coded(Path(folder))
    spent: dict[str, float] = {}
    with ExitStack() as patched:
        for name, home, word in STEPS:
            patched.enter_context(_timed(home, word, name, spent))
        patched.enter_context(patch.object(ours, "side_by_side", lambda groups, work: [work(g) for g in groups]))
        began = time.process_time()
        ours.by_day(database)
        whole = time.process_time() - began
    return Told(_count(database), spent, whole, _least(database))


@contextmanager
def _timed(home: Any, word: str, name: str, spent: dict[str, float]) -> Iterator[None]:
    work: Callable[..., Any] = getattr(home, word)
    spent.setdefault(name, 0.0)

    def timed(*args: Any, **named: Any) -> Any:
        began = time.process_time()
        try:
            return work(*args, **named)
        finally:
            spent[name] += time.process_time() - began

    with patch.object(home, word, timed):
        yield


def _count(database: Path) -> int:
    with duckdb.connect(str(database), read_only=True) as con:
        return int(con.execute("select count(*) from coded").fetchall()[0][0])


def _least(database: Path) -> dict[str, float]:
    """Return the processor seconds of what no way gets round: the five columns read, and the times of the sends put in order once."""
    found = {}
    with duckdb.connect(str(database), read_only=True) as con:
        began = time.process_time()
        rows = con.sql("select talk, line_no, at_ms, outbound, failed from coded").pl()
        size = rows.estimated_size()
        found[f"read the five columns ({size / 1e9:.2f} GB) into memory"] = time.process_time() - began
    keys = rows.filter("outbound").select(key=pl.col("line_no").cast(pl.Int64) * (1 << 42) + pl.col("at_ms"))["key"]
    array = keys.to_numpy().copy()
    began = time.process_time()
    np.sort(array)
    found[f"sort {len(array):,} numbers of 64 bits (line and time of each send), numpy"] = time.process_time() - began
    began = time.process_time()
    keys.sort()
    found["the same, Polars"] = time.process_time() - began
    return found
