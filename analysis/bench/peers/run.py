"""One peer on one database of coded tables, in this process: its table to a Parquet file, what it cost as JSON on stdout.

A module of its own, started once a run: ``python -m analysis.bench.peers.run NAME DATABASE OUT``.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from pathlib import Path

import polars as pl


def main(name: str, database: str, out: str) -> None:
    """Run a peer; prints seconds and processor seconds of the work (imports left out) and the peak of the process in megabytes."""
    by_day = importlib.import_module(f"analysis.bench.peers.{name}").by_day
    began, used = time.perf_counter(), time.process_time()
    table: pl.DataFrame = by_day(database)
    seconds, processor = time.perf_counter() - began, time.process_time() - used
    table.write_parquet(out)
    sys.stdout.write(json.dumps({"seconds": seconds, "processor": processor, "peak_mb": peak_mb()}) + "\n")


def peak_mb() -> float:
    """Return the most memory this process has held: what Linux notes since it began, as getrusage's also holds the parent's before exec."""
    status = Path("/proc/self/status")
    if status.exists():
        told = dict(line.split(":", 1) for line in status.read_text(encoding="ascii", errors="replace").splitlines())
        return int(told["VmHWM"].split()[0]) / 1024
    scale = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


if __name__ == "__main__":
    main(*sys.argv[1:])
