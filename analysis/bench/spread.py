"""An exported folder in; out, how long one worker and two take to count and to explain all of it, and that their tables are equal."""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from polars.testing import assert_frame_equal

from analysis.cluster.explaining import explain
from analysis.cluster.run import Counted, signals, table

WORK: dict[str, Callable[..., Counted]] = {"signals": signals, "explain": explain}


@dataclass(frozen=True)
class Cost:
    """Medians of seconds, of processor seconds of the shards, and of this process beside them, by number of workers."""

    seconds: dict[int, float]
    processor: dict[int, float]
    here: dict[int, float]


@dataclass(frozen=True)
class Told:
    """What each work costs."""

    runs: int
    costs: dict[str, Cost]
    load: float

    def as_text(self) -> str:
        """Return the table as Markdown; efficiency is that of the fewest workers' seconds."""
        rows = []
        for name, cost in self.costs.items():
            few = min(cost.seconds)
            for n, seconds in cost.seconds.items():
                share = 100 * cost.seconds[few] * few / (seconds * n)
                rows.append(
                    f"| {name} | {n} | {seconds:.2f} | {cost.processor[n]:.2f} | {cost.here[n]:.2f} | {share:.0f} % |"
                )
        return "\n".join(
            [
                f"Medians of {self.runs} runs in turn, from when the workers are ready; {os.cpu_count()} cores (load {self.load:.1f}). All tables are equal.",
                "",
                "| | workers | seconds | processor, s | this process, s | efficiency |",
                "|---|--:|--:|--:|--:|--:|",
                *rows,
            ]
        )


def measured(source: str, *, workers: Sequence[int], runs: int, shard: int) -> Told:
    """Count and explain an exported folder with each number of workers, in turn; raises AssertionError where tables differ."""
    costs: dict[str, dict[int, list[Counted]]] = {name: {n: [] for n in workers} for name in WORK}
    with tempfile.TemporaryDirectory() as scratch:
        for run in range(runs):
            for name, work in WORK.items():
                outs = [(n, Path(scratch) / f"{name}-{run}-{n}") for n in workers]
                for n, out in outs:
                    costs[name][n].append(work(source, str(out), workers_=str(n), most=shard))
                for kept in costs[name][workers[0]][0].rows:
                    first, *others = (table(str(out), kept) for _, out in outs)
                    for other in others:
                        assert_frame_equal(first, other)
    return Told(runs, {name: _cost(of) for name, of in costs.items()}, os.getloadavg()[0])


def _cost(of: dict[int, list[Counted]]) -> Cost:
    def middle(of_one: Callable[[Counted], float]) -> dict[int, float]:
        return {n: statistics.median(of_one(told) for told in runs) for n, runs in of.items()}

    return Cost(middle(lambda c: c.seconds), middle(lambda c: c.processor), middle(lambda c: c.here))
