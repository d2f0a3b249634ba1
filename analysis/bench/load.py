"""Sizes in; out, what loading messages as Parquet and deliveries as JSON lines costs beside DuckDB's plain tables of the same files, equal in every id."""

from __future__ import annotations

import itertools
import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.bench import steps
from analysis.bench.deliveries import delivery
from analysis.bench.steps import DifferentError
from analysis.errors import LineHealthError

Progress = Callable[[str, float, float], None]
MOST_TIMES = {"messages Parquet": 4.0, "deliveries JSON": 3.0}
"""What is asked for: a load takes at most so many times its peer's time."""
PEER = {"messages Parquet": "table", "deliveries JSON": "lines"}
"""The peer's word in ``bench.loading.WAYS``."""


@dataclass(frozen=True)
class Cost(steps.Cost):
    """Medians over the runs of one load: ours, ours of the same files a second time, or the peer's."""

    way: str


@dataclass(frozen=True)
class Loaded:
    """One kind of files at one size, and what its loads cost: ours, again, the peer's."""

    kind: str
    rows: int
    messages: int
    megabytes: float
    costs: tuple[Cost, Cost, Cost]

    def times(self, what: str) -> float:
        """Return how many times the peer's cost ours is."""
        return float(getattr(self.costs[0], what) / getattr(self.costs[2], what))


@dataclass
class Told:
    """What was measured."""

    runs: int
    loads: list[Loaded] = field(default_factory=list)
    load: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return all as plain values."""
        loads = [
            {**vars(x), "costs": [vars(c) for c in x.costs], "times": {w: x.times(w) for w in ("seconds", "processor", "peak_mb")}}
            for x in self.loads
        ]  # fmt: skip
        return {"runs": self.runs, "load": self.load, "loads": loads}

    def as_text(self) -> str:
        """Return the table as Markdown, with whether what is asked for holds, and how cost grows with the rows."""
        where = f"{os.cpu_count()} cores (load {self.load:.1f}), {platform.system()} {platform.machine()}, Python {platform.python_version()}"
        rows = [
            f"Medians of {self.runs} runs, each in a fresh process, in turn; {where}. Loads are without the refresh.",
            "",
            "| files | rows | MB | way | seconds | processor, s | peak, MB | MB/s | MB a processor s | times the peer's: processor | seconds |",
            "|---|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|",
        ]
        for x in self.loads:
            peer = x.costs[2]
            rows += [
                f"| {x.kind} | {x.rows:,} | {x.megabytes:,.0f} | {c.way} | {c.seconds:.2f} | {c.processor:.2f} | {c.peak_mb:,.0f} | {x.megabytes / c.seconds:,.1f} | {x.megabytes / c.processor:,.1f} | {c.processor / peer.processor:.2f} | {c.seconds / peer.seconds:.2f} |"
                for c in x.costs
            ]
        rows += [""]
        for x in self.loads:
            most, times = MOST_TIMES[x.kind], x.times("processor")
            rows.append(
                f"{x.rows:,} rows of {x.kind}: {x.messages:,} messages, equal in every id; {times:.1f} times the peer's processor seconds, at most {most:g} are asked for: {'holds' if times <= most else 'DOES NOT HOLD'}."
            )
        return "\n".join(rows + self._growth())

    def _growth(self) -> list[str]:
        found = []
        for kind in MOST_TIMES:
            mine = [x for x in self.loads if x.kind == kind]
            for few, many in itertools.pairwise(mine):
                told = ", ".join(
                    f"{after.way} {after.processor / before.processor:.1f} times the processor seconds and {after.peak_mb / before.peak_mb:.1f} times the peak"
                    for before, after in zip(few.costs, many.costs, strict=True)
                )
                found.append(
                    f"From {few.rows:,} to {many.rows:,} rows of {kind} ({many.rows / few.rows:.1f} times as many): {told}."
                )
        return found


def measured(
    folders: Sequence[str | Path],
    *,
    deliveries: Sequence[int],
    folder: str | Path,
    runs: int,
    progress: Progress = lambda *_: None,
) -> Told:
    """Measure loads of messages as Parquet and of deliveries as JSON lines, smallest first as given.

    Args:
        folders: of `linehealth bench data`, one a size; only messages-*.parquet is read.
        deliveries: how many lines of JSON, one number a size; the files are made and removed.
        folder: where stores and tables are written, and removed again.
        runs: of each way, in turn.
        progress: called with what is being done, done and whole.

    Raises:
        DifferentError: a peer's table holds other messages than ours.
        LineHealthError: a run failed.
    """
    told = Told(runs)
    whole = len(folders) + len(deliveries)
    Path(folder).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="load-") as scratch:
        for done, data in enumerate(folders):
            progress(f"messages of {data}", done, whole)
            told.loads.append(_loaded("messages Parquet", sorted(Path(data).glob("messages-*.parquet")), Path(scratch), runs))  # fmt: skip
        for done, number in enumerate(deliveries, start=len(folders)):
            progress(f"{number:,} deliveries", done, whole)
            log = write_deliveries(Path(scratch) / "deliveries.jsonl", number)
            told.loads.append(_loaded("deliveries JSON", [log], Path(scratch), runs, rows=number))
            log.unlink()
    told.load = os.getloadavg()[0]
    return told


def write_deliveries(path: Path, number: int) -> Path:
    """Write made-up deliveries, one a line: of three outbound messages that are sent, each is also told as delivered."""
    made = told = 0
    with path.open("wb") as file:
        while told < number:
            line = delivery(made)[1]
            file.write(line + b"\n")
            told += 1
            if b'"message.sent"' in line and told < number:
                at = line.split(b'"sent_at":', 1)[1].split(b",", 1)[0]
                line = line.replace(b'"message.sent"', b'"message.delivered"', 1)
                file.write(line.replace(b'"delivered_at":null', b'"delivered_at":' + at, 1) + b"\n")
                told += 1
            made += 1
    return path


def _loaded(kind: str, files: list[Path], scratch: Path, runs: int, *, rows: int | None = None) -> Loaded:
    if not files:
        raise LineHealthError("there are no files to load", where="bench load", fix="make some: linehealth bench data")
    pattern = str(files[0]) if len(files) == 1 else str(files[0].parent / "messages-*.parquet")
    costs: dict[str, list[dict[str, Any]]] = {"ours": [], "ours, the same again": [], "duckdb": []}
    for _ in range(runs):
        for way, word in (("ours", "ours"), ("ours, the same again", "ours"), ("duckdb", PEER[kind])):
            database = scratch / ("store.duckdb" if word == "ours" else "plain.duckdb")
            costs[way].append(steps.run("analysis.bench.loading", word, pattern, str(database), where="bench load"))
        first, _, peer = (c[-1] for c in costs.values())
        if (first["messages"], first["ids"]) != (peer["messages"], peer["ids"]):
            raise DifferentError(
                f"of {kind}, ours are {first['messages']:,} messages, duckdb's {peer['messages']:,}, or others",
                where="bench load",
                fix="find out which is right: no time counts before",
            )
        for left in (*scratch.glob("store.duckdb*"), *scratch.glob("plain.duckdb*")):
            left.unlink()
    first_time, again, peers = (Cost(*steps.medians(of), way) for way, of in costs.items())
    told = int(first["messages"])
    megabytes = sum(f.stat().st_size for f in files) / 1e6
    return Loaded(kind, rows if rows is not None else told, told, megabytes, (first_time, again, peers))
