"""Try mutated inputs on every reader: ``python -m tests.fuzz --inputs 1000000``; a find prints its seed, by which it comes again."""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from tests.fuzz.mutate import Mutator
from tests.fuzz.readers import READERS

BATCH_S = 120
"""A batch that takes longer hangs: a usual one takes a few seconds on a busy core."""
GROWTH_MB = 1500
"""What a reader's process may grow to, above all: DuckDB's and Polars' own pools included."""


def hangs(*_: Any) -> None:
    raise TimeoutError(f"a batch took more than {BATCH_S} s")


def batch(name: str, seed: int, count: int) -> None:
    """Try one batch; raises what the reader raised."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        READERS[name][0](Mutator(seed), count, Path(folder))


def tried(name: str, inputs: int, seed: int, minutes: float) -> tuple[int, int, float, float]:
    """Try a reader with so many inputs; returns inputs tried, batches that found something, seconds, and peak memory, MB."""
    began, done, finds, number = time.monotonic(), 0, 0, 0
    size = READERS[name][2]
    while done < inputs and time.monotonic() - began < minutes * 60:
        count, mine = min(size, inputs - done), seed * 1_000_003 + number
        signal.signal(signal.SIGALRM, hangs)
        signal.alarm(BATCH_S)
        try:
            batch(name, mine, count)
        except BaseException as e:
            if isinstance(e, KeyboardInterrupt):
                raise
            finds += 1
            print(f"FOUND by {name}: --reader {name} --batch {mine} --inputs {count}", file=sys.stderr)  # noqa: T201
            traceback.print_exception(e, limit=-6)
        finally:
            signal.alarm(0)
        done, number = done + count, number + 1
    return done, finds, time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run the command line; exit code 1 where anything was found."""
    words = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    words.add_argument("--inputs", type=int, default=1_000_000, help="in all, shared among the readers")
    words.add_argument("--reader", choices=sorted(READERS), help="only this one")
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--batch", type=int, help="only this batch of the reader: what a find printed")
    words.add_argument("--minutes", type=float, default=60, help="at most, shared among the readers")
    told = words.parse_args()
    os.environ.setdefault("LINEHEALTH_KEY", "a key that only the fuzzing uses")
    if told.batch is not None:
        batch(told.reader, told.batch, told.inputs)
        return
    names = [told.reader] if told.reader else list(READERS)
    whole = sum(READERS[n][1] for n in names)
    finds = total = 0
    print("reader     inputs   finds  seconds  peak MB", flush=True)  # noqa: T201
    for name in names:
        share = READERS[name][1] / whole
        done, found, seconds, peak = tried(name, round(told.inputs * share), told.seed, told.minutes * share)
        finds, total = finds + found, total + done
        print(f"{name:9} {done:8,} {found:6} {seconds:8.1f} {peak:8,.0f}", flush=True)  # noqa: T201
    print(f"{total:,} inputs, {finds} finds (seed {told.seed})")  # noqa: T201
    sys.exit(1 if finds else 0)


if __name__ == "__main__":
    main()
