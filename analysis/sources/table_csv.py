"""A CSV file in, its rows in blocks out, each line that does not fit the header refused by itself."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator

import polars as pl

from analysis.errors import SourceError
from analysis.sources.checks import REFUSED
from analysis.sources.mapping import Mapping
from analysis.sources.opening import Stream
from analysis.sources.table import BLOCK_ROWS, LONGEST_CELL, Table

MOST_COLUMNS = 2000
_DELIMITERS = ",;\t|"


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
