"""A fleet in; out, what a full refresh costs beside the SQL that counts days alone, and what a day more, and a late event, cost beside it."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from analysis.bench import steps
from analysis.bench.signals import coded
from analysis.bench.steps import Cost, DifferentError

Progress = Callable[[str, float, float], None]
FULL_OF_SQL, DAY_OF_FULL, DAY_MORE_S = 1 / 3, 0.03, 0.3
"""What is asked for (issue 6): a full refresh in so much of the SQL's time, and a day's in so much of the full one's and so many seconds."""


@dataclass
class Told:
    """What was measured at one size."""

    messages: int
    transitions: int
    costs: dict[str, Cost] = field(default_factory=dict)
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    """Seconds of each part of the refreshes."""
    load: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return all as plain values."""
        return {**vars(self), "costs": {name: vars(cost) for name, cost in self.costs.items()}}

    def as_text(self) -> str:
        """Return the table as Markdown, and whether what is asked for holds."""
        full, sql, day = (self.costs[name] for name in (FULL, SQL, DAY))
        where = f"{os.cpu_count()} cores (load {self.load:.1f}), {platform.system()} {platform.machine()}, Python {platform.python_version()}"
        most = DAY_OF_FULL * full.seconds + DAY_MORE_S
        asked = [
            (f"a full refresh takes {full.seconds / sql.seconds:.2f} times the SQL's seconds, at most {FULL_OF_SQL:.2f} is asked for", full.seconds <= FULL_OF_SQL * sql.seconds),
            (f"a day more takes {100 * day.seconds / full.seconds:.1f} % of the full refresh's seconds ({day.seconds:.1f} s), at most {most:.1f} s is asked for", day.seconds <= most),
        ]  # fmt: skip
        return "\n".join(
            [
                f"{self.messages:,} messages, {self.transitions:,} transitions; one run, each step in a fresh process; {where}.",
                "",
                "| step | seconds | processor, s | peak, MB | of the full refresh: seconds | processor |",
                "|---|--:|--:|--:|--:|--:|",
                *(
                    f"| {name} | {c.seconds:.2f} | {c.processor:.2f} | {c.peak_mb:,.0f} | {100 * c.seconds / full.seconds:.1f} % | {100 * c.processor / full.processor:.1f} % |"
                    for name, c in self.costs.items()
                ),
                "",
                "| seconds of | counting | gaps | explaining | forecasts (beside explaining, but in a full refresh) |",
                "|---|--:|--:|--:|--:|",
                *(
                    f"| {name} | {' | '.join(f'{of[part]:.2f}' for part in STAGES)} |"
                    for name, of in self.stages.items()
                ),
                "",
                *(f"{words}: {'holds' if holds else 'DOES NOT HOLD'}." for words, holds in asked),
                "The marts after each refresh of what is new are those of a full one.",
            ]
        )


STAGES = ("counting", "gaps", "explaining", "ahead")
SQL, FULL, DAY, LATE = (
    "DuckDB SQL, days alone, from coded tables",
    "refresh, full: days, hours, explanations, forecasts",
    "refresh after one more day",
    "refresh after one late message, from months ago",
)


def measured(data: str | Path, *, folder: str | Path, progress: Progress = lambda *_: None) -> Told:
    """Load a fleet but for its last day, and measure refreshes: of all, of that day, of a late message.

    Args:
        data: of `linehealth bench data`.
        folder: where stores are written, and removed again.
        progress: called with what is being done, done and whole.

    Raises:
        DifferentError: marts differ from those of a full refresh.
        LineHealthError: a step failed.
    """
    data = Path(data)
    Path(folder).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="refresh-") as scratch:
        place, whole = Path(scratch), 7
        store, copy = place / "store.duckdb", place / "full.duckdb"
        before, day, late = _split(data, place)
        progress("the SQL", 0, whole)
        database = coded(data)
        sql = _run("analysis.bench.peers.run", "sql", str(database), str(place / "sql.parquet"))
        progress("loading all but the last day", 1, whole)
        _step("load", store, *before)
        _step("refresh", store)
        progress("the last day", 2, whole)
        _step("load", store, *day)
        told = {DAY: _step("refresh", store)}
        progress("a full refresh of all", 3, whole)
        shutil.copy(store, copy)
        told[FULL] = _step("full", copy)
        _compare(store, copy, DAY)
        progress("a late message", 5, whole)
        _step("load", store, *late)
        told[LATE] = _step("refresh", store)
        shutil.copy(store, copy)
        _step("full", copy)
        _compare(store, copy, LATE)
        counts = _run("analysis.bench.refreshing", "counts", str(store))
    found = Told(int(counts["messages"]), int(counts["transitions"]), load=os.getloadavg()[0])
    runs = {SQL: sql, FULL: told[FULL], DAY: told[DAY], LATE: told[LATE]}
    found.costs = {name: Cost(*steps.medians([run])) for name, run in runs.items()}
    found.stages = {name: run["stages"] for name, run in runs.items() if name != SQL}
    return found


def _split(data: Path, place: Path) -> list[list[str]]:
    """Write what was known of a fleet a day before its last change of health, what that day told more, and one message that was left out of the middle.

    What was not known yet is in neither: a receipt that comes later is told with its message again, as exports do.
    """
    messages, changes = pl.scan_parquet(data / "messages-*.parquet"), pl.read_parquet(data / "transitions.parquet")
    first = messages.select(pl.col("sent_at").min()).collect().item()
    end = changes["changed_at"].max()
    cut, middle = end - timedelta(days=1), first + (end - first) / 3  # type: ignore[operator]
    one = messages.filter(pl.col("sent_at") > middle, pl.col("direction") == "outbound").sort("sent_at", "message_id").head(1).collect()  # fmt: skip
    rest = messages.filter(pl.col("message_id") != one["message_id"][0])
    chats = pl.scan_parquet(data / "chats.parquet").filter(pl.col("created_at") <= end)
    of_day = pl.col("health_updated_at").is_between(cut, end, closed="right")
    news = pl.any_horizontal(pl.col(c).is_between(cut, end, closed="right") for c in ("sent_at", *_RECEIPTS))
    parts = {
        "before-messages": _known_at(rest, cut),
        "before-transitions": changes.lazy().filter(pl.col("changed_at") <= cut),
        "before-chats": _told_at(chats.filter(pl.col("created_at") <= cut), cut),
        "day-messages": _known_at(rest.filter(news), end),
        "day-transitions": changes.lazy().filter(pl.col("changed_at") > cut),
        "day-chats": _told_at(chats.filter((pl.col("created_at") > cut) | of_day), end),
        "late-messages": _known_at(one.lazy(), end),
    }
    for name, rows in parts.items():
        rows.sink_parquet(place / f"{name}.parquet")
    return [
        [str(place / f"{name}.parquet") for name in parts if name.startswith(of)] for of in ("before", "day", "late")
    ]


_RECEIPTS = ("delivered_at", "read_at", "failed_at")


def _known_at(messages: pl.LazyFrame, at: Any) -> pl.LazyFrame:
    """Return messages as they were known at a time: those sent by then, with the receipts that had come."""
    failed = pl.col("failed_at") <= at
    known = [pl.when(pl.col(c) <= at).then(c).alias(c) for c in _RECEIPTS]
    return messages.filter(pl.col("sent_at") <= at).with_columns(*known, pl.when(failed).then("failure_code").alias("failure_code"))  # fmt: skip


def _told_at(chats: pl.LazyFrame, at: Any) -> pl.LazyFrame:
    """Return chats as they were known at a time: what is told of a chat's health later is not known yet."""
    known = pl.col("health_updated_at") <= at
    return chats.with_columns(pl.when(known).then(c).alias(c) for c in ("health", "health_updated_at"))


def _step(way: str, store: Path, *files: str) -> dict[str, Any]:
    return _run("analysis.bench.refreshing", way, str(store), *files)


def _compare(store: Path, full: Path, after: str) -> None:
    one, other = (_run("analysis.bench.refreshing", "marts", str(path)) for path in (store, full))
    if unlike := sorted(name for name in one if one[name] != other[name]):
        raise DifferentError(
            f"after the {after}: {', '.join(unlike)} differ from a full refresh", where="bench refresh"
        )


def _run(module: str, *words: str) -> dict[str, Any]:
    return steps.run(module, *words, where="bench refresh")
