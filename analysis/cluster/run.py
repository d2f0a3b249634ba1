"""An exported folder and workers in, the tables of the local run in another folder out; this process holds names and counts only."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import polars as pl

from analysis.cluster.export import FACTS, LINE_SCHEMA, LINES, VERSION
from analysis.cluster.folder import Folder
from analysis.cluster.work import TABLES, count, part
from analysis.cluster.workers import workers
from analysis.errors import UsageError
from analysis.pipeline.shards import MESSAGES, grouped
from analysis.schema import SIGNALS_DAY, SIGNALS_HOUR
from analysis.store.marts import EXPLANATIONS

DONE = "done.json"
SCHEMAS = dict(zip(TABLES, (SIGNALS_DAY, SIGNALS_HOUR), strict=True)) | {"explanation": EXPLANATIONS}


@dataclass(frozen=True)
class Counted:
    """What was written: how many shards, rows by table, seconds from when the workers were ready, and processor seconds.

    Of the shards, and of all this process did meanwhile (its own work too, where it is the only worker).
    """

    shards: int
    rows: dict[str, int]
    seconds: float
    processor: float
    here: float


def signals(
    source: str,
    out: str,
    *,
    workers_: str = "0",
    most: int = MESSAGES,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Counted:
    """Count the signals of every line by day and hour, a shard of lines a worker: the rows of the local run, whatever the number of either.

    Args:
        source: folder of ``export.export``.
        out: an empty or new folder: TABLE/part-NNNNNN.parquet in order of line, and done.json when all is there.
        workers_: of ``workers.workers``.
        most: messages of a shard; a larger line is one of its own.
        progress: called with (shards done, all).

    Raises:
        UsageError: the source is no export, the folder holds something, or the workers' word is none.
    """
    _, into, lines = opened(source, out)
    groups = list(enumerate(grouped(lines, most=most)))
    whole, processor = dict.fromkeys(TABLES, 0), 0.0
    with workers(workers_) as spread:
        began, used_here = time.perf_counter(), time.process_time()
        for done, (_, (rows, used)) in enumerate(spread(partial(count, source, out), groups)):
            whole = {table: whole[table] + rows[table] for table in TABLES}
            processor += used
            progress(done + 1, len(groups))
        seconds, here = time.perf_counter() - began, time.process_time() - used_here
    return finished(into, Counted(len(groups), whole, seconds, processor, here))


def opened(source: str, out: str) -> tuple[Folder, Folder, dict[str, int]]:
    """Return an exported folder, the empty one for results, and how many messages each line has; raises as ``signals``."""
    folder, into = Folder(source), Folder(out)
    if not folder.holds(FACTS):
        raise UsageError(
            "no export, or not a whole one", where=folder.url, fix="make it: linehealth cluster export DIR"
        )
    if folder.json(FACTS)["version"] != VERSION:
        raise UsageError(
            "an export of another version", where=folder.url, fix="make it again: linehealth cluster export"
        )
    if into.holds():
        raise UsageError("the folder is not empty", where=into.url, fix="name a new one")
    return folder, into, dict(folder.frame(LINES, LINE_SCHEMA).iter_rows())


def finished(into: Folder, told: Counted) -> Counted:
    """Say in a folder that all its parts are there, and return what was written."""
    into.write_json(DONE, {"shards": told.shards, "rows": told.rows})
    return told


def table(out: str, name: str) -> pl.DataFrame:
    """Return a whole table that ``signals`` or ``explaining.explain`` has written, in order of its key."""
    folder = Folder(out)
    if not folder.holds(DONE):
        raise UsageError(
            "no tables, or not all of them",
            where=folder.url,
            fix="run the command again into a new folder",
        )
    parts = [folder.frame(part(name, i), SCHEMAS[name]) for i in range(folder.json(DONE)["shards"])]
    return pl.concat(parts).sort("at", "line", "kind") if name == "explanation" else pl.concat(parts)
