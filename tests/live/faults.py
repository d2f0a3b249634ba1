"""Pulls with faults and kills, resumed until done, held against a clean pull: `python -m tests.live.faults --seeds 50`.

In one process (``battered``, used by the tests): faults of the fake, and a kill at random moments: between two calls, with half of a
line of the spool written, before and after the store is replaced, before the spool is removed. In processes of their own (the command):
the fake behind uvicorn, `linehealth pull` killed by SIGKILL at random times.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

import click
import duckdb
import httpx

from analysis import pipeline
from analysis.bench.chromium import free_port
from analysis.errors import LiveError
from analysis.live import Connection
from analysis.pipeline import spool
from analysis.store import connect
from tests.live import fake_linq
from tests.live.fake_linq import KEY, Fake, Faults, World

RUN_COLUMNS = {"pull_mark": ("pulled_at",), "observation": ("observed_at",), "observed_change": ("changed_at",)}
"""What the clock of a run says; all else must be equal."""
RUN_TABLES = ("source", "pull_run", "folded")


class Killed(BaseException):
    """The process is dead: nothing may catch this."""


def api(fake: Fake, **more: object) -> Connection:
    """A connection to a fake in this process: no waiting, small pages."""
    told = {"rate": 1e6, "backoff_s": 0.0, "page": 5, "tries": 12, "transport": httpx.ASGITransport(fake.app)} | more
    return Connection(KEY, "https://fake.example/api/partner", **told)  # type: ignore[arg-type]


def content(store: Path) -> dict[str, list[str]]:
    """Every row of every table, but for what the clock of a run says."""
    with duckdb.connect(str(store), read_only=True) as con:
        names = [n for (n,) in con.execute("select table_name from duckdb_tables()").fetchall() if n not in RUN_TABLES]
        told = {}
        for name in names:
            rest = f" exclude ({', '.join(RUN_COLUMNS[name])})" if name in RUN_COLUMNS else ""
            where = " where key <> 'snapshot'" if name == "meta" else ""
            told[name] = sorted({str(r) for r in con.execute(f'select *{rest} from "{name}"{where}').fetchall()})
        return told


class Reaper:
    """Kills the work in this process at its ``left``-th moment at which a process can die."""

    def __init__(self, left: int, rng: random.Random) -> None:
        self.left, self.rng = left, rng

    def moment(self) -> None:
        """One such moment."""
        self.left -= 1
        if self.left == 0:
            raise Killed

    @contextmanager
    def at_work(self, fake: Fake):
        """Put its moments into the code under test."""
        append, swap, clear = spool.append, connect.Store._swap_in, spool.Spool.clear
        trouble = fake._trouble

        def torn(path: Path, data: bytes) -> None:
            if self.left == 1:
                append(path, data[: self.rng.randrange(len(data))])
            self.moment()
            append(path, data)

        def swapped(store: connect.Store, copy: Path) -> None:
            self.moment()
            swap(store, copy)
            self.moment()

        def cleared(kept: spool.Spool) -> None:
            self.moment()
            clear(kept)

        def called():
            self.moment()
            return trouble()

        with ExitStack() as stack:
            stack.enter_context(mock.patch.object(spool, "append", torn))
            stack.enter_context(mock.patch.object(connect.Store, "_swap_in", swapped))
            stack.enter_context(mock.patch.object(spool.Spool, "clear", cleared))
            stack.enter_context(mock.patch.object(fake, "_trouble", called))
            yield


def battered(
    seed: int, folder: Path, made: World, *, kills: int = 3, moving: float = 0.0
) -> tuple[Path, dict[str, int]]:
    """Pull a world with faults and kills until a pull ends; returns the store and how often what happened.

    Every pull is a new one as to the code: nothing is carried over but the files.
    """
    rng = random.Random(seed)
    store = folder / f"battered-{seed}.duckdb"
    faults = Faults(seed, limited=0.06, broken=0.08, cut=0.08, shifting=0.3, moving=moving)
    fake = Fake(made, faults)
    done = {"kills": 0, "given_up": 0, "repeats": 0, "calls": 0, "unsettled": 0}
    for attempt in range(100):
        if attempt >= kills:
            faults.moving = 0.0  # the world stands still at last
        try:
            if attempt < kills:
                with Reaper(rng.randrange(1, 90), rng).at_work(fake):
                    report = pipeline.pull(store, api=api(fake))
            else:
                report = pipeline.pull(store, api=api(fake))
        except Killed:
            done["kills"] += 1
            continue
        except LiveError:
            done["given_up"] += 1
            continue
        done["repeats"] += report.repeats
        done["calls"] += report.calls
        done["unsettled"] += report.unsettled
        if attempt >= kills and not report.unsettled:
            return store, done
    raise AssertionError("a hundred pulls and no end")


def clean(folder: Path, made: World) -> Path:
    """Pull a world without faults."""
    store = folder / "clean.duckdb"
    report = pipeline.pull(store, api=api(Fake(made)))
    assert report.repeats == report.unsettled == 0
    return store


@contextmanager
def served(fake: Fake):
    """The fake behind uvicorn on a free port; yields its address."""
    import uvicorn

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(fake.app, host="127.0.0.1", port=port, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}/api/partner"
    finally:
        server.should_exit = True
        thread.join()


def killed(seed: int, folder: Path, made: World, *, kills: int, moving: float) -> tuple[Path, dict[str, int]]:
    """As ``battered``, with processes of their own, real connections and SIGKILL."""
    rng = random.Random(seed)
    store = folder / f"killed-{seed}.duckdb"
    faults = Faults(seed, limited=0.06, broken=0.08, cut=0.08, shifting=0.3, moving=moving)
    fake = Fake(made, faults)
    done = {"kills": 0, "given_up": 0, "calls": 0}
    with served(fake) as address:
        env = os.environ | {"LINQ_API_V3_API_KEY": KEY, "LINQ_API_V3_BASE_URL": address, "LINEHEALTH_PULL_RATE": "50"}
        words = [sys.executable, "-m", "analysis", "pull", "--store", str(store), "--json"]
        for attempt in range(100):
            dying = attempt < kills
            faults.moving = moving if dying else 0.0
            work = subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            try:
                _, told = work.communicate(timeout=rng.uniform(0.3, 6.0) if dying else 300)
            except subprocess.TimeoutExpired:
                work.send_signal(signal.SIGKILL)
                work.communicate()
                done["kills"] += 1
                continue
            if work.returncode:
                done["given_up"] += 1
                if b"no success in" not in told:
                    raise AssertionError(told.decode())
            elif not dying:
                done["calls"] = len(fake.calls)
                return store, done
    raise AssertionError("a hundred pulls and no end")


@click.command()
@click.option("--seeds", default=50, show_default=True, help="How many worlds.")
@click.option("--first", default=1, show_default=True, help="The first seed.")
@click.option(
    "--processes",
    default=5,
    show_default=True,
    help="Every so many seeds one with processes of its own and SIGKILL; 0: none.",
)
def main(seeds: int, first: int, processes: int) -> None:
    """Pull made-up accounts with faults and kills and hold each store against a clean pull."""
    os.environ["LINEHEALTH_KEY"] = "a key that only the tests use"
    differ, sums = [], {"kills": 0, "given_up": 0, "calls": 0, "sigkill": 0}
    for seed in range(first, first + seeds):
        folder = Path(tempfile.mkdtemp(prefix="linehealth-faults-"))
        real = processes and seed % processes == 0
        made = fake_linq.world(seed, lines=1, chats=150, messages=5) if real else fake_linq.world(seed)
        moving = 0.05 if seed % 2 else 0.0
        store, done = (killed if real else battered)(seed, folder, made, kills=4, moving=moving)
        same = content(store) == content(clean(folder, made))
        for name in ("kills", "given_up", "calls"):
            sums[name] += done[name]
        sums["sigkill"] += done["kills"] if real else 0
        if not same:
            differ.append(seed)
        click.echo(f"seed {seed}: {'equal' if same else 'DIFFERENT'}, {done}{' (SIGKILL)' if real else ''}")
        shutil.rmtree(folder)
    click.echo(f"{seeds - len(differ)} of {seeds} stores equal a clean pull; {sums}; different: {differ or 'none'}")
    sys.exit(bool(differ))


if __name__ == "__main__":
    main()
