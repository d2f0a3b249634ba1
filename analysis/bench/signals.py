"""A big fleet in; out, what our signals by day cost beside the same from expert DuckDB SQL, pandas and ClickHouse, equal in every cell."""

from __future__ import annotations

import importlib.util
import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from analysis.bench import steps
from analysis.bench.coded import write_coded
from analysis.bench.fleet import write_fleet
from analysis.bench.steps import DifferentError
from analysis.errors import UsageError

Progress = Callable[[str, float, float], None]
PEERS = {"duckdb": "sql", "pandas": "pandas", "clickhouse": "clickhouse"}
"""Peers by the word that people give, and their module in ``bench.peers``."""
NEEDS = {"duckdb": "duckdb", "pandas": "pandas", "clickhouse": "chdb"}
COLUMNS = (
    "outbound", "inbound", "failed", "mature", "replied", "new_conversations", "new_mature", "new_replied", "history_days", "recipients",
    "peak_recipients_1h", "peak_recipients_24h", "peak_new_1h", "peak_new_24h", "peak_sends_60s", "unanswered_turns", "sends_after_opt_out",
    "chats_active", "chats_at_risk", "chats_critical", "chats_opted_out",
)  # fmt: skip
"""What is compared: every counting column of contract.md, section 3; rates are quotients of these."""


@dataclass(frozen=True)
class Cost(steps.Cost):
    """Medians over the runs of one way at one size."""

    name: str


@dataclass
class Told:
    """What was measured, size by size, ours first."""

    runs: int
    sizes: list[tuple[int, int, list[Cost]]] = field(default_factory=list)
    """Messages, cells compared with each peer, costs."""
    skipped: list[str] = field(default_factory=list)
    load: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return all as plain values."""
        sizes = [
            {"messages": messages, "cells": cells, "costs": [vars(cost) for cost in costs]}
            for messages, cells, costs in self.sizes
        ]
        return {"runs": self.runs, "load": self.load, "skipped": self.skipped, "sizes": sizes}

    def as_text(self) -> str:
        """Return the table as Markdown, with what was skipped and how cost grows with the messages."""
        where = f"{os.cpu_count()} cores (load {self.load:.1f}), {platform.system()} {platform.machine()}, Python {platform.python_version()}"
        rows = [
            f"Medians of {self.runs} runs, each in a fresh process, in turn; {where}. Times ours: how many times our processor seconds.",
            "",
            "| messages | way | seconds | processor, s | peak, MB | times ours: processor | seconds | peak |",
            "|--:|---|--:|--:|--:|--:|--:|--:|",
        ]
        for messages, _, costs in self.sizes:
            ours = costs[0]
            rows += [
                f"| {messages:,} | {c.name} | {c.seconds:.2f} | {c.processor:.2f} | {c.peak_mb:,.0f} | {c.processor / ours.processor:.1f} | {c.seconds / ours.seconds:.1f} | {c.peak_mb / ours.peak_mb:.1f} |"
                for c in costs
            ]
        rows += [
            "",
            *(f"{cells:,} cells of {messages:,} messages are equal in all." for messages, cells, _ in self.sizes),
        ]
        rows += self._growth() + self.skipped
        return "\n".join(rows)

    def _growth(self) -> list[str]:
        found = []
        for (few, _, before), (many, _, after) in zip(self.sizes, self.sizes[1:], strict=False):
            then = {c.name: c for c in before}
            told = ", ".join(
                f"{c.name} {c.processor / then[c.name].processor:.1f} times the processor seconds and {c.peak_mb / then[c.name].peak_mb:.1f} times the peak"
                for c in after
                if c.name in then
            )
            found.append(f"From {few:,} to {many:,} messages ({many / few:.1f} times as many): {told}.")
        return found


def measured(
    folders: Sequence[str | Path], *, peers: Sequence[str], runs: int, progress: Progress = lambda *_: None
) -> Told:
    """Measure ours and every peer on fleets of ``write_fleet``, smallest first as given.

    Coded tables (coded.duckdb, beside the data) are made where they are missing.

    Args:
        folders: of `linehealth bench data`, one a size.
        peers: words of PEERS; one whose library is missing is skipped, and said.
        runs: of each way, in turn.
        progress: called with what is being done, done and whole.

    Raises:
        DifferentError: a cell of a peer's table is not ours.
        LineHealthError: a run failed.
    """
    told = Told(runs)
    here = ["ours"]
    for peer in peers:
        if peer not in PEERS:
            raise UsageError(f"there is no peer {peer}", where="bench signals", fix=f"choose from {', '.join(PEERS)}")
        if importlib.util.find_spec(NEEDS[peer]) is None:
            told.skipped.append(f'{peer} is left out: it needs {NEEDS[peer]} (pip install "linehealth[bench]").')
        else:
            here.append(peer)
    whole, done = len(folders) * len(here) * runs, 0
    for folder in folders:
        database = coded(Path(folder), clickhouse="clickhouse" in here)
        costs: dict[str, list[dict[str, float]]] = {name: [] for name in here}
        tables: dict[str, pl.DataFrame] = {}
        with tempfile.TemporaryDirectory() as scratch:
            for _ in range(runs):
                for name in here:
                    progress(f"{name}, {folder}", done, whole)
                    out = Path(scratch) / f"{name}.parquet"
                    costs[name].append(
                        steps.run(
                            "analysis.bench.peers.run",
                            PEERS.get(name, name),
                            str(database),
                            str(out),
                            where="bench signals",
                        )
                    )
                    tables[name] = _told(pl.read_parquet(out), database)
                    compare(tables["ours"], tables[name], name)
                    done += 1
        with duckdb.connect(str(database), read_only=True) as con:
            messages = int(con.execute("select count(*) from coded").fetchall()[0][0])
        told.sizes.append(
            (messages, tables["ours"].height * len(COLUMNS), [Cost(*steps.medians(of), n) for n, of in costs.items()])
        )
    told.load = os.getloadavg()[0]
    return told


def fleet(folder: str | Path, *, messages: int, lines: int, days: int, seed: int) -> Path:
    """Make a fleet of this size in a folder where there is none; returns the folder of its data."""
    data = Path(folder) / f"{messages}-{lines}-{days}-{seed}"
    if not (data / "transitions.parquet").exists():
        write_fleet(data, messages=messages, lines=lines, days=days, seed=seed)
    return data


def compare(ours: pl.DataFrame, theirs: pl.DataFrame, name: str) -> None:
    """Compare two tables of line_no, day and COLUMNS, nulls as 0.

    Raises:
        DifferentError: they have other rows, or one cell is not equal; names the first such cell.
    """
    keys = ["line_no", "day"]
    if ours.select(keys).rows() != theirs.select(keys).rows():
        raise DifferentError(
            f"{name} has {theirs.height} line-days, ours {ours.height}, or others", where="bench signals"
        )
    for column in COLUMNS:
        other = (ours[column] != theirs[column]).arg_true()
        if len(other):
            row = int(other[0])
            line, day = ours.select(keys).row(row)
            raise DifferentError(
                f"{column} of line {line} on day {day}: ours {ours[column][row]}, {name} {theirs[column][row]}; {len(other)} cells of that column differ",
                where="bench signals",
                fix="find out which is right: no time counts before",
            )


def _told(table: pl.DataFrame, database: Path) -> pl.DataFrame:
    """Return a way's table as line_no, day (a number) and COLUMNS, nulls as 0, in order."""
    if "line" in table.columns:
        with duckdb.connect(str(database), read_only=True) as con:
            numbers = con.sql("select line, line_no from line").pl()
        table = table.join(numbers, on="line").with_columns(pl.col("day").cast(pl.Int32))
    return table.select(pl.col("line_no", "day", *COLUMNS).cast(pl.Int64).fill_null(0)).sort("line_no", "day")


def coded(folder: Path, *, clickhouse: bool = False) -> Path:
    """Return the coded tables of a folder of `linehealth bench data` (and, beside them, ClickHouse's), made where they are missing."""
    database = folder / "coded.duckdb"
    if not database.exists():
        write_coded(folder, database)
    if clickhouse:
        from analysis.bench.peers.clickhouse import home, load

        if not home(database).exists():
            with tempfile.TemporaryDirectory() as scratch:
                load(database, scratch)
    return database
