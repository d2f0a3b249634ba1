"""What a pull has read in, one file beside the store out: each chat a line, on disk before the next one is asked for.

A killed pull leaves a file whose last line may be cut; what is whole is used by the next one. The file begins with the run it
belongs to and a name of its own, under which the store notes that its facts are folded in: read twice, it counts once.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec
import polars as pl

from analysis.errors import StoreError
from analysis.locks import try_lock
from analysis.schema import INSTANT
from analysis.sources.checks import REFUSED
from analysis.sources.facts import CHANGE_FACTS, CHAT_FACTS, HEALTH_FACTS, MESSAGE_FACTS, Facts
from analysis.store import Store
from analysis.store.pulled import MARKS, OBSERVATIONS, Run

_TABLES = {"messages": MESSAGE_FACTS, "chats": CHAT_FACTS, "health": HEALTH_FACTS, "changes": CHANGE_FACTS, "refused": REFUSED}  # fmt: skip
Columns = dict[str, list[str | int | bool | None]]


class _Head(msgspec.Struct):
    segment: str
    started_at: datetime
    since: datetime | None


class _Record(msgspec.Struct, omit_defaults=True):
    read: int = 0
    tables: dict[str, Columns] = {}
    notes: dict[str, int] = {}
    chat: str | None = None
    updated_at: datetime | None = None
    pulled_at: datetime | None = None
    lines: list[tuple[str, str]] = []
    observed_at: datetime | None = None


@dataclass
class Kept:
    """All that a spool holds: facts by table with running positions, rows read, marks, looks at lines."""

    segment: str
    read: int = 0
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)
    marks: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=MARKS))
    observations: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=OBSERVATIONS))


class Spool:
    """The spool of one store; open it only under ``alone``."""

    def __init__(self, store: Store) -> None:
        self.folder = store.path.with_name(f"{store.path.name}.pull")
        self.path = self.folder / "rows.jsonl"

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the spool for this process; raises StoreError where another pull or audit holds it."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = (self.folder / "lock").open("a")
        except OSError as e:
            raise StoreError(
                f"the folder beside the store cannot be written ({e.strerror})",
                where=str(self.folder),
                fix="correct its rights, or name another --store",
            ) from None
        with file:
            if not try_lock(file):
                raise StoreError(
                    "another pull or audit is at work on this store",
                    where=str(self.folder),
                    fix="wait until it is done",
                )
            yield

    def run(self) -> Run | None:
        """Return the run whose facts lie here, not folded in yet; a cut last line is removed on the way."""
        if not self.path.exists():
            return None
        self._mend()
        head = self._head()
        if head is None:
            self.path.unlink()
            return None
        return Run(head.started_at, head.since)

    def begin(self, run: Run) -> None:
        """Open an empty spool for a run."""
        head = _Head(f"pull-{uuid.uuid4().hex}", run.started_at, run.since)
        draft = self.path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        append(draft, msgspec.json.encode(head) + b"\n")
        draft.replace(self.path)

    def _mend(self) -> None:
        with self.path.open("r+b") as file:
            end = file.seek(0, os.SEEK_END)
            while end:  # the last newline ends the last whole line
                at = max(0, end - 65536)
                file.seek(at)
                place = file.read(end - at).rfind(b"\n")
                if place >= 0:
                    file.truncate(at + place + 1)
                    return
                end = at
            file.truncate(0)

    def _head(self) -> _Head | None:
        with self.path.open("rb") as file:
            try:
                return msgspec.json.decode(file.readline(), type=_Head)
            except msgspec.DecodeError:
                return None

    def segment(self) -> str:
        """Return the name under which the store notes that this spool is folded in; empty where there is none."""
        head = self._head() if self.path.exists() else None
        return head.segment if head is not None else ""

    def size(self) -> int:
        """Return the bytes of the spool."""
        return self.path.stat().st_size

    def add(self, record: _Record) -> None:
        """Keep one record; it is on disk when this returns."""
        append(self.path, msgspec.json.encode(record) + b"\n")

    def add_lines(self, lines: list[tuple[str, str]], observed_at: datetime) -> None:
        """Keep one look at the lines: (line, health)."""
        self.add(_Record(lines=lines, observed_at=observed_at))

    def add_facts(
        self, facts: list[Facts], read: int, *, chat: tuple[str, datetime | None, datetime] | None = None
    ) -> None:
        """Keep the facts of one list; ``chat``: the chat whose messages they are, its updated_at, and when they were read."""
        tables: dict[str, Columns] = {}
        notes: Counter[str] = Counter()
        for name, schema in _TABLES.items():
            frame = pl.concat([getattr(f, name) for f in facts]) if facts else pl.DataFrame(schema=schema)
            if frame.height:
                tables[name] = _as_numbers(frame).to_dict(as_series=False)
        for f in facts:
            notes += f.notes
        record = _Record(read, tables, dict(notes))
        if chat is not None:
            record.chat, record.updated_at, record.pulled_at = chat
        self.add(record)

    def marked(self) -> dict[str, tuple[datetime, datetime]]:
        """Return the chats whose messages lie here: updated_at and when they were read."""
        return {
            r.chat: (r.updated_at, r.pulled_at)
            for r in self._records()
            if r.chat is not None and r.updated_at is not None and r.pulled_at is not None
        }

    def _records(self) -> Iterator[_Record]:
        decode = msgspec.json.Decoder(_Record).decode
        with self.path.open("rb") as file:
            file.readline()
            for line in file:
                try:
                    yield decode(line)
                except msgspec.DecodeError:  # a disk's fault: what cannot be read is pulled again
                    continue

    def kept(self) -> Kept:
        """Return all that lies here."""
        head = self._head()
        if head is None:
            raise StoreError("the spool of a pull is damaged", where=str(self.path), fix="remove it and pull again")
        kept = Kept(head.segment)
        parts: dict[str, list[pl.DataFrame]] = {name: [] for name in _TABLES}
        marks: dict[str, tuple[str, datetime, datetime]] = {}
        looks = []
        for r in self._records():
            for name, columns in r.tables.items():
                frame = _from_numbers(columns, _TABLES[name])
                if "position" in frame.columns:
                    frame = frame.with_columns(pl.col("position") + kept.read)
                parts[name].append(frame)
            kept.read += r.read
            kept.notes += Counter(r.notes)
            if r.chat is not None and r.updated_at is not None and r.pulled_at is not None:
                marks[r.chat] = (r.chat, r.updated_at, r.pulled_at)
            looks += [(line, r.observed_at, health) for line, health in r.lines]
        kept.tables = {name: pl.concat(frames) for name, frames in parts.items() if frames}
        kept.marks = pl.DataFrame(list(marks.values()), schema=MARKS, orient="row")
        kept.observations = pl.DataFrame(looks, schema=OBSERVATIONS, orient="row")
        return kept

    def clear(self) -> None:
        """Remove what is folded in."""
        self.path.unlink(missing_ok=True)


def append(path: Path, data: bytes) -> None:
    """Add to a file that only its owner may read (made where there is none); on disk when this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _as_numbers(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(c).cast(pl.Int64) for c, dtype in frame.schema.items() if dtype == INSTANT)


def _from_numbers(columns: Columns, schema: pl.Schema) -> pl.DataFrame:
    numbers = {c: pl.Int64 if dtype == INSTANT else dtype for c, dtype in schema.items()}
    return pl.DataFrame({c: columns[c] for c in schema}, schema=numbers).cast(dict(schema))  # type: ignore[arg-type]
