"""Two worker processes for tests, one of which is killed as soon as a file of a run is there."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from distributed import Client, LocalCluster


@contextlib.contextmanager
def one_killed(out: Path, *, at: str, seen: str) -> Iterator[tuple[str, list[int]]]:
    """Start two workers, and kill one once a run into ``out`` has written a file of pattern ``at``.

    Yields the scheduler's address, and a list that holds, once the block has ended, how many files of pattern ``seen`` there were then.
    """
    found: list[int] = []
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        workers = client.run(os.getpid)
        assert len(set(workers.values()) | {os.getpid()}) == 3

        def kill() -> None:
            while not list(out.glob(at)):
                time.sleep(0.002)
            os.kill(min(workers.values()), signal.SIGKILL)
            found.append(len(list(out.glob(seen))))

        killer = threading.Thread(target=kill)
        killer.start()
        yield cluster.scheduler_address, found
        killer.join()
