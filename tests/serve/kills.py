"""Signed deliveries are posted while the receiver, its folding, or both are killed (-9) at random moments and started again.

Afterwards every delivery that was acknowledged must be in the store exactly once. Run: python -m tests.serve.kills --kills 50
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from analysis import pipeline
from analysis.bench.deliveries import delivery, post, request
from analysis.bench.receive import port_of, start
from analysis.sources.spool import Spool
from analysis.store import Store


@dataclass
class Figures:
    """What was killed and what came of it."""

    kills: collections.Counter[str] = field(default_factory=collections.Counter)
    in_writes: int = 0
    posted: int = 0
    cut: int = 0
    acknowledged: set[int] = field(default_factory=set)
    lost: list[int] = field(default_factory=list)
    twice: int = 0
    read: int = 0
    in_store: int = 0
    added_up: bool = False
    left_over: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        return not self.lost and not self.twice and self.added_up and not self.left_over

    def __str__(self) -> str:
        killed = ", ".join(f"{n} {what}" for what, n in sorted(self.kills.items()))
        return (
            f"{self.kills.total()} kills ({killed}; {self.in_writes} of them while the store was being written) in {self.seconds:.0f} s: {self.posted:,} deliveries posted, {self.cut:,} cut off by a kill, "
            f"{len(self.acknowledged):,} acknowledged, of these {len(self.lost)} lost; {self.in_store:,} messages in the store, {self.twice} twice; "
            f"{self.read:,} lines folded, counts {'add up' if self.added_up else 'DO NOT ADD UP'}; left over: {self.left_over or 'nothing'}"
        )


def run(
    store: Path, *, kills: int, seed: int, connections: int = 8, lives: tuple[float, float] = (0.1, 4.0)
) -> Figures:
    """Kill and start again so many times; return the figures."""
    rng, figures, started = random.Random(seed), Figures(), time.monotonic()
    numbers = iter(range(10**9))
    again: list[int] = []
    for name, value in (("receive_fold_s", "0.3"), ("receive_refresh_min", "0.05"), ("receive_segment_mb", "0.1")):
        pipeline.set_setting(name, value, store=store)  # so that kills also meet folds and refreshes
    for kill in range(kills + 1):
        process = start(store, folding=True, group=True)
        try:
            port = port_of(process)
            last = kill == kills
            until = time.monotonic() + (1.0 if last else rng.uniform(*lives))
            what = "nothing" if last else rng.choice(["receiver", "receiver", "all", "folding"])
            asyncio.run(_load(store, port, process, until, what, numbers, again, figures, connections))
            if last:
                process.send_signal(signal.SIGTERM)
                process.wait(60)
            else:
                figures.kills[what] += 1
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process.stdout.close()
    _count(store, figures)
    figures.seconds = time.monotonic() - started
    return figures


async def _load(store, port, process, until, what, numbers, again, figures, connections):
    """Post at a pace until the moment comes, and kill in the middle of it."""
    begun = time.monotonic()
    sent = 0

    def work():
        nonlocal sent
        while time.monotonic() < until + 0.3:
            number = again.pop() if again else next(numbers)
            sent += 1
            yield number, request(*delivery(number, run="kills"))

    killing = asyncio.get_running_loop().call_later(max(0.0, until - begun), _kill, process, what, store, figures)
    answers = await post(port, work(), connections=connections, again=again.append, pause_s=0.005)
    killing.cancel()
    figures.posted += sent
    figures.cut += answers.cut
    figures.acknowledged.update(answers.acknowledged)


def _kill(process: subprocess.Popen[str], what: str, store: Path, figures: Figures) -> None:
    figures.in_writes += any(store.parent.glob(".*.new"))
    if what == "all":
        os.killpg(process.pid, signal.SIGKILL)
    elif what == "receiver":
        process.kill()
    elif what == "folding":
        for child in _children(process.pid):
            os.kill(child, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(child) for child in task.read_text().split()]
    return found


def _count(store: Path, figures: Figures) -> None:
    pipeline.fold(store)
    with Store(store).reader() as con:
        held = collections.Counter(m for (m,) in con.sql("select message_id from message").fetchall())
        figures.read, counted = con.sql(
            "select sum(read), sum(inserted + merged + duplicates + ignored + quarantined) from source"
        ).fetchall()[0]
        inserted = con.sql("select sum(inserted) from source").fetchall()[0][0]
    figures.in_store = len(held)
    figures.lost = [n for n in figures.acknowledged if f"kills-{n}" not in held]
    figures.twice = sum(n > 1 for n in held.values())
    figures.added_up = figures.read == counted and inserted == len(held) == sum(held.values())
    spool = Spool.of(store)
    figures.left_over = [p.name for p in (*spool.segments(), *spool.segments(".open"), *store.parent.glob(".*.new*"))]


def main() -> None:
    """Run from the command line."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--kills", type=int, default=50)
    words.add_argument("--seed", type=int, default=int(time.time()))
    words.add_argument("--folder", type=Path, default=None, help="on which disk")
    told = words.parse_args()
    os.environ.setdefault("LINEHEALTH_KEY", "a key that only the tests use")
    with tempfile.TemporaryDirectory(prefix="linehealth-kills-", dir=told.folder) as folder:
        figures = run(Path(folder) / "store.duckdb", kills=told.kills, seed=told.seed)
    print(f"seed {told.seed}: {figures}")  # noqa: T201  # a command
    sys.exit(0 if figures.good else 1)


if __name__ == "__main__":
    main()
