"""An exported folder and workers in, why each transition happened out: the local run's explanations; this process holds sums and rows a change only.

What explanations rest on of other lines is counted in passes, each of which leaves files to the next (``measuring``): receipts and the fleet's
sums by shard of lines, lost receipts by period, cases and quiet times by shard, weights by day, shares by shard, explanations by shard.
"""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import polars as pl

from analysis.cluster import measuring
from analysis.cluster.folder import Folder
from analysis.cluster.measuring import STARTS, UNEXPLAINED, WEIGHTS, WORSE, Points, Run
from analysis.cluster.run import Counted, finished, opened
from analysis.cluster.work import known
from analysis.cluster.workers import Spread, workers
from analysis.explain import baseline, peers
from analysis.explain.drift import started
from analysis.explain.quiet import pool_of
from analysis.pipeline.shards import MESSAGES, grouped
from analysis.schema import TRANSITIONS

PERIOD_HOURS = (168, 24)
"""Length of a period of the pass by time, for fleets of fewer messages than LARGE, and of more: its sends are in one worker's memory."""
LARGE = 50_000_000
DAYS_AT_ONCE = 4
"""Days of a task of the pass by day."""
_TOGETHER = 100
"""Parts that are added up at once, so that never more of them are held."""

Progress = Callable[[str, int, int], None]


def explain(
    source: str,
    out: str,
    *,
    workers_: str = "0",
    most: int = MESSAGES,
    hours: int | None = None,
    progress: Progress = lambda *_: None,
) -> Counted:
    """Explain every transition of an exported folder, a shard of lines a worker: the documents of the local run, whatever the number of either.

    They are those before the vendor's audits correct how sure each is, as `linehealth load` measures them.

    Args:
        source: folder of ``export.export``.
        out: an empty or new folder: explanation/part-NNNNNN.parquet, of the store's columns, and done.json when all is there.
        workers_: of ``workers.workers``.
        most: messages of a shard; a larger line is one of its own.
        hours: length of a period of the pass by time, 3 or more; None: by the fleet's size.
        progress: called with (pass, tasks done, all).

    Raises:
        UsageError: the source is no export, the folder holds something, or the workers' word is none.
    """
    folder, into, lines = opened(source, out)
    messages = sum(lines.values())
    length = hours or PERIOD_HOURS[messages >= LARGE]
    run = Run(folder.url, into.url, secrets.token_hex(4), length)
    changed = folder.frame("transitions.parquet", TRANSITIONS)["line"].unique().sort()
    silent = [line for line in changed if line not in lines]
    with workers(workers_) as spread:
        began, used_here, work = time.perf_counter(), time.process_time(), _Work(run, spread, progress)
        groups = list(enumerate(grouped(lines, most=most))) if len(changed) > len(silent) else []
        tasks = work.prepared(groups) if groups else []
        parts = [(*task, list[str]()) for task in tasks]
        if silent or not parts:
            parts.append((len(parts), [], [], silent))
        rows = sum(count for _, count in work.spread_out("explanations", measuring.told, parts))
        seconds, here = time.perf_counter() - began, time.process_time() - used_here
    if groups:
        into.drop(f"passes-{run.name}")
    return finished(into, Counted(len(parts), {"explanation": rows}, seconds, work.processor, here))


class _Work:
    """The passes of one run, each shared out among the workers; adds up what they cost."""

    def __init__(self, run: Run, spread: Spread, progress: Progress) -> None:
        self._run, self._spread, self._progress = run, spread, progress
        self.processor = 0.0

    def spread_out(self, name: str, work: Callable[..., Any], tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """Yield (place of the task, what was made) as they come, in any order."""
        for done, (place, (made, used)) in enumerate(self._spread(partial(work, self._run), tasks)):
            self.processor += used
            self._progress(name, done + 1, len(tasks))
            yield place, made

    def prepared(self, groups: list[tuple[int, list[str]]]) -> list[tuple[int, list[str], list[int]]]:
        """Do all passes before the last; returns number, lines, and periods with lost receipts of each shard."""
        run, folder = self._run, Folder(self._run.passes)
        shards_of, firsts = self._looked(groups)
        lost_of = self._lost(shards_of)
        pool = pool_of(firsts)
        tasks = [(number, lines, lost_of[number]) for number, lines in groups]
        worse, points, days = [pl.DataFrame(schema=WORSE)], Points(), set[int]()
        for _, seen in self.spread_out("cases", measuring.measured, [(*task, pool) for task in tasks]):
            worse.append(seen.worse)
            points |= seen.pool
            days |= seen.days
        measuring.write_pool(run, pool, points)
        folder.write("worse.parquet", pl.concat(worse).sort("line", "at"))
        self._weighed(sorted(days))
        shares = [made for _, made in self.spread_out("shares", measuring.shared, groups)]
        folder.write("unexplained.parquet", pl.concat([pl.DataFrame(schema=UNEXPLAINED), *shares]).sort("line", "at"))
        starts = [(line, started(first, known(run.source)[1])) for line, first in firsts.items()]
        folder.write("starts.parquet", pl.DataFrame(starts, schema=STARTS, orient="row"))
        return tasks

    def _looked(self, groups: list[tuple[int, list[str]]]) -> tuple[dict[int, list[int]], dict[str, int]]:
        """Have all sends written by period, and the fleet's sums; returns the shards of each period, and when each line began."""
        shards_of: dict[int, list[int]] = defaultdict(list)
        firsts: dict[str, int] = {}
        fleet: list[baseline.FleetSums] = []
        hours: list[peers.Hours] = []
        for place, looked in self.spread_out("receipts", measuring.looked, groups):
            for period in looked.periods:
                shards_of[period].append(groups[place][0])
            firsts |= looked.firsts
            fleet.append(looked.fleet)
            hours.append(looked.hours)
            if len(fleet) == _TOGETHER:
                fleet, hours = [baseline.added(fleet)], [peers.added(hours)]
        measuring.write_fleet(self._run, baseline.added(fleet), peers.added(hours))
        return shards_of, firsts

    def _lost(self, shards_of: dict[int, list[int]]) -> dict[int, list[int]]:
        """Have lost receipts found; returns the periods with any, of each shard."""
        beside = [
            (period, {p: sorted(shards_of[p]) for p in (period - 1, period, period + 1) if p in shards_of})
            for period in sorted(shards_of)
        ]
        found: dict[int, list[int]] = defaultdict(list)
        for place, shards in self.spread_out("lost receipts", measuring.lost, beside):
            for shard in shards:
                found[shard].append(beside[place][0])
        return found

    def _weighed(self, days: list[int]) -> None:
        """Have the weights of each day learned, and written."""
        tasks = [days[i : i + DAYS_AT_ONCE] for i in range(0, len(days), DAYS_AT_ONCE)]
        rows = [
            (day, *of) for _, made in self.spread_out("weights", measuring.weighed, tasks) for day, of in made.items()
        ]
        Folder(self._run.passes).write("weights.parquet", pl.DataFrame(rows, schema=WEIGHTS, orient="row").sort("day"))
