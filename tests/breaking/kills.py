"""`load`, `pull`, `receive`, `refresh --full` and a migration are killed (-9) at random moments: python -m tests.breaking.kills --kills 200.

After every kill the store must open in its old or its new state, whole tables compared; at last the command is let run to its end, and the
store must be that of a run nobody disturbed. Pulls and the receiver are killed by the commands that were there before (tests.live.faults,
tests.serve.kills), which hold each acknowledged delivery, and each row of the account, against what is in the store.
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from analysis import pipeline
from analysis.simulate import write_demo
from analysis.store import Store, migrations
from tests.live import fake_linq, faults
from tests.serve import kills as receiver

OLDER = 4
"""The schema version that is migrated from."""
SHARES = {"load": 0.3, "refresh": 0.2, "migration": 0.2, "receive": 0.2, "pull": 0.1}
"""Parts of all kills."""
IN_A_ROW = 4
"""Kills of one command, one after the other, before it is let run to its end."""


@dataclass
class Figures:
    """What was killed, where, and what came of it."""

    kills: collections.Counter[str] = field(default_factory=collections.Counter)
    stages: collections.Counter[str] = field(default_factory=collections.Counter)
    """Of load, refresh and migration: before, during and after the copy is written."""
    ended_first: int = 0
    looks: int = 0
    runs: collections.Counter[str] = field(default_factory=collections.Counter)
    wrong: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        killed = ", ".join(f"{n} {what}" for what, n in self.kills.items())
        runs = ", ".join(f"{n} {what}" for what, n in self.runs.items())
        stages = ", ".join(f"{n} {what}" for what, n in self.stages.items())
        return "\n".join(
            [
                f"{self.kills.total()} kills ({killed}) in {self.seconds:.0f} s; load, refresh and migration: {stages}; {self.ended_first} more ended before their kill",
                f"opened after each of these kills: {self.looks} times, in the old or the new state; run again to the end: {runs}",
                *self.told,
                f"wrong: {len(self.wrong)}",
                *self.wrong[:20],
            ]
        )


def state(store: Path) -> dict[str, list[str]]:
    """Every row of every table, facts and marts, but for what the clock of a run says (also of `source` and `quarantine`)."""
    told = faults.content(store)
    with duckdb.connect(str(store), read_only=True) as con:
        for name in ("source", "quarantine"):
            told[name] = sorted(str(r) for r in con.execute(f"select * exclude (loaded_at) from {name}").fetchall())
    return told


def differing(one: dict[str, list[str]], other: dict[str, list[str]]) -> list[str]:
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


class Killing:
    """One command on copies of one store: its old state, its new state, and kills between them."""

    def __init__(self, what: str, old: Path, words: list[str], figures: Figures, rng: random.Random) -> None:
        self.what, self.old, self.words, self.figures, self.rng = what, old, words, figures, rng
        self.folder = old.parent / f"{old.stem}-{what}"
        self.folder.mkdir()
        clean = self.folder / "clean.duckdb"
        shutil.copy(old, clean)
        started = time.monotonic()
        subprocess.run(self._call(clean), check=True, stdout=subprocess.DEVNULL, timeout=300)
        self.takes = time.monotonic() - started
        self.states = {"old": state(old), "new": state(clean)}

    def _call(self, store: Path) -> list[str]:
        return [sys.executable, "-m", "analysis", *self.words, "--store", str(store), "--json"]

    def round(self, kills: int) -> None:
        """Kill it so many times on one store, then let it run to its end."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        store = folder / "store.duckdb"
        shutil.copy(self.old, store)
        done = 0
        while done < kills:
            if not self._kill(store):
                self.figures.ended_first += 1
                self._look(store, ("new",))
                shutil.copy(self.old, store)  # it had come to its end: begin again
                continue
            done += 1
            self._look(store, ("old", "new"))
        ended = subprocess.run(self._call(store), capture_output=True, text=True, timeout=300)
        self.figures.runs[self.what] += 1
        if ended.returncode:
            self.figures.wrong.append(f"{self.what} after kills: {ended.stderr.strip()}")
        self._look(store, ("new",))
        if left := [p.name for p in folder.iterdir() if ".new" in p.name]:
            self.figures.wrong.append(f"{self.what}: left over: {left}")
        shutil.rmtree(folder)

    def _kill(self, store: Path) -> bool:
        """Run it and kill it at a random moment; False where it came to its end first."""
        work = subprocess.Popen(self._call(store), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seen = False
        if self.rng.random() < 0.6:  # while the copy is written, and the swap
            while work.poll() is None and not (seen := any(store.parent.glob(".*.new"))):
                time.sleep(0.001)
            wait = self.rng.uniform(0, 0.6 * self.takes)
        else:
            wait = self.rng.uniform(0, 1.1 * self.takes)
        time.sleep(wait)
        ended = work.poll() is not None
        writing = any(store.parent.glob(".*.new"))
        work.kill()
        work.wait()
        if ended:
            return False
        self.figures.kills[self.what] += 1
        stage = "while the copy was written" if writing else "after it" if seen else "before or after it"
        self.figures.stages[stage] += 1
        return True

    def _look(self, store: Path, allowed: tuple[str, ...]) -> None:
        self.figures.looks += 1
        try:
            found = state(store)
        except duckdb.Error as e:
            self.figures.wrong.append(f"{self.what}: the store does not open: {e}")
            return
        if not any(found == self.states[name] for name in allowed):
            least = min((differing(found, self.states[name]) for name in allowed), key=len)
            self.figures.wrong.append(f"{self.what}: neither {' nor '.join(allowed)}: {least}")


def made(folder: Path, *, lines: int = 3, days: int = 14) -> tuple[Path, list[str]]:
    """Return a store of a small fleet without its last deliveries, and the words that load these."""
    write_demo(folder / "fleet", lines=lines, days=days, seed=5)
    *files, last = sorted((folder / "fleet").glob("webhooks-*"))
    tables = [p for p in (folder / "fleet").iterdir() if p.suffix in (".csv", ".parquet")]
    store = folder / "made.duckdb"
    pipeline.load([*files, *tables], store=store)
    return store, ["load", str(last)]


def older(store: Path, path: Path, version: int = OLDER) -> Path:
    """Write what a store holds as a store of an older version: its tables, with the columns they had then."""
    with duckdb.connect(str(path)) as con:
        for number, name in enumerate(migrations.STEPS[:version], start=1):
            con.execute((Path(migrations.__file__).parent / "sql" / name).read_text())
            con.execute("insert or replace into meta values ('schema_version', ?)", [str(number)])
        con.execute(f"attach '{store}' as now (read_only)")
        had = (
            "select column_name from duckdb_columns() where database_name = ? and table_name = ? order by column_index"
        )
        mine, name_now = con.execute("select current_database()").fetchall()[0][0], "now"
        tables = con.execute("select table_name from duckdb_tables() where database_name = ?", [mine]).fetchall()
        for (table,) in tables:
            there = {c for (c,) in con.execute(had, [name_now, table]).fetchall()}
            both = [c for (c,) in con.execute(had, [mine, table]).fetchall() if c in there]
            if table != "meta" and both:
                columns = ", ".join(both)
                con.execute(f"insert into {table} ({columns}) select {columns} from now.{table}")
    return path


def run(
    folder: Path,
    *,
    kills: int,
    seed: int,
    shares: dict[str, float] | None = None,
    begin: tuple[Path, list[str]] | None = None,
) -> Figures:
    """Kill so many times, each command its share; return the figures. ``begin``: a store and what it lacks, where ``made`` made them."""
    figures, rng, started = Figures(), random.Random(seed), time.monotonic()
    parts = {what: round(kills * share) for what, share in (shares or SHARES).items()}
    store, loading = begin or made(folder)
    words = {"load": loading, "refresh": ["refresh", "--full"], "migration": ["refresh"]}
    for what, own in words.items():
        if not parts.get(what):
            continue
        old = older(store, folder / "older.duckdb") if what == "migration" else store
        killing, left = Killing(what, old, own, figures, rng), parts[what]
        while left > 0:
            now = min(left, rng.randint(1, IN_A_ROW))
            killing.round(now)
            left -= now
    if parts.get("receive"):
        place = folder / "receive"
        place.mkdir()
        told = receiver.run(place / "store.duckdb", kills=parts["receive"], seed=seed)
        figures.kills["receive"] += told.kills.total()
        figures.told.append(f"receive: {told}")
        if not told.good:
            figures.wrong.append(f"receive: {told}")
    left, first = parts.get("pull", 0), 1000 * seed
    while left > 0:
        first += 1
        left -= _pull(folder, first, min(left, IN_A_ROW), figures)
    figures.seconds = time.monotonic() - started
    return figures


def _pull(folder: Path, seed: int, kills: int, figures: Figures) -> int:
    """Pull an account with faults and kills, then to the end; returns how many kills there were."""
    place = Path(tempfile.mkdtemp(dir=folder))
    account = fake_linq.world(seed, lines=1, chats=60, messages=5)
    store, done = faults.killed(seed, place, account, kills=kills, moving=0.05)
    figures.kills["pull"] += done["kills"]
    figures.runs["pull"] += 1
    figures.looks += 1
    if wrong := differing(faults.content(store), faults.content(faults.clean(place, account))):
        figures.wrong.append(f"pull, world {seed}: other than a clean pull in {wrong}")
    with Store(store).reader():
        pass
    shutil.rmtree(place)
    return max(1, done["kills"])


def main() -> None:
    """Run from the command line."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--kills", type=int, default=200)
    words.add_argument("--seed", type=int, default=int(time.time()))
    words.add_argument("--folder", type=Path, default=None, help="on which disk")
    told = words.parse_args()
    os.environ["LINEHEALTH_KEY"] = "a key that only the tests use"
    with tempfile.TemporaryDirectory(prefix="linehealth-kills-", dir=told.folder) as folder:
        figures = run(Path(folder), kills=told.kills, seed=told.seed)
    print(f"seed {told.seed}: {figures}")  # noqa: T201  # a command
    sys.exit(1 if figures.wrong else 0)


if __name__ == "__main__":
    main()
