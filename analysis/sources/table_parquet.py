"""A Parquet file in, its rows in blocks out; columns that are not needed are never read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from analysis.errors import SourceError
from analysis.sources.mapping import Mapping
from analysis.sources.table import BLOCK_ROWS, LONGEST_CELL, Table

FEW_ROWS, MOST_ROWS_A_BYTE = 1_000_000, 20
"""Rows that are always read, and rows a byte that no export has: a row's times and ids take several bytes, however packed."""


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
