"""The API in, the store brought up to date out: which chats to read, kept on disk as they come, folded in with their marks.

A run is lines, then the chats of each line, then the messages of every chat that changed since its mark. What was read lies in the
spool beside the store (``spool``) and is merged by the rules of every other source in one transaction with the marks, so that a run
killed at any point goes on where it stopped. A chat whose list was unsettled keeps no mark: the next run reads it again.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from analysis.errors import LineHealthError, LiveError
from analysis.live import ChatSeen, Client, Connection, Reader, connection
from analysis.pipeline import people
from analysis.pipeline.derive import derive
from analysis.pipeline.folding import fold
from analysis.pipeline.moments import When, iso, millisecond, moment
from analysis.pipeline.opened import Where, settings_in, store_at
from analysis.pipeline.pull_report import Pulling, PullReport, Shown
from analysis.pipeline.spool import Spool
from analysis.settings import Settings
from analysis.sources import Pseudonyms, load_key
from analysis.sources.checks import Rules
from analysis.store import Store, accounts, pulled, read
from analysis.store import load as merging
from analysis.store.pulled import Run

FOLD_MB = 64
"""A spool this big is folded in before the run goes on: about half an hour of pulling, some 300,000 messages."""
T = TypeVar("T")
Marks = dict[str, tuple[datetime, datetime]]


def pull(
    store: Where = None,
    *,
    since: When = None,
    dry_run: bool = False,
    progress: Shown | None = None,
    api: Connection | None = None,
) -> PullReport:
    """Bring the store up to date from the vendor's API: lines, chats, and messages of chats that changed since the last pull.

    Args:
        store: path of the store (made where there is none).
        since: read again every chat that changed since then, and leave older ones alone, whatever was pulled before.
        dry_run: only list lines and chats, keep nothing, and say what the pull would cost.
        progress: called with each Pulling.
        api: the connection; default from $LINQ_API_V3_API_KEY, $LINQ_API_V3_BASE_URL, $LINEHEALTH_PULL_RATE and the settings.

    Returns:
        what was read and what became of it. A run that was stopped before is gone on with.

    Raises:
        UsageError: no usable key, address or pace. LiveError: the API refuses or is not reached; what was read until then is in the
        store. StoreError: the store cannot be used, or another pull is at work on it.
    """
    target = store_at(store)
    chosen = _settings(target)
    to = api or connection(chosen)
    people.forward(target, fold=fold)
    spool = Spool(target)
    with spool.alone():
        return running(_Pull(target, spool, chosen, to, moment(since), progress or (lambda _: None)).go(dry_run))


def running(work: Coroutine[Any, Any, T]) -> T:
    """Run asynchronous work to its end, also where a loop runs already (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(asyncio.run, work).result()


def _settings(target: Store) -> Settings:
    if not target.exists():
        return Settings()
    with target.reader() as con:
        return settings_in(con)


class _Pull:
    """One start of a pull."""

    def __init__(
        self, target: Store, spool: Spool, chosen: Settings, to: Connection, since: datetime | None, shown: Shown
    ) -> None:
        self.target, self.spool, self.chosen, self.to, self.shown = target, spool, chosen, to, shown
        self.report = PullReport()
        self.began = time.monotonic()
        self.marks: Marks = {}
        self.known: dict[str, int] = {}
        self.run = self._run(since)
        self.rules = Rules(chosen, Pseudonyms(load_key()))

    def _run(self, since: datetime | None) -> Run:
        """Return the run to go on with, or a new one; what is known of its chats is read on the way."""
        stopped = self.spool.run()
        if self.target.exists():
            with self.target.reader() as con:
                if stopped is not None and pulled.is_folded(con, self.spool.segment()):
                    self.spool.clear()  # killed between the two: all of it is in the store
                    stopped = None
                self.marks = pulled.marks(con)
                self.known = pulled.messages_a_chat(con)
                self.report.gaps_before = read.gaps(con).height
                stopped = stopped or pulled.open_run(con)
        if self.spool.path.exists():
            self.marks |= self.spool.marked()
        if stopped is None:
            return Run(millisecond(), since)
        self.report.resumed = True
        if since is None:
            return stopped
        if stopped.since is None:  # the stopped one reads what changed; this one more than that
            return Run(millisecond(), since)
        return Run(stopped.started_at, min(since, stopped.since))

    async def go(self, dry_run: bool) -> PullReport:
        """Do the work and return what came of it."""
        report = self.report
        report.dry_run, report.since = dry_run, iso(self.run.since)
        async with Client(self.to) as client:
            client.held = lambda: self._show(client, "")
            if dry_run:
                await self._list(client, keep=False)
            else:
                if self.spool.run() not in (None, self.run):  # what lies there is of a run that asked for less
                    self._fold(finished=False)
                if not self.spool.path.exists():
                    self.spool.begin(self.run)
                try:
                    await self._read(client)
                except LineHealthError:
                    self._fold(finished=False)
                    raise
                finally:
                    report.calls, report.repeats = client.calls, client.repeats
                self._fold(finished=True)
            report.calls, report.repeats = client.calls, client.repeats
        report.seconds = time.monotonic() - self.began
        return report

    async def _list(self, client: Client, *, keep: bool) -> list[ChatSeen]:
        """List lines and chats; return the chats whose messages are to be read."""
        report, reader = self.report, Reader(client, self.rules)
        self._show(client, "Asking for the lines")
        lines = await reader.lines()
        if keep:
            self.spool.add_lines([(s.line, s.health) for s in lines if s.health is not None], millisecond())
        report.lines, report.health = len(lines), {s.line: s.health for s in lines}
        wanted: dict[str, ChatSeen] = {}
        calls = 0
        for number, line in enumerate(lines, start=1):
            self._show(client, f"Listing the chats of line {number} of {len(lines)}")
            before = client.calls - client.repeats
            listed = await reader.chats(line)
            calls += client.calls - client.repeats - before
            report.unsettled += not listed.settled
            report.chats += len(listed.chats)
            if keep:
                self.spool.add_facts(listed.facts, listed.read)
            wanted |= {chat.chat_id: chat for chat in listed.chats if self._wanted(chat)}
        report.to_read = len(wanted)
        report.calls_needed = 1 + calls + sum(self._cost(chat) for chat in wanted.values())
        report.seconds_needed = report.calls_needed / self.to.rate
        return list(wanted.values())

    def _wanted(self, chat: ChatSeen) -> bool:
        mark, since = self.marks.get(chat.name), self.run.since
        if since is None:
            return mark is None or chat.updated_at is None or chat.updated_at != mark[0]
        if chat.updated_at is not None and chat.updated_at < since:
            self.report.skipped += 1
            return False
        return mark is None or chat.updated_at != mark[0] or mark[1] < self.run.started_at

    def _cost(self, chat: ChatSeen) -> int:
        """Return the calls that a chat's messages take, at least: a list of several pages is read twice."""
        pages = -(-self.known.get(chat.name, 1) // self.to.page)
        return 2 * pages if pages > 1 else 1

    async def _read(self, client: Client) -> None:
        chats = await self._list(client, keep=True)
        reader, waiting = Reader(client, self.rules), iter(chats)

        async def worker() -> None:
            for chat in waiting:
                at = millisecond()
                listed = await reader.messages(chat)
                self.report.chats_read += 1
                self.report.gone += listed.gone
                self.report.unsettled += not listed.settled
                updated = chat.updated_at if listed.settled else None
                self.spool.add_facts(listed.facts, listed.read, chat=(chat.name, updated, at))
                if self.spool.size() > FOLD_MB << 20:
                    self._fold(finished=False)
                    self.spool.begin(self.run)
                self._show(client, "Reading messages")

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.to.at_once, len(chats))):
                    group.create_task(worker())
        except BaseExceptionGroup as many:
            raise _first(many) from None

    def _show(self, client: Client, words: str) -> None:
        took = time.monotonic() - self.began
        rate = client.calls / took if took > 0 else 0.0
        held = client.waits_until - time.monotonic()
        if held > 1:
            words = f"Waiting {held:,.0f} s as the API asks"
        done, total = self.report.chats_read, self.report.to_read
        left = (total - done) / min(rate, self.to.rate) if total and rate > 0 else None
        self.shown(Pulling(words, done, total, client.calls, round(rate, 2), left))

    def _fold(self, *, finished: bool) -> None:
        """Merge the spool into the store, marks, looks and run with it, in one transaction; then remove it."""
        self.shown(Pulling("Folding into the store", self.report.chats_read, self.report.to_read))
        kept = self.spool.kept()
        if not kept.read and kept.observations.is_empty():
            self.spool.clear()  # refused at the first call: nothing to keep
            return
        at = millisecond()
        with tempfile.TemporaryDirectory(prefix="linehealth-") as scratch:
            source = _spooled(kept.tables, kept.segment, kept.read, kept.notes, at, Path(scratch))
            with self.target.writer() as con:
                people.current(con, self.rules.pseudonyms)
                (merged,) = merging.merge(con, [source], now=at, tombstone=people.stones(con))
                pulled.by_day(con, source.source_id, f"pull-{at:%Y-%m-%d}")
                pulled.keep_marks(con, kept.marks)
                pulled.keep_observations(con, kept.observations)
                pulled.keep_folded(con, kept.segment)
                accounts.count_into(self.report, merged)
                pulled.keep_run(con, self.run, at if finished else None)
                derive(con, settings_in(con))
                self.report.gaps_after = read.gaps(con).height
        self.spool.clear()


def _first(many: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error to tell of several at once: one of the API before any other."""
    flat: list[BaseException] = []
    for e in many.exceptions:
        flat += [_first(e)] if isinstance(e, BaseExceptionGroup) else [e]
    return next((e for e in flat if isinstance(e, LiveError)), flat[0])


def _spooled(
    tables: dict[str, pl.DataFrame], segment: str, count: int, notes: Counter[str], at: datetime, folder: Path
) -> merging.Spooled:
    for name, frame in tables.items():
        if name != "refused":
            frame.write_parquet(folder / f"{name}-000001.parquet", compression="lz4")
    refused = [tables["refused"]] if "refused" in tables else []
    return merging.Spooled(
        segment, f"pull of {at:%Y-%m-%d}", "pull", folder, count, Counter(), refused, notes, Counter()
    )
