"""One step in this process: files loaded without a refresh, a refresh, or what the marts hold; what it cost (or found) as JSON on stdout out.

A module of its own, started once a step: ``python -m analysis.bench.refreshing WAY STORE [FILE …]``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from analysis import logs, pipeline
from analysis.bench.steps import costs
from analysis.store.marts import TABLES


def main(way: str, store: str, *files: str) -> None:
    """Do one step: ``load``, ``refresh``, ``full`` (a refresh from scratch), ``marts`` (a hash of each), ``counts``."""
    if way in ("marts", "counts"):
        found = _marts(store) if way == "marts" else _counts(store)
    else:
        with TemporaryDirectory() as folder, costs() as found:
            log = Path(folder) / "log"
            logs.configure(str(log))
            if way == "load":
                pipeline.load(list(files), store=store, refreshed=False)
            else:
                pipeline.refresh(store=store, full=way == "full")
                found |= {"stages": _stages(log)}
    sys.stdout.write(json.dumps(found) + "\n")


def _stages(log: Path) -> dict[str, float]:
    """Return how long each part of the refresh that a log tells of took, in seconds."""
    events = [json.loads(line) for line in log.read_text().splitlines()]
    (told,) = [event for event in events if event["event"] == "refreshed"]
    return {key.removesuffix("_seconds"): value for key, value in told.items() if key.endswith("_seconds")}


def _marts(store: str) -> dict[str, Any]:
    with duckdb.connect(store, read_only=True) as con:
        return {
            name: con.execute(f"select count(*), coalesce(sum(hash(t)), 0)::varchar from {name} t").fetchall()[0]
            for name in TABLES
        }


def _counts(store: str) -> dict[str, Any]:
    with duckdb.connect(store, read_only=True) as con:
        return {
            word: con.execute(f"select count(*) from {table}").fetchall()[0][0]
            for word, table in (("messages", "message"), ("transitions", "transition"))
        }


if __name__ == "__main__":
    main(*sys.argv[1:])
