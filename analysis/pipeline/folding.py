"""Closed files of the spool in, their facts in the store out: short writes beside readers, each delivery counted once whatever is killed.

The facts of a file and its name (table ``folded``) are written in one transaction; the file is removed after it. A crash between the
two leaves a file whose name is known: it is removed and not read again. Marts are brought up to date more rarely (``watch``).
"""

from __future__ import annotations

import contextlib
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import polars as pl

from analysis.errors import LineHealthError, StoreError
from analysis.logs import note
from analysis.pipeline import people
from analysis.pipeline.moments import now
from analysis.pipeline.opened import Where, settings_in, store_at
from analysis.pipeline.reading import settings_or_default, transitions
from analysis.pipeline.writing import refresh
from analysis.sources.checks import Rules
from analysis.sources.delivered import Named
from analysis.sources.reading import SourceFacts
from analysis.sources.spool import DONE, Spool, day_of, read_segments
from analysis.store import Store, accounts, folded
from analysis.store import load as merging
from analysis.store.forgotten import Forgotten

AT_ONCE_MB = 64
"""Files of the spool of at most this size together go into the store in one transaction, so that memory stays bounded."""
FOLDER, RECEIVER = "folding", people.RECEIVER
"""Names of the rights that one process has at a time."""


@dataclass
class FoldReport:
    """What one fold did."""

    segments: int = 0
    read: int = 0
    inserted: int = 0
    merged: int = 0
    duplicates: int = 0
    ignored: int = 0
    quarantined: int = 0
    removed: int = 0
    """Files of an interrupted fold whose facts were in the store already."""
    days: list[str] = field(default_factory=list)


def spool_of(store: Where = None) -> Spool:
    """Return the spool of a store."""
    return Spool.of(store_at(store).path)


def fold(store: Where = None) -> FoldReport:
    """Move the facts of the spool's closed files into the store, made where there is none; marts are left to ``refresh``.

    Files that a killed receiver left open are closed first, where no receiver runs.

    Raises:
        StoreError: another process folds this spool, or store or spool cannot be used. Nothing is lost then.
    """
    target, report = store_at(store), FoldReport()
    spool = Spool.of(target.path)
    if not spool.folder.is_dir():
        return report
    with _alone(spool):
        with spool.only(RECEIVER) as free:
            if free:
                spool.seal()
        report.removed = _remove_known(target, spool)
        for batch in _batches(spool.segments(DONE)):
            _fold(target, spool, batch, report)
    return report


@contextlib.contextmanager
def _alone(spool: Spool) -> Iterator[None]:
    with spool.only(FOLDER) as alone:
        if not alone:
            raise StoreError(
                "another process moves this spool into the store",
                where=str(spool.folder),
                fix="leave it to that one, or stop it first",
            )
        yield


def _remove_known(target: Store, spool: Spool) -> int:
    left = spool.segments(DONE)
    if not left or not target.exists():
        return 0
    with target.writer() if target.is_old() else target.reader() as con:
        known = folded.known(con)
    gone = [path for path in left if path.name in known]
    for path in gone:
        path.unlink()
    return len(gone)


def _batches(segments: list[Path]) -> Iterator[list[Path]]:
    batch: list[Path] = []
    size = 0
    for path in segments:
        size += path.stat().st_size
        if batch and size > AT_ONCE_MB << 20:
            yield batch
            batch, size = [], path.stat().st_size
        batch.append(path)
    if batch:
        yield batch


def _fold(target: Store, spool: Spool, batch: list[Path], report: FoldReport) -> None:
    if target.exists():
        with target.reader() as con:
            chosen = settings_in(con)
            before = {day: folded.read_before(con, _source_id(day)) for day in {day_of(path) for path in batch}}
    else:
        chosen, before = settings_or_default(target), {}
    rules = Rules(chosen, Named())
    with tempfile.TemporaryDirectory(prefix="linehealth-") as scratch:
        parts = []
        for day, paths in itertools.groupby(batch, day_of):
            place = Path(scratch) / day
            place.mkdir()
            start = before.get(day, 0)
            found = SourceFacts(f"webhooks received on {day}", _source_id(day), "receiver", place, read=start)
            read_segments(list(paths), rules, found)
            parts.append(
                merging.Spooled(
                    found.source_id, found.path, found.kind, place, found.read - start, found.ignored, found.refused,
                    found.notes, found.late, grows=True,
                )
            )  # fmt: skip
            report.days.append(day)
        names = [path.name for path in batch]
        with target.writer() as con:
            people.begin(con)
            for told in merging.merge(con, parts, now=now(), tombstone=people.stones(con)):
                accounts.count_into(report, told)
            folded.keep(con, names, there=[path.name for path in spool.segments(DONE)])
        report.segments += len(batch)
        note(
            "folded",
            segments=len(batch),
            read=report.read,
            inserted=report.inserted,
            merged=report.merged,
            quarantined=report.quarantined,
        )
    for path in batch:
        path.unlink()


def to_current_key(store: Where = None) -> int:
    """Bring a store's names forward to the keys there are (people.forward); returns how many changed."""
    return people.forward(store, fold=fold)


def rotate_key(store: Where = None) -> people.Rotated:
    """Add a key and give every person of this store a new name (people.rotate)."""
    return people.rotate(store, fold=fold)


def forget(recipient: str, store: Where = None) -> Forgotten:
    """Take one person out of a store (people.forget)."""
    return people.forget(recipient, store, fold=fold)


def _source_id(day: str) -> str:
    return f"receiver:{day}"


def watch(
    store: Where = None,
    *,
    stopped: Callable[[float], bool],
    say: Callable[[str], None] = lambda s: None,
    worsened: Callable[[str], object] = lambda line: None,
) -> None:
    """Fold and refresh again and again, at the pace of the settings, until told to stop; then fold a last time.

    Args:
        store: the store's file.
        stopped: waits so many seconds, or less, and returns whether to stop.
        say: told each new problem, in a sentence; what could not be done is tried again.
        worsened: called after a refresh with each line whose health is newly known to have turned worse in the last day.
    """
    spool = spool_of(store)
    spool.make()
    state = {"folded_at": 0, "refreshed_at": 0, "stale": True} | spool.told() | {"problem": ""}
    over = False
    while True:
        try:
            chosen = settings_or_default(store)
            if fold(store).read:
                state |= {"folded_at": _ms(), "stale": True}
                spool.tell(state)
            due = _ms() - state["refreshed_at"] >= chosen.receive_refresh_min * 60_000
            if state["stale"] and due and not over and store_at(store).exists():
                before = _falls(store)
                refresh(store=store)
                state |= {"refreshed_at": _ms(), "stale": False}
                for line in sorted({line for line, _ in _falls(store) - before}):
                    worsened(line)
            problem, pause = "", chosen.receive_fold_s
        except LineHealthError as e:
            problem, pause = str(e), 5.0
            state["stale"] = True
        if problem and problem != state["problem"]:
            say(problem)
        state["problem"] = problem
        with contextlib.suppress(OSError):
            spool.tell(state)
        if over:
            return
        over = stopped(pause)


def _falls(store: Where) -> set[tuple[str, object]]:
    """Return the worsenings of health of the last day by the clock."""
    found = transitions(store, since=now() - timedelta(days=1))
    return set(found.filter(pl.col("kind") == "health", pl.col("worsening")).select("line", "at").iter_rows())


def _ms() -> int:
    return time.time_ns() // 1_000_000
