"""A number of deliveries in, acknowledged ones a second with durability and without it, side by side, out.

The server runs in one process, the load generator in another, as on two cores. Both ways are measured in turn, several times, on the
same disk; the one without durability differs in nothing but the sync.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis import pipeline
from analysis.bench.deliveries import SECRET, Answers, delivery, post, request
from analysis.errors import LineHealthError

TARGET_A_S, TARGET_P99_MS = 1000.0, 100.0
"""Issue 7: at least so many acknowledged deliveries a second on two cores, p99 under so many ms."""
ROWS = ("durable", "not durable")


@dataclass
class Told:
    """What was measured: for each way a row a run."""

    deliveries: int
    connections: int
    sync_ms: float
    """Median time of one append of 1 kB and its sync on this disk, alone."""
    runs: dict[str, list[dict[str, float]]]

    def best(self, way: str) -> dict[str, float]:
        """Return the median over the runs of one way."""
        return {name: statistics.median(run[name] for run in self.runs[way]) for name in self.runs[way][0]}

    @property
    def met(self) -> bool:
        """Whether the durable way reaches the targets."""
        told = self.best("durable")
        return told["a_second"] >= TARGET_A_S and told["p99_ms"] <= TARGET_P99_MS

    def as_json(self) -> dict[str, Any]:
        """Return all figures."""
        return {
            "deliveries": self.deliveries, "connections": self.connections, "sync_ms": self.sync_ms,
            "targets": {"a_second": TARGET_A_S, "p99_ms": TARGET_P99_MS}, "met": self.met,
            "median": {way: self.best(way) for way in self.runs}, "runs": self.runs,
        }  # fmt: skip

    def as_text(self) -> str:
        """Return the figures side by side."""
        lines = [
            f"{self.deliveries:,} signed deliveries over {self.connections} kept connections, a run; medians of {len(self.runs['durable'])} runs; one sync of this disk alone: {self.sync_ms:.2f} ms",
            f"{'':14}{'acknowledged a second':>24}{'p50':>12}{'p99':>12}{'lines a sync':>15}",
        ]
        for way in self.runs:
            told = self.best(way)
            lines.append(
                f"{way:14}{told['a_second']:>24,.0f}{told['p50_ms']:>9.1f} ms{told['p99_ms']:>9.1f} ms{told['lines_a_commit']:>15.1f}"
            )
        words = "reached" if self.met else "NOT reached"
        lines.append(f"target: {TARGET_A_S:,.0f} a second with p99 under {TARGET_P99_MS:.0f} ms: {words}")
        return "\n".join(lines)


def measured(*, deliveries: int = 20_000, connections: int = 32, runs: int = 3, folder: Path | None = None) -> Told:
    """Measure both ways in turn.

    Args:
        deliveries: how many a run.
        connections: how many are kept open; each sends its next one when the last is answered.
        runs: of each way.
        folder: on which disk; default the temporary folder's.

    Raises:
        LineHealthError: the server did not start, or did not acknowledge every delivery.
    """
    rows: dict[str, list[dict[str, float]]] = {way: [] for way in ROWS}
    with tempfile.TemporaryDirectory(prefix="linehealth-bench-", dir=folder) as scratch:
        sync = _sync_ms(Path(scratch))
        bodies = [delivery(number) for number in range(deliveries)]
        for run in range(runs):
            for way in ROWS if run % 2 == 0 else ROWS[::-1]:
                place = Path(scratch) / f"{run}-{way.replace(' ', '-')}"
                place.mkdir()
                rows[way].append(_run(place / "store.duckdb", bodies, connections, durable=way == "durable"))
    return Told(deliveries, connections, sync, rows)


def _run(store: Path, bodies: list[tuple[str, bytes]], connections: int, *, durable: bool) -> dict[str, float]:
    work = [
        (number, request(*body)) for number, body in enumerate(bodies)
    ]  # signed beforehand: the generator must be cheap
    pipeline.set_setting("receive_rate", "0", store=store)  # all come from one address
    with served(store, durable=durable) as port:
        warm = [(0, request(*delivery(n, run="warm"))) for n in range(200)]
        asyncio.run(post(port, iter(warm), connections=4))
        started = time.perf_counter()
        answers: Answers = asyncio.run(post(port, iter(work), connections=connections))
        took = time.perf_counter() - started
        commits, lines = _commits(port)
    if len(answers.acknowledged) != len(work):
        raise LineHealthError(
            f"{len(work) - len(answers.acknowledged):,} of {len(work):,} deliveries were not acknowledged ({answers.codes}, {answers.cut} cut)",
            where="bench receive",
        )
    spent = sorted(answers.seconds)
    return {
        "a_second": len(work) / took,
        "p50_ms": 1000 * spent[len(spent) // 2],
        "p99_ms": 1000 * spent[int(len(spent) * 0.99)],
        "worst_ms": 1000 * spent[-1],
        "lines_a_commit": lines / max(1.0, commits),
    }


def _commits(port: int) -> tuple[float, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    told = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[:1] != "#")
    return float(told["linehealth_commit_seconds_count"]), float(
        told['linehealth_deliveries_acknowledged_total{outcome="used"}']
    )


def _sync_ms(folder: Path) -> float:
    path, took = folder / "sync", []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for _ in range(100):
            started = time.perf_counter()
            os.write(descriptor, b"x" * 1024)
            os.fsync(descriptor)
            took.append(1000 * (time.perf_counter() - started))
    finally:
        os.close(descriptor)
    return statistics.median(took)


@contextlib.contextmanager
def served(store: Path, *, durable: bool = True, folding: bool = False) -> Iterator[int]:
    """Run a receiver in a process of its own on a free port; yield the port, and stop it."""
    process = start(store, durable=durable, folding=folding)
    try:
        yield port_of(process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def start(store: Path, *, durable: bool = True, folding: bool = False, group: bool = False) -> subprocess.Popen[str]:
    """Start a receiver in a process of its own (``group``: and in a process group of its own)."""
    words = [sys.executable, "-m", "analysis.bench.receive", str(store), str(int(durable)), str(int(folding))]
    return subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "LINQ_WEBHOOK_SECRET": SECRET},
        start_new_session=group,
    )


def port_of(process: subprocess.Popen[str]) -> int:
    """Wait until a started receiver listens; return its port. Raises LineHealthError where it ends instead."""
    line = process.stdout.readline() if process.stdout else ""
    if not line.strip().isdigit():
        raise LineHealthError("the receiver did not start", where="bench receive", fix="try `linehealth receive`")
    return int(line)


def _main(store: str, durable: str, folding: str) -> None:
    from analysis.serve.receive import receive
    from analysis.serve.run import bound

    held = bound("127.0.0.1", 0)
    held.listen(2048)
    print(held.getsockname()[1], flush=True)  # noqa: T201  # to the process that started this one
    receive(store, held, [SECRET], durable=durable == "1", folding=folding == "1")


if __name__ == "__main__":
    _main(*sys.argv[1:])
