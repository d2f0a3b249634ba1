"""One file in, its facts spooled to disk out: recognised by content, read in blocks, so that memory stays bounded."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import polars as pl

from analysis.errors import SourceError
from analysis.settings import Settings
from analysis.sources import webhook
from analysis.sources.checks import REFUSED, Rules
from analysis.sources.facts import Facts, change_facts, chat_facts, message_facts
from analysis.sources.mapping import Mapping
from analysis.sources.opening import DUCKDB, PARQUET, Stream, fingerprint
from analysis.sources.pseudonym import Pseudonyms
from analysis.sources.rows import Rows
from analysis.sources.table_csv import csv_blocks
from analysis.sources.table_parquet import parquet_blocks

READER = b"3"
"""Part of a file's fingerprint: raise it when the same bytes are read differently, so that known files are read again."""
BLOCK_LINES = 50_000
BLOCK_MB = 64
"""Text of one block of lines: usual ones take 50 MB and end by their number. Of two the rows are held: one is checked while the next is decoded."""
WHOLE_JSON_MB = 64
SWITCH_S = 0.001
"""After this time a thread that decodes gives way to one that waits to check a block (Python's own is 5 ms, and a check needs 70 turns a block)."""
Progress = Callable[[int, float], None]
"""Called with (rows of the file read so far, part of the file that is done) while reading goes on."""


@dataclass
class SourceFacts:
    """What one file gave: counts, refused rows, and where its facts are spooled (one Parquet file a block and kind)."""

    path: str
    source_id: str
    kind: str
    spool: Path
    read: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    refused: list[pl.DataFrame] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    """How late its message events were told (facts.Facts.late)."""
    blocks: int = 0

    def add(self, facts: Facts) -> None:
        """Spool the facts of one block."""
        self.blocks += 1
        for name in ("messages", "chats", "health", "changes"):
            frame: pl.DataFrame = getattr(facts, name)
            if frame.height:
                # read back once: packing it, and finding least and greatest values, would cost more than they save
                frame.write_parquet(
                    self.spool / f"{name}-{self.blocks:06d}.parquet", compression="uncompressed", statistics=False
                )
        if facts.refused.height:
            self.refused.append(facts.refused)
        self.notes += facts.notes
        self.late += facts.late


@dataclass(frozen=True)
class Content:
    """What a file held when it was looked at: the name of its content, and the stamp by which a later change is seen."""

    source_id: str
    stamp: tuple[int, int, int] | None

    @classmethod
    def of(cls, path: Path, mapping: Mapping | None) -> Content:
        """Look at a file. Raises SourceError where it cannot be read."""
        stamp = _stamp(path)  # before its bytes: a change while they are read is a change
        return cls(source_id(path, mapping), stamp)


def source_id(path: Path, mapping: Mapping | None) -> str:
    """Return the name of a file's content as read by this mapping."""
    return fingerprint(path, salt=READER + (mapping.salt() if mapping else b""))


def read_source(
    path: Path,
    *,
    settings: Settings,
    pseudonyms: Pseudonyms,
    mapping: Mapping | None,
    spool: Path,
    progress: Progress | None = None,
    content: str | None = None,
) -> SourceFacts:
    """Read one export from end to end; its rows are facts in ``spool``, or refused with a reason.

    ``content``: the name of the file's content (``source_id``) where it is known already; else it is found beside the reading.

    Raises:
        SourceError: the file as a whole is no export we know, is empty, or cannot be read.
    """
    stream = Stream(path)
    head = next(iter(stream.blocks()), b"")
    if stream.damage and not head:
        raise SourceError(stream.damage, where=str(path), fix="export or copy it again")
    if not head.strip(b"\xef\xbb\xbf \t\r\n"):
        raise SourceError("the file holds nothing but blanks", where=str(path), fix="export it again")
    if head[8:12] == DUCKDB:
        raise SourceError(
            "this is a DuckDB database, not an export",
            where=str(path),
            fix="use it as --store, or export its tables as Parquet",
        )
    found = SourceFacts(str(path), content or "", "", spool)
    rules = Rules(settings, pseudonyms, mapping.time.unit if mapping else None, _zone(mapping))
    longest = settings.max_line_mb << 20
    watch = _Watch(path, stream, found, progress)
    with _giving_way(), ThreadPoolExecutor(max_workers=1) as beside:
        named = beside.submit(source_id, path, mapping) if content is None else None
        if head.startswith(PARQUET):
            _read_parquet(path, stream, mapping, rules, found, watch)
        elif head[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise SourceError("the file is UTF-16 text", where=str(path), fix="save it as UTF-8")
        elif _looks_like_json(head):
            _read_json(path, head, longest, rules, found, watch)
        else:
            _read_csv(path, mapping, longest, rules, found, watch)
        if named is not None:
            found.source_id = named.result()
    return found


@contextlib.contextmanager
def _giving_way() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(SWITCH_S, before))
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def read_unchanged(content: Content | None, path: Path, *, mapping: Mapping | None, **told: Any) -> SourceFacts:
    """Read one export as ``read_source`` does, and make sure that what was read is the content it is named by.

    Args:
        content: what the file held before the reading; None where that could not be told.
        path: of the file.
        mapping: as ``read_source``.
        told: the rest, as ``read_source``.

    Raises:
        SourceError: as ``read_source``, or the file changed meanwhile: nothing of it is used then.
    """
    before, name = (content.stamp, content.source_id) if content is not None else (_stamp(path), None)
    try:
        found = read_source(path, mapping=mapping, content=name, **told)
    except (SourceError, OSError, pl.exceptions.PolarsError):
        if _stamp(path) == before:
            raise
        raise _changed(path) from None
    if _stamp(path) != before:
        raise _changed(path)
    return found


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_size, told.st_mtime_ns, told.st_ino


def _changed(path: Path) -> SourceError:
    return SourceError(
        "the file changed while it was read; nothing of it was loaded",
        where=str(path),
        fix="load it again when nothing writes to it, or load a copy",
    )


def _zone(mapping: Mapping | None) -> ZoneInfo | None:
    return ZoneInfo(mapping.time.zone) if mapping is not None and mapping.time.zone is not None else None


class _Watch:
    """Tells the caller how far the reading is."""

    def __init__(self, path: Path, stream: Stream, found: SourceFacts, progress: Progress | None) -> None:
        self.total, self.progress = float(max(1, path.stat().st_size)), progress
        self.stream, self.found = stream, found

    def tell(self, stream: Stream | None = None, share: float | None = None) -> None:
        if self.progress:
            done = share if share is not None else (stream or self.stream).read_bytes / self.total
            self.progress(self.found.read, min(done, 1.0))


def _looks_like_json(head: bytes) -> bool:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n\x00")
    if text[:1] in (b"{", b"["):
        return True
    return any(line.lstrip().startswith(b'{"') for line in text[: 1 << 16].split(b"\n")[:50])


def _read_json(path: Path, head: bytes, longest: int, rules: Rules, found: SourceFacts, watch: _Watch) -> None:
    found.kind = "webhook"
    whole = _whole_document(path, head)
    stream = Stream(path)
    blocks: Iterator[tuple[int, list[bytes | None]]] = stream.line_blocks(longest)
    if whole is not None:
        blocks = ((n + 1, whole[n : n + BLOCK_LINES]) for n in range(0, len(whole), BLOCK_LINES))
    rows = Rows()
    number = count = held = 0
    with ThreadPoolExecutor(max_workers=1) as behind:
        checked: Future[None] = behind.submit(lambda: None)
        for first, lines in blocks:
            number = first + len(lines) - 1
            if first == 1 and lines[0] is not None:
                lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
            found.read += len(lines) - webhook.read_lines(lines, first, rows, longest >> 20)
            rows.pack()
            count += len(lines)
            held += sum(map(len, filter(None, lines)))
            if count >= BLOCK_LINES or held > BLOCK_MB << 20:
                checked.result()  # at most one block is checked while the next is read
                checked = behind.submit(_flush, rows, rules, found)
                rows, count, held = Rows(), 0, 0
                watch.tell(stream)
        checked.result()
    if stream.damage:
        found.read += 1
        rows.refuse(number + 1, "file", stream.damage, "export or copy the file again; what came before is loaded")
    _flush(rows, rules, found)
    if whole is not None and found.refused and pl.concat(found.refused)["position"].n_unique() == found.read:
        raise SourceError(
            "a JSON document, but not one of webhook deliveries",
            where=str(path),
            fix="name logged deliveries (one JSON object a line) or tables",
        )


def _flush(rows: Rows, rules: Rules, found: SourceFacts) -> None:
    """Check and spool one block; what is decoded while it works is the next one."""
    found.ignored += rows.ignored
    for facts in rows.facts(rules):
        found.add(facts)


def _whole_document(path: Path, head: bytes) -> list[bytes | None] | None:
    """Return the records of a file that is one JSON document over several lines (or a list); None for one object a line."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    first = text.split(b"\n", 1)[0]
    if text[:1] == b"{":
        try:
            msgspec.json.decode(first, type=msgspec.Raw)
        except (msgspec.DecodeError, RecursionError):
            pass
        else:
            return None
        if b'"' in first and first.count(b'"') > 2:  # a pretty-printed object opens alone or with one key a line
            return None
    elif text[:1] != b"[":
        return None
    if path.stat().st_size > WHOLE_JSON_MB << 20:
        return None
    parts, size = [], 0
    for block in Stream(path).blocks():
        parts.append(block)
        size += len(block)
        if size > WHOLE_JSON_MB << 20:  # a packed file may hold more than its size says
            return None
    data = b"".join(parts).lstrip(b"\xef\xbb\xbf")
    try:
        if data.lstrip()[:1] == b"[":
            return [bytes(raw) for raw in msgspec.json.decode(data, type=list[msgspec.Raw])]
        msgspec.json.decode(data, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return None
    return [data]


_READERS = {"messages": message_facts, "transitions": change_facts, "chats": chat_facts}


def _read_parquet(
    path: Path, stream: Stream, mapping: Mapping | None, rules: Rules, found: SourceFacts, watch: _Watch
) -> None:
    with tempfile.TemporaryDirectory(dir=found.spool) as unpacked:
        plain = path
        if stream.packing != "plain":
            plain = Path(unpacked) / "unpacked.parquet"
            with plain.open("wb") as out:
                for block in Stream(path).blocks():
                    out.write(block)
        try:
            table, blocks = parquet_blocks(plain, mapping)
            found.kind = table.kind
            for rows in blocks:
                found.read += rows.height
                found.add(_READERS[table.kind](table.raw(rows), rules))
                watch.tell(share=0.5)
        except SourceError as e:
            raise SourceError(e.problem, where=str(path), fix=e.fix) from None


def _read_csv(
    path: Path, mapping: Mapping | None, longest: int, rules: Rules, found: SourceFacts, watch: _Watch
) -> None:
    stream = Stream(path)
    table, blocks = csv_blocks(stream, mapping, longest)
    found.kind = table.kind
    last = 0
    for block, refused in blocks:
        found.read += block.height + refused.height
        last = max([last, *block["position"].tail(1), *refused["position"].tail(1)])
        if block.height:
            found.add(_READERS[table.kind](table.raw(block), rules))
        if refused.height:
            found.refused.append(refused)
        watch.tell(stream)
    if stream.damage:
        found.read += 1
        found.add(
            Facts(
                refused=pl.DataFrame(
                    [(last + 1, "file", stream.damage, "export or copy the file again; what came before is loaded")],
                    schema=REFUSED,
                    orient="row",
                )
            )
        )
