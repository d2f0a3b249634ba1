"""The vendor's audit asked for, looked at and archived: its id is kept at once, since it cannot be asked for again.

The id goes to a file beside the store first (one append, on disk before anything else), then into the store's table of audits, whose
writer may have to wait its turn; what a kill leaves in the file is taken up by the next audit. Rules of the vendor (api.md, section 3):
one audit a line at a time, a cooldown after it, an answer for 24 hours.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

import msgspec
import polars as pl

from analysis.errors import LineHealthError, StoreError, UsageError
from analysis.live import Client, Connection, Cooldown, Reader, ask_audit, connection, look_at_audit
from analysis.pipeline.audits import keep_audit
from analysis.pipeline.beside import audits_in
from analysis.pipeline.moments import iso, now
from analysis.pipeline.opened import Where, settings_in, store_at
from analysis.pipeline.pulling import running
from analysis.pipeline.spool import Spool, append
from analysis.settings import Settings
from analysis.sources import Pseudonyms, load_key
from analysis.sources.checks import Rules
from analysis.sources.pseudonym import canonical_line
from analysis.store import Store, pulled, read
from analysis.store.pulled import AskedFor

KEPT_FOR = timedelta(hours=24)
"""So long the vendor keeps an answer (api.md, section 3)."""
Told = Callable[[str], None]


@dataclass(frozen=True)
class AuditOutcome:
    """What came of the audit of one line.

    status: complete, error (the vendor's audit failed), pending (still being made: the next `audit` goes on), cooldown (ask again
    at ``again_at``), lost (the vendor no longer had it), failed (``reason``).
    """

    line: str
    status: str
    audit_id: str | None = None
    again_at: str | None = None
    severity: str | None = None
    drivers: tuple[str, ...] = ()
    """The vendor's keys, highest impact first."""
    reason: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as `linehealth audit --json` prints it."""
        return {**asdict(self), "drivers": list(self.drivers)}


def audit(
    store: Where = None, *, line: str | None = None, api: Connection | None = None, progress: Told | None = None
) -> list[AuditOutcome]:
    """Ask for, wait for and archive the vendor's audit of one line, or of every line of the key that the store knows.

    Args:
        store: path of the store; the line must be in it.
        line: E.164.
        api: as ``pull``.
        progress: called with what is going on, in words.

    Returns:
        one outcome a line; a cooldown, a lost answer and an audit still being made are outcomes, not errors.

    Raises:
        UsageError: no usable key, or the store doesn't know the line. LiveError: the API refuses or is not reached. StoreError: no store.
    """
    target = store_at(store)
    with target.reader() as con:
        chosen = settings_in(con)
        number = canonical_line(line) if line is not None else None
        if number is not None and not read.knows_line(con, number):
            raise UsageError("the store knows no such line", where=number, fix="load or pull it first")
    work = _Asking(target, chosen, api or connection(chosen), progress or (lambda _: None))
    with work.spool.alone():
        return running(work.go(number))


def ask_after_transition(line: str, *, store: Where = None, api: Connection | None = None) -> AuditOutcome | None:
    """Ask for an audit of a line whose health just got worse, where the setting ``audit_after_transition`` is on.

    For the receiver: it never raises because of the API or a store in use (status "failed" and the reason instead), and it takes as long
    as an audit does, so it wants a thread of its own.

    Returns:
        the outcome; None where the setting is off.
    """
    try:
        target = store_at(store)
        with target.reader() as con:
            if not settings_in(con).audit_after_transition:
                return None
        return audit(target, line=line, api=api)[0]
    except LineHealthError as e:
        return AuditOutcome(canonical_line(line), "failed", reason=str(e))


class _Status(msgspec.Struct):
    status: str = ""


class _Asking:
    """One call of ``audit``."""

    def __init__(self, target: Store, chosen: Settings, to: Connection, told: Told) -> None:
        self.target, self.chosen, self.to, self.told = target, chosen, to, told
        self.spool = Spool(target)
        self.asked = _AskedFile(self.spool)
        self.people = Pseudonyms(load_key())

    async def go(self, line: str | None) -> list[AuditOutcome]:
        """Ask, wait and archive; return an outcome a line."""
        pending = self._take_up()
        async with Client(self.to) as client:
            lines = [line] if line is not None else await self._lines(client)
            outcomes: dict[str, AuditOutcome] = {}
            waiting: dict[str, AskedFor] = {}
            for number in lines:
                asked = pending.get(number) or await self._ask(client, number)
                if isinstance(asked, AuditOutcome):
                    outcomes[number] = asked
                else:
                    waiting[number] = asked
            await self._wait(client, waiting, outcomes)
        self._forget()
        return [outcomes[number] for number in lines]

    async def _lines(self, client: Client) -> list[str]:
        seen = await Reader(client, Rules(self.chosen, self.people)).lines()
        with self.target.reader() as con:
            return [s.line for s in seen if read.knows_line(con, s.line)]

    def _take_up(self) -> dict[str, AskedFor]:
        """Return audits under way, by line, those included that only the file knows; give up those whose answer is gone."""
        found: dict[str, AskedFor] = {}
        with self.target.reader() as con:
            told = [a for a in self.asked.read() if not pulled.is_answered(con, a.audit_id)]
            known = pulled.pending_audits(con)
        fresh = [a for a in told if a.audit_id not in {k.audit_id for k in known}]
        old = [a for a in [*known, *fresh] if now() - a.requested_at >= KEPT_FOR]
        if fresh or old:
            with self.target.writer() as con:
                for a in fresh:
                    pulled.keep_asked(con, a)
                for a in old:
                    pulled.lose_audit(con, a.audit_id)
        for a in [*known, *fresh]:
            if a not in old:
                found[a.line] = a
        return found

    async def _ask(self, client: Client, line: str) -> AskedFor | AuditOutcome:
        self.told(f"Asking for an audit of {line}")
        told = await ask_audit(client, line)
        if isinstance(told, Cooldown):
            again = None if told.seconds is None else now() + timedelta(seconds=told.seconds)
            return AuditOutcome(line, "cooldown", again_at=iso(again), reason=_cooldown(told.seconds))
        asked = AskedFor(told.audit_id, line, now())
        self.asked.add(self._name(asked))  # on disk; the store's writer may have to wait
        try:
            with self.target.writer() as con:
                pulled.keep_asked(con, self._name(asked))
        except StoreError:
            self.told("The store is being written: the audit's id is kept beside it for now")
        return asked

    async def _wait(self, client: Client, waiting: dict[str, AskedFor], outcomes: dict[str, AuditOutcome]) -> None:
        until = time.monotonic() + self.chosen.audit_wait_minutes * 60
        while waiting:
            for line, asked in list(waiting.items()):
                answer = await look_at_audit(client, line, asked.audit_id)
                outcome = self._outcome(asked, answer)
                if outcome is not None:
                    outcomes[line] = outcome
                    del waiting[line]
            if waiting and time.monotonic() >= until:
                for line, asked in waiting.items():
                    outcomes[line] = AuditOutcome(
                        line,
                        "pending",
                        asked.audit_id,
                        reason="not done yet: the next `linehealth audit` goes on with it",
                    )
                return
            if waiting:
                self.told(f"Waiting for {len(waiting)} audit" + ("" if len(waiting) == 1 else "s"))
                await asyncio.sleep(self.chosen.audit_poll_seconds)

    def _outcome(self, asked: AskedFor, answer: bytes | None) -> AuditOutcome | None:
        """Archive an answer that is one, and return what came of it; None while the audit is being made."""
        if answer is None:
            with self.target.writer() as con:
                pulled.lose_audit(con, self._name(asked).audit_id)
            return AuditOutcome(
                asked.line, "lost", asked.audit_id, reason="the vendor no longer has it: answers are kept for 24 hours"
            )
        if msgspec.json.decode(answer, type=_Status).status == "pending":
            return None
        kept = keep_audit(answer, line=asked.line, store=self.target)
        with self.target.reader() as con:
            archived = [a for a in audits_in(con, line=asked.line) if a.audit_id == kept]
        if not archived:
            return AuditOutcome(asked.line, "error", kept, reason="the vendor could not make it: ask again")
        return AuditOutcome(asked.line, "complete", kept, severity=archived[0].severity, drivers=archived[0].keys)

    def _name(self, asked: AskedFor) -> AskedFor:
        """Return an audit under the name that the store gives its id."""
        return replace(asked, audit_id=self.people.ids(pl.Series([asked.audit_id]))[0])

    def _forget(self) -> None:
        """Remove the file of ids where the store has them all."""
        with self.target.reader() as con:
            if all(pulled.knows_audit(con, a.audit_id) for a in self.asked.read()):
                self.asked.clear()


class _AskedFile:
    """Ids of audits asked for, a line each, beside the store until the store has their answers."""

    def __init__(self, spool: Spool) -> None:
        self.path = spool.folder / "audits.jsonl"

    def add(self, asked: AskedFor) -> None:
        """Keep one id, on disk when this returns."""
        append(self.path, msgspec.json.encode(asked) + b"\n")

    def read(self) -> list[AskedFor]:
        """Return the ids kept; a line cut by a kill is none."""
        if not self.path.exists():
            return []
        found = []
        for line in self.path.read_bytes().splitlines():
            try:
                found.append(msgspec.json.decode(line, type=AskedFor))
            except msgspec.DecodeError:
                continue
        return found

    def clear(self) -> None:
        """Forget the ids: the store has them."""
        self.path.unlink(missing_ok=True)


def _cooldown(seconds: float | None) -> str:
    if seconds is None:
        return "this line had an audit not long ago; the vendor does not say when it gives another one"
    return f"this line had an audit not long ago; the vendor gives another one in {_span(seconds)}"


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:,.0f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 5400 else f"{seconds / 3600:,.1f} h"
