"""How much there is to do in, processes of their own to do it out: one a core, where that is worth their start."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from typing import Any

from analysis import logs
from analysis.explain.apart import Spread

ENOUGH = 200
"""Changes of health from which on processes are worth their start: it takes 0.9 s, what 25 of them do (measured, two processes)."""
ROOM_MB = 1_200
"""Memory that all of them may take."""
_EACH_MB, _OF_MESSAGE_MB = 120, 0.25 / 1000
"""What each takes, and for each message of the largest line (206 MB where that has 385,000)."""
_IDLE_S = 20
"""Without work for so long a process ends, so that none is left where this one was killed."""
_ALONE = dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Cores are shared out among processes, not within them."""


@contextmanager
def for_tasks(count: int, largest: int) -> Iterator[Spread | None]:
    """Yield what spreads work over processes, ended with the block; None where it is to be done here: there is little of it, one core, or no room.

    Args:
        count: changes of health to be explained.
        largest: messages of the largest line.
    """
    executor = _executor(largest) if count >= ENOUGH else None
    if executor is None:
        yield None
        return
    try:
        yield partial(_spread, executor)
    except BaseException:
        executor.shutdown(wait=True, kill_workers=True)
        raise
    executor.shutdown(wait=True)


def _executor(largest: int) -> Any:
    """Return a process a core, as far as there is room; None where that is but one, or the system gives none."""
    try:
        import loky  # takes a twentieth of a second, which few refreshes need

        most = min(loky.cpu_count(), int(ROOM_MB / (_EACH_MB + _OF_MESSAGE_MB * largest)))
        # its own processes, and not the reusable ones: they end with the block, and what they hold with them
        return loky.ProcessPoolExecutor(most, timeout=_IDLE_S, env=_ALONE) if most > 1 else None
    except (OSError, ImportError, NotImplementedError) as e:  # no semaphores, as in some sandboxes
        logs.note("no processes, all is done here", error=type(e).__name__)
        return None


def _spread(executor: Any, work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
    """Yield what is made of each task as it comes; what a process that was killed had not done is done here."""
    left = dict(enumerate(tasks))
    try:
        places = {executor.submit(work, task): place for place, task in left.items()}
        for done in as_completed(places):
            found = done.result()
            del left[places[done]]
            yield found
    except (BrokenExecutor, OSError) as e:  # OSError: no process could be started
        logs.note("processes ended early, the rest is done here", error=type(e).__name__)
        for task in left.values():
            yield work(task)
