"""A module and its words in, what it printed as JSON out: one step of a benchmark, in a fresh process; and what a step costs."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.errors import LineHealthError

_KEY = "a key for people who are made up"


class DifferentError(LineHealthError):
    """What a peer, or another way, gives is not what ours gives: nothing that was measured means anything."""


@dataclass(frozen=True)
class Cost:
    """What a step took in a process of its own, or the medians of several runs."""

    seconds: float
    processor: float
    peak_mb: float


def medians(runs: Sequence[dict[str, Any]]) -> tuple[float, float, float]:
    """Return the medians of seconds, processor seconds and peaks over what runs printed (``costs``), in the order of Cost."""
    seconds, processor, peak_mb = (statistics.median(r[k] for r in runs) for k in ("seconds", "processor", "peak_mb"))
    return seconds, processor, peak_mb


def run(module: str, *words: str, where: str) -> dict[str, Any]:
    """Run a module with these words in a fresh process, under a key of its own; returns the JSON of its last line.

    Args:
        module: as for ``python -m``.
        words: its arguments; the first is told where it fails.
        where: the command that is told of.

    Raises:
        LineHealthError: it ended with an error.
    """
    environment = {**os.environ, "LINEHEALTH_KEY": _KEY}
    command = [sys.executable, "-m", module, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no words"])[-1]
        raise LineHealthError(f"{words[0]} ended with {done.returncode}: {last[:300]}", where=where)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@contextmanager
def costs() -> Iterator[dict[str, Any]]:
    """Yield a dict that holds, once the block has ended, seconds, processor seconds (of ended children too) and the peak of the process and its children together, MB."""
    told: dict[str, Any] = {}
    began, used = time.perf_counter(), _processor()
    with _with_children() as together:
        yield told
    seconds, processor = time.perf_counter() - began, _processor() - used
    told |= {"seconds": seconds, "processor": processor, "peak_mb": max(_peak_mb(), *together)}


_LOOK_S = 0.1
"""How often children are looked at: what they hold for a shorter time is missed."""


@contextmanager
def _with_children() -> Iterator[list[float]]:
    """Yield a list of the most memory (MB) that this process held at one time together with its children, where Linux tells; pages they share count in each."""
    found, over = [0.0], threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_S):
            held = [_held_mb(pid) for pid in _children(os.getpid())]
            found[0] = max(found[0], _held_mb(os.getpid()) + sum(held) if held else 0.0)

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield found
    finally:
        over.set()
        looking.join()


def _children(pid: int) -> list[int]:
    """Return the processes that a process started, and those that they did."""
    found: list[int] = []
    for told in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # ended meanwhile
            found += map(int, told.read_text().split())
    return found + [other for child in found for other in _children(child)]


def _held_mb(pid: int) -> float:
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
    return 0.0


def _processor() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in used)


def _peak_mb() -> float:
    """Return the most memory this process has held: what Linux notes since it began, as getrusage's also holds the parent's before exec."""
    status = Path("/proc/self/status")
    if status.exists():
        told = dict(line.split(":", 1) for line in status.read_text(encoding="ascii", errors="replace").splitlines())
        return int(told["VmHWM"].split()[0]) / 1024
    scale = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale
