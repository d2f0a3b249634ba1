"""Tables as CSV or Parquet in, raw rows in our columns out: which table it is by its columns, foreign names by a mapping."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from analysis.errors import SourceError
from analysis.sources.checks import REFUSED
from analysis.sources.facts import RAW_CHANGES, RAW_CHATS, RAW_MESSAGES
from analysis.sources.mapping import TABLE_COLUMNS, Mapping
from analysis.sources.opening import Stream

BLOCK_ROWS = 100_000
MOST_COLUMNS = 2000
LONGEST_CELL = 1000
"""Characters kept of a cell: one of more than 400 bytes is refused, and a block must fit in memory."""
FEW_ROWS, MOST_ROWS_A_BYTE = 1_000_000, 20
"""Rows that are always read, and rows a byte that no export has: a row's times and ids take several bytes, however packed."""
_DELIMITERS = ",;\t|"

# the vendor's own names, flattened or not, beside ours; first match wins, then the next fills its gaps
_MESSAGE = {
    "message_id": ("message_id", "id", "message.id"),
    "line": ("line", "phone_number", "chat.owner_handle.handle", "owner_handle.handle", "owner_handle"),
    "chat_id": ("chat_id", "chat.id"),
    "recipient": ("recipient",),
    "direction": ("direction",),
    "sent_at": ("sent_at", "message.sent_at"),
    "seen_at": ("received_at", "created_at", "message.created_at"),
    "delivered_at": ("delivered_at",),
    "read_at": ("read_at",),
    "failed_at": ("failed_at",),
    "failure_code": ("failure_code", "code"),
    "service": ("service",),
    "is_group": ("is_group", "chat.is_group"),
    "fingerprint": ("fingerprint",),
    "trace_id": ("trace_id",),
    "chat_health": ("chat.health_status.status",),
    "chat_health_at": ("chat.health_status.updated_at",),
}
_CHANGE = {
    "line": ("line", "phone_number"),
    "changed_at": ("changed_at",),
    "previous_health": ("previous_health", "previous_reputation", "previous_health_status"),
    "new_health": ("new_health", "new_reputation", "new_health_status"),
    "previous_status": ("previous_status",),
    "new_status": ("new_status",),
}
_CHAT = {
    "chat_id": ("chat_id", "id"),
    "line": ("line", "phone_number"),
    "recipient": ("recipient",),
    "is_group": ("is_group",),
    "created_at": ("created_at",),
    "health": ("health", "health_status", "health_status.status"),
    "health_updated_at": ("health_updated_at", "health_status.updated_at"),
}
_ALIASES = {"messages": _MESSAGE, "transitions": _CHANGE, "chats": _CHAT}
_RAW = {"messages": RAW_MESSAGES, "transitions": RAW_CHANGES, "chats": RAW_CHATS}
_MAPPED = {"messages": {"received_at": "seen_at"}}
_SENDER = ("from", "from_handle.handle", "sender_handle.handle")
_TARGET = ("recipient_phone", "recipient_handle.handle")


class Table:
    """How one table's columns become ours: found once from its header, applied to every block of rows.

    Raises:
        SourceError: the columns are those of none of our tables, or a mapped column is not there.
    """

    def __init__(self, header: list[str], mapping: Mapping | None, where: str) -> None:
        self.mapping = mapping if mapping and mapping.applies_to(header) else None
        names = {h.strip().removeprefix("data."): h for h in reversed(header)}
        given = dict(self.mapping.columns) if self.mapping else {}
        absent = sorted(theirs for theirs in given.values() if theirs not in header)
        if absent:
            raise SourceError(
                f"the mapping names {', '.join(absent)}, which is not among the columns",
                where=where,
                fix="correct [columns] in the mapping file",
            )
        constants = dict(self.mapping.constants) if self.mapping else {}
        self.columns: dict[str, dict[str, list[str]]] = {}
        for table, aliases in _ALIASES.items():
            renamed = _MAPPED.get(table, {})
            mine = {renamed.get(ours, ours): [theirs] for ours, theirs in given.items()}
            taken = {t for ts in mine.values() for t in ts}
            self.columns[table] = mine | {
                ours: [names[a] for a in theirs if a in names and names[a] not in taken]
                for ours, theirs in aliases.items()
                if ours not in mine
                and ours not in constants
                and any(a in names and names[a] not in taken for a in theirs)
            }
        self.constants = {_MAPPED["messages"].get(k, k) if k == "received_at" else k: v for k, v in constants.items()}
        self.sender = next((names[c] for c in _SENDER if c in names), None)
        self.target = next((names[c] for c in _TARGET if c in names), None)
        self.from_me = names.get("is_from_me")
        named = self.mapping.file.table if self.mapping else None
        self.kind = named or self._recognise(where, header)
        lacking = self._lacking(self.kind)
        if lacking:
            raise SourceError(
                f"this looks like a table of {self.kind}, but {lacking}",
                where=where,
                fix="export the column, or name it in a mapping file (--map)",
            )
        self.used = sorted(
            {t for ts in self.columns[self.kind].values() for t in ts}
            | ({c for c in (self.sender, self.target, self.from_me) if c} if self.kind == "messages" else set())
        )

    def leave_out(self, nested: set[str], where: str) -> None:
        """Leave out columns that hold lists or records; raises SourceError where one stands for a column of ours alone."""
        columns = self.columns[self.kind]
        alone = sorted(theirs[0] for theirs in columns.values() if set(theirs) <= nested)
        sides = sorted(c for c in (self.sender, self.target, self.from_me) if self.kind == "messages" and c in nested)
        if alone or sides:
            raise SourceError(
                f"the column {(alone or sides)[0]} holds lists or records", where=where, fix="export it as plain values"
            )
        self.columns[self.kind] = {ours: [t for t in theirs if t not in nested] for ours, theirs in columns.items()}
        self.used = [c for c in self.used if c not in nested]

    def _has(self, table: str, *columns: str) -> bool:
        return any(c in self.columns[table] or c in self.constants for c in columns)

    def _lacking(self, kind: str) -> str | None:
        needs: dict[str, list[tuple[str, ...]]] = {
            "messages": [("line",), ("direction",), ("sent_at", "seen_at"), ("chat_id", "recipient")],
            "transitions": [("line",), ("changed_at",), ("new_health", "new_status")],
            "chats": [("chat_id",), ("line",)],
        }
        for choice in needs[kind]:
            sided = (
                kind == "messages"
                and self.from_me
                and (choice == ("direction",) or (choice == ("line",) and self.sender and self.target))
            )
            if not self._has(kind, *choice) and not sided:
                words = [w.replace("seen_at", "received_at") for w in choice]
                return f"it has no column {' or '.join(words)}"
        return None

    def _recognise(self, where: str, header: list[str]) -> str:
        if self._has("transitions", "changed_at") and self._lacking("transitions") is None:
            return "transitions"
        complete = [kind for kind in ("messages", "chats") if self._lacking(kind) is None]
        if complete:
            return complete[0]
        if self._has("transitions", "changed_at") or self._has("transitions", "new_health", "new_status"):
            return "transitions"
        if self._has("messages", "sent_at", "direction") or self.from_me:
            return "messages"
        ours = "; ".join(f"{kind}: {', '.join(columns)}" for kind, columns in TABLE_COLUMNS.items())
        raise SourceError(
            f"its {len(header)} columns are those of no table we know",
            where=where,
            fix=f"name yours in a mapping file (--map). Ours are {ours}",
        )

    def raw(self, block: pl.DataFrame) -> pl.DataFrame:
        """Return a block of foreign rows (with ``position``) as raw rows of this table's kind."""
        out = []
        for ours, theirs in self.columns[self.kind].items():
            parts = [block[t] for t in theirs]
            out.append(
                parts[0].alias(ours)
                if len(parts) == 1
                else block.select(
                    pl.coalesce(pl.col(t).cast(pl.String, strict=False) for t in theirs).alias(ours)
                ).to_series()
            )
        frame = pl.DataFrame([block["position"], *out])
        frame = frame.with_columns(
            pl.lit(str(v) if not isinstance(v, bool) else str(v).lower()).alias(k)
            for k, v in self.constants.items()
            if k in _RAW[self.kind]
        )
        if self.kind == "messages" and self.from_me is not None:
            frame = self._sided(frame, block)
        for ours, words in (self.mapping.values if self.mapping else {}).items():
            if ours in frame.columns:
                frame = frame.with_columns(
                    pl.col(ours).cast(pl.String, strict=False).replace(list(words), list(words.values()))
                )
        return frame

    def _sided(self, frame: pl.DataFrame, block: pl.DataFrame) -> pl.DataFrame:
        assert self.from_me is not None
        mine = block[self.from_me].cast(pl.String).str.to_lowercase().is_in(["true", "1", "t", "yes"])
        told = block[self.from_me].is_not_null()
        frame = frame.with_columns(_mine=mine, _told=told)
        if "direction" not in frame.columns:
            frame = frame.with_columns(
                direction=pl.when("_told").then(pl.when("_mine").then(pl.lit("outbound")).otherwise(pl.lit("inbound")))
            )
        if "line" not in frame.columns and self.sender and self.target:
            frame = frame.with_columns(
                block[self.sender].cast(pl.String).alias("_from"), block[self.target].cast(pl.String).alias("_to")
            )
            frame = frame.with_columns(
                line=pl.when("_mine").then("_from").otherwise("_to"),
                recipient=pl.when("_mine").then("_to").otherwise("_from"),
            )
        return frame.drop("_mine", "_told", "_from", "_to", strict=False)


def parquet_blocks(path: Path, mapping: Mapping | None) -> tuple[Table, Iterator[pl.DataFrame]]:
    """Return the table of a Parquet file and its rows in blocks (columns it does not need are never read).

    Raises:
        SourceError: the file is damaged, or its columns are of no table we know.
    """
    try:
        scan = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        schema = scan.collect_schema()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        raise SourceError("the Parquet file is damaged or cut off", where=str(path), fix="export it again") from None
    structs = {name: dtype for name, dtype in schema.items() if isinstance(dtype, pl.Struct)}
    flat = scan.with_columns(
        expression for name, dtype in structs.items() for expression in _unnested(pl.col(name), name, dtype)
    )
    table = Table(
        [*schema.names(), *(p for name, dtype in structs.items() for p in _paths(name, dtype))], mapping, str(path)
    )
    table.leave_out({name for name, dtype in flat.collect_schema().items() if dtype.is_nested()}, str(path))
    _believable(scan, path)

    def blocks() -> Iterator[pl.DataFrame]:
        try:
            yield from (
                _as_cells(block)
                for block in flat.select(table.used)
                .with_row_index("position", offset=1)
                .with_columns(pl.col("position").cast(pl.Int64))
                .collect_batches(chunk_size=BLOCK_ROWS, maintain_order=True)
            )
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
            raise SourceError("the Parquet file is damaged", where=str(path), fix="export it again") from None

    return table, blocks()


def _believable(scan: pl.LazyFrame, path: Path) -> None:
    """Refuse a file that says of itself that it holds far more rows than its bytes can."""
    rows, size = int(scan.select(pl.len()).collect().item()), path.stat().st_size
    if rows > FEW_ROWS and rows > MOST_ROWS_A_BYTE * size:
        raise SourceError(
            f"the Parquet file claims {rows:,} rows in {size:,} bytes",
            where=str(path),
            fix="export it again; messages differ from each other and take more room",
        )


def _as_cells(block: pl.DataFrame) -> pl.DataFrame:
    """Return a block whose columns can all be read as text: bytes as the text they are, no date beyond the calendar, no cell of pages."""
    out = []
    for column in block:
        if column.dtype == pl.Binary:  # what is not UTF-8 is refused as such later
            column = pl.Series(column.name, [None if b is None else b.decode("utf-8", "replace") for b in column], dtype=pl.String)  # fmt: skip
        elif isinstance(column.dtype, pl.Date | pl.Datetime):
            unit = column.dtype.time_unit if isinstance(column.dtype, pl.Datetime) else "d"
            days = column.to_physical().cast(pl.Int64) // {"d": 1, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}[unit]  # fmt: skip
            column = column.to_frame().select(pl.when(days.is_between(-719_162, 2_932_896)).then(column.name)).to_series()  # fmt: skip
        if column.dtype == pl.String and (column.str.len_bytes().max() or 0) > LONGEST_CELL:  # type: ignore[operator]
            column = column.str.strip_chars().str.slice(0, LONGEST_CELL)
        out.append(column)
    return pl.DataFrame(out)


def _paths(prefix: str, dtype: pl.Struct) -> Iterator[str]:
    for field in dtype.fields:
        path = f"{prefix}.{field.name}"
        yield path
        if isinstance(field.dtype, pl.Struct):
            yield from _paths(path, field.dtype)


def _unnested(column: pl.Expr, prefix: str, dtype: pl.Struct) -> Iterator[pl.Expr]:
    for field in dtype.fields:
        inner = column.struct.field(field.name)
        yield inner.alias(f"{prefix}.{field.name}")
        if isinstance(field.dtype, pl.Struct):
            yield from _unnested(inner, f"{prefix}.{field.name}", field.dtype)


def csv_blocks(
    stream: Stream, mapping: Mapping | None, longest: int
) -> tuple[Table, Iterator[tuple[pl.DataFrame, pl.DataFrame]]]:
    """Return the table of a CSV file and its rows in blocks of (foreign rows with position, REFUSED rows).

    Every line that does not fit the header is refused by itself; the rest is read.

    Raises:
        SourceError: there is no header, or its columns are of no table we know.
    """
    where = str(stream.path)
    source = _Text(stream, longest)
    header = list(mapping.file.header) if mapping and mapping.file.header else None
    first = source.peek()
    if first is None:
        raise SourceError("the file holds no text", where=where, fix="export it again")
    delimiter = (mapping.file.delimiter if mapping else None) or max(_DELIMITERS, key=first.count)
    blank = delimiter.isspace() and delimiter != "\t"
    csv.field_size_limit(longest)
    reader = csv.reader(source, delimiter=delimiter, skipinitialspace=blank)
    if header is None:
        try:
            header = [h.strip() for h in next(reader)]
        except (csv.Error, StopIteration):
            raise SourceError(
                "the first line is no header of column names",
                where=where,
                fix="export with a header, or say [file] header in a mapping file",
            ) from None
    if len(header) > MOST_COLUMNS:
        raise SourceError(
            f"the header has {len(header):,} columns",
            where=where,
            fix=f"export at most {MOST_COLUMNS:,}: those named in data/README.md are enough",
        )
    if len(set(header)) < len(header):
        repeated = sorted(h[:40] for h, n in Counter(header).items() if n > 1)[:3]
        raise SourceError(
            f"the header names {', '.join(repeated)} more than once", where=where, fix="give every column its own name"
        )
    table = Table(header, mapping, where)
    picks = [header.index(c) for c in table.used]

    def blocks() -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        rows: list[tuple[object, ...]] = []
        refused: list[tuple[int, str, str, str]] = []
        kind, width = table.kind.removesuffix("s"), len(header)
        schema = {"position": pl.Int64, **dict.fromkeys(table.used, pl.String)}
        more = True
        while more:
            try:
                row = next(reader, None)
            except csv.Error:
                refused.append(
                    (
                        reader.line_num,
                        kind,
                        "the line cannot be split into cells (a quote is not closed, or a cell is too long)",
                        "repair the quotes",
                    )
                )
                continue
            if row is None:
                more = False
            elif not row or row == [""]:
                continue
            elif source.too_long:
                refused.append(
                    (
                        reader.line_num,
                        kind,
                        f"the line is longer than {longest >> 20} MB",
                        "a row of metadata is short: check the file",
                    )
                )
                source.too_long = False
            elif len(row) != width:
                refused.append(
                    (
                        reader.line_num,
                        kind,
                        f"the line has {len(row)} cells where the header has {width}",
                        "repair the line",
                    )
                )
            else:
                rows.append((reader.line_num, *(_cell(row[i]) for i in picks)))
            if len(rows) + len(refused) >= BLOCK_ROWS or not more:
                yield (
                    pl.DataFrame(rows, schema=schema, orient="row"),
                    pl.DataFrame(refused, schema=REFUSED, orient="row"),
                )
                rows, refused = [], []

    return table, blocks()


def _cell(text: str) -> str:
    return text if len(text) <= LONGEST_CELL else text.strip()[:LONGEST_CELL]


class _Text:
    """Lines of text for the CSV reader, in UTF-8, or UTF-16 where the file says so; a line over the limit becomes a short one."""

    def __init__(self, stream: Stream, longest: int) -> None:
        self.too_long = False
        self._lines = self._decoded(stream, longest)
        self._first: str | None = None

    def _decoded(self, stream: Stream, longest: int) -> Iterator[str]:
        lines = stream.lines(longest)
        number, first = next(lines, (0, b""))
        if first is not None and first[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise SourceError("the file is UTF-16 text", where=str(stream.path), fix="save it as UTF-8")
        if first is not None and number:
            yield first.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace") + "\n"
        for _, line in lines:
            if line is None:
                self.too_long = True
                yield "-\n"
            else:
                yield line.decode("utf-8", "replace") + "\n"

    def peek(self) -> str | None:
        """Return the first line without using it up."""
        self._first = next(self._lines, None)
        return self._first

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return next(self._lines)
