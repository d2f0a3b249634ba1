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
        killed = ", ".join(f"{self.kills[what]} {what}" for what in ("receiver", "folding", "all"))
        return (
            f"{self.kills.total()} kills ({killed}; {self.in_writes} of the last two kinds while the store was being written) in {self.seconds:.0f} s: {self.posted:,} deliveries posted, {self.cut:,} cut off by a kill, "
            f"{len(self.acknowledged):,} acknowledged, of these {len(self.lost)} lost; {self.in_store:,} messages in the store, {self.twice} twice; "
            f"{self.read:,} lines folded, counts {'add up' if self.added_up else 'DO NOT ADD UP'}; left over: {self.left_over or 'nothing'}"
        )


@dataclass
class Life:
    """One life of the receiver: how long at least, what is killed at its end, whether a write of the store is awaited for it."""

    least_s: float
    killed: str
    in_a_write: bool
    wait_s: float
    """From the moment on which the kill waits."""
    pause_s: float
    """What each connection waits between two deliveries: 0 keeps the receiver as busy as it can be."""


def lives(kills: int, seed: int, longest_s: float) -> list[Life]:
    """Draw the lives; the last one is stopped as it should be."""
    rng = random.Random(seed)
    found = []
    for _ in range(kills):
        killed, awaited = rng.choice(["receiver", "receiver", "all", "folding"]), rng.random() < 0.6
        in_a_write = awaited and killed != "receiver"
        wait = rng.uniform(0, 0.06) if in_a_write else 0.0
        found.append(Life(rng.uniform(0.1, longest_s), killed, in_a_write, wait, rng.choice([0.0, 0.0, 0.004])))
    return [*found, Life(0.5, "", False, 0.0, 0.004)]


def run(store: Path, *, kills: int, seed: int, connections: int = 16, longest_s: float = 2.5) -> Figures:
    """Kill and start again so many times; return the figures."""
    figures, started = Figures(), time.monotonic()
    numbers = iter(range(10**9))
    again: list[int] = []
    for name, value in (
        ("receive_fold_s", "0.3"),
        ("receive_refresh_min", "0.5"),
        ("receive_segment_mb", "0.1"),
        ("receive_rate", "0"),
    ):
        pipeline.set_setting(name, value, store=store)  # so that kills also meet folds and refreshes
    for life in lives(kills, seed, longest_s):
        process = start(store, folding=True, group=True)
        try:
            asyncio.run(_live(store, process, life, numbers, again, figures, connections))
            if not life.killed:
                process.send_signal(signal.SIGTERM)
                process.wait(60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process.stdout.close()
    _count(store, figures)
    figures.seconds = time.monotonic() - started
    return figures


async def _live(store, process, life, numbers, again, figures, connections):
    """Post until the moment comes, and kill in the middle of it."""
    port = port_of(process)
    over = False
    sent = 0

    def work():
        nonlocal sent
        while not over:
            number = again.pop() if again else next(numbers)
            sent += 1
            yield number, request(*delivery(number, run="kills"))

    posting = asyncio.create_task(post(port, work(), connections=connections, again=again.append, pause_s=life.pause_s))
    await asyncio.sleep(life.least_s)
    end = time.monotonic() + 4
    while life.in_a_write and not any(store.parent.glob(".*.new")) and time.monotonic() < end:
        await asyncio.sleep(0.002)
    await asyncio.sleep(life.wait_s)
    if life.killed:
        figures.kills[life.killed] += 1
        _kill(process, life.killed, store, figures)
        await asyncio.sleep(0.1)
    over = True
    answers = await posting
    figures.posted += sent
    figures.cut += answers.cut
    figures.acknowledged.update(answers.acknowledged)


def _kill(process: subprocess.Popen[str], killed: str, store: Path, figures: Figures) -> None:
    figures.in_writes += killed != "receiver" and any(store.parent.glob(".*.new"))
    if killed == "all":
        os.killpg(process.pid, signal.SIGKILL)
    elif killed == "receiver":
        process.kill()
    elif killed == "folding":
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
