"""A word in (0, a number, tcp://host:8786), something that does work there out: this process, processes here, or a running dask cluster."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from analysis.errors import LineHealthError, UsageError

Given = TypeVar("Given")
Made = TypeVar("Made")
Spread = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[tuple[int, Any]]]
"""A function and its arguments in; (place, result) as they come, in any order, out."""
RETRIES = 2
"""Times that a shard whose function failed is tried again; one whose worker died goes to another one by itself (dask: up to three)."""
WAIT_S = 20
"""How long a cluster may take to answer."""


@contextlib.contextmanager
def workers(word: str) -> Iterator[Spread]:
    """Open workers, yield what shares out work among them, and close what was opened.

    Args:
        word: "0": this process, one after the other. A number: so many processes on this machine, each with one thread. Else the address
            of a dask scheduler whose workers have this package, and reach the folders by the same names.

    Raises:
        UsageError: no such word, or dask is not installed.
        LineHealthError: nobody answers there.
    """
    if word == "0":
        yield _here
        return
    if not word.isdigit() and "://" not in word:
        raise UsageError(
            f"{word} is neither a number nor an address", where="--workers", fix="say 0, 2 or tcp://host:8786"
        )
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError:
        raise UsageError("dask is not installed", where="--workers", fix='pip install "linehealth[cluster]"') from None
    with contextlib.ExitStack() as open_:
        address: Any = word
        if word.isdigit():
            # before a worker starts: Polars reads it when imported, and one thread a worker is what is counted with
            open_.enter_context(dask.config.set({"distributed.nanny.pre-spawn-environ.POLARS_MAX_THREADS": 1}))
            address = open_.enter_context(
                LocalCluster(n_workers=int(word), threads_per_worker=1, processes=True, dashboard_address=None)
            )
        try:
            client = open_.enter_context(Client(address, timeout=WAIT_S, set_as_default=False))
            client.wait_for_workers(int(word) if word.isdigit() else 1, timeout=WAIT_S)
            client.run(_ready)
        except (OSError, TimeoutError):
            raise LineHealthError(
                "no dask scheduler with workers answers", where=word, fix="start one: dask scheduler, dask worker"
            ) from None
        yield lambda work, given: _there(client, work, given)


def _ready() -> None:
    """Import what a worker needs before its first shard."""
    importlib.import_module("analysis.cluster.measuring")


def _here(work: Callable[[Given], Made], given: Sequence[Given]) -> Iterator[tuple[int, Made]]:
    for place, one in enumerate(given):
        yield place, work(one)


def _there(client: Any, work: Callable[[Given], Made], given: Sequence[Given]) -> Iterator[tuple[int, Made]]:
    from distributed import KilledWorker, as_completed

    futures = client.map(work, list(given), pure=False, retries=RETRIES)
    places = {future.key: place for place, future in enumerate(futures)}
    for future in as_completed(futures, loop=client.loop):
        try:
            yield places[future.key], future.result()
        except KilledWorker:
            raise LineHealthError(
                f"shard {places[future.key]} ended four workers, one after the other",
                where="cluster",
                fix="give workers more memory, or smaller shards",
            ) from None
