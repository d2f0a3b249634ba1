"""One peer on one database of coded tables, in this process: its table to a Parquet file, what it cost as JSON on stdout.

A module of its own, started once a run: ``python -m analysis.bench.peers.run NAME DATABASE OUT``.
"""

from __future__ import annotations

import importlib
import json
import sys

import polars as pl

from analysis.bench.steps import costs


def main(name: str, database: str, out: str) -> None:
    """Run a peer; prints seconds and processor seconds of the work (imports left out) and the peak of the process in megabytes."""
    by_day = importlib.import_module(f"analysis.bench.peers.{name}").by_day
    with costs() as cost:
        table: pl.DataFrame = by_day(database)
    table.write_parquet(out)
    sys.stdout.write(json.dumps(cost) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
