"""An exported folder in; out, how long one worker and two take to count all its signals, and that their tables are equal."""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from polars.testing import assert_frame_equal

from analysis.cluster.run import Counted, signals, table
from analysis.cluster.work import TABLES


@dataclass(frozen=True)
class Told:
    """Medians of seconds and processor seconds by number of workers."""

    runs: int
    seconds: dict[int, float]
    processor: dict[int, float]
    load: float

    def as_text(self) -> str:
        """Return the table as Markdown; efficiency is that of the fewest workers' seconds."""
        few = min(self.seconds)
        rows = [
            f"| {n} | {self.seconds[n]:.2f} | {self.processor[n]:.2f} | {100 * self.seconds[few] * few / (self.seconds[n] * n):.0f} % |"
            for n in self.seconds
        ]
        return "\n".join(
            [
                f"Medians of {self.runs} runs in turn, from when the workers are ready; {os.cpu_count()} cores (load {self.load:.1f}). All tables are equal.",
                "",
                "| workers | seconds | processor, s | efficiency |",
                "|--:|--:|--:|--:|",
                *rows,
            ]
        )


def measured(source: str, *, workers: Sequence[int], runs: int, shard: int) -> Told:
    """Count all signals of an exported folder with each number of workers, in turn; raises AssertionError where tables differ."""
    costs: dict[int, list[Counted]] = {n: [] for n in workers}
    with tempfile.TemporaryDirectory() as scratch:
        for run in range(runs):
            outs = [(n, Path(scratch) / f"{run}-{n}") for n in workers]
            for n, out in outs:
                costs[n].append(signals(source, str(out), workers_=str(n), most=shard))
            for name in TABLES:
                first, *others = (table(str(out), name) for _, out in outs)
                for other in others:
                    assert_frame_equal(first, other)
    return Told(
        runs,
        {n: statistics.median(c.seconds for c in of) for n, of in costs.items()},
        {n: statistics.median(c.processor for c in of) for n, of in costs.items()},
        os.getloadavg()[0],
    )
