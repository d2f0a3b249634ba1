"""Columns of foreign times in, UTC instants out: finer than a millisecond is cut, without a zone is UTC, unusable is null."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from analysis.schema import INSTANT

_SHAPE = r"^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)?\s*(?:Z|UTC|[+-]\d{2}:?\d{2}|[+-]\d{2})?$"
_COMMON = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3,9})?Z$"
"""What nearly every time is written as; read twenty times as fast as the others, to the same instant."""
_PER_MS = {"s": 1000.0, "ms": 1.0, "us": 1e-3, "ns": 1e-6}


def without_zone(text: pl.Expr) -> pl.Expr:
    """Return whether a text is a date and time that names no zone."""
    return text.str.contains(_SHAPE) & ~text.str.contains(r"(?:Z|UTC|[T ].*[+-]\d{2}:?\d{0,2})$")


def _from_common(text: pl.Expr) -> pl.Expr:
    second = text.str.slice(0, 19).str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="ms", strict=False).to_physical()
    cut = text.str.slice(20, 3).cast(pl.Int64, strict=False).fill_null(0)
    return pl.when(text.str.contains(_COMMON)).then((second + cut).cast(INSTANT))


def in_common_form(frame: pl.DataFrame, columns: list[str]) -> dict[str, pl.Series]:
    """Return the instants of those of the text columns whose every time has the common form, which is UTC; columns that say the same are read once."""
    read: dict[str, pl.Series] = {}
    for c in columns:
        told = frame[c]
        same = next((b for b in columns[: columns.index(c)] if b in read and _alike(told, frame[b])), None)
        times = read[same].alias(c) if same is not None else frame.select(_from_common(pl.col(c)).alias(c)).to_series()
        if times.null_count() == told.null_count():
            read[c] = times
    return read


def _alike(one: pl.Series, other: pl.Series) -> bool:
    """Return whether two columns say the same; most that do not already differ at an end."""
    ends = one.null_count() == other.null_count() and one[0] == other[0] and one[-1] == other[-1]
    return ends and one.equals(other)


def _read_texts(column: pl.Series, zone: ZoneInfo | None) -> pl.Series:
    """Return the instants of texts: the common form at once, what is left by its general form."""
    name = column.name
    read = column.to_frame().select(_from_common(pl.col(name)).alias(name)).to_series()
    if read.null_count() == column.null_count():
        return read
    left = (read.is_null() & column.is_not_null()).arg_true()
    others = column.gather(left).to_frame().select(_from_text(pl.col(name).str.strip_chars(), zone)).to_series()
    return read.scatter(left, others)


def _from_text(text: pl.Expr, zone: ZoneInfo | None) -> pl.Expr:
    shaped = pl.when(text.str.to_uppercase().str.contains(_SHAPE)).then(text.str.to_uppercase())
    cut = shaped.str.replace(",", ".", literal=True).str.replace(r"(\.\d{3})\d+", "$1")
    timed = cut.str.replace(r"^(\d{4}-\d{2}-\d{2})\s*(Z|UTC)?$", "${1}T00:00:00Z").str.replace(r"\s*UTC$", "Z")
    timed = timed.str.replace(r"^(\S+)[T ](\d{2}:\d{2})(Z|[+-]|$)", "${1}T${2}:00$3").str.replace(
        r"([+-]\d{2})$", "${1}:00"
    )
    timed = pl.when(timed.str.contains(r"[T ].*(Z|[+-]\d{2}:?\d{2})$")).then(timed).otherwise(None)
    zoned = timed.str.to_datetime("%+", time_zone="UTC", time_unit="ms", strict=False).dt.replace_time_zone(None)
    bare = (
        cut.str.replace(r"^(\d{4}-\d{2}-\d{2})$", "${1}T00:00:00").str.replace(r"[T ](\d{2}:\d{2})$", "T${1}:00") + "Z"
    )
    plain = bare.str.to_datetime("%+", time_zone="UTC", time_unit="ms", strict=False).dt.replace_time_zone(None)
    if zone is not None:
        plain = (
            plain.dt.replace_time_zone(str(zone), ambiguous="earliest", non_existent="null")
            .dt.convert_time_zone("UTC")
            .dt.replace_time_zone(None)
        )
    return pl.when(timed.is_not_null()).then(zoned).otherwise(plain)


def instants(column: pl.Series, *, unit: str | None = None, zone: ZoneInfo | None = None) -> pl.Series:
    """Return a column of INSTANT from text, native times, dates or (with ``unit``: s, ms, us, ns) numbers.

    Texts are RFC 3339 with any number of fraction digits, "T" or a blank, any offset, or none (then ``zone``, else UTC).
    What cannot be read is null. Finer than a millisecond is cut towards the past, never rounded.
    """
    dtype, name = column.dtype, column.name
    if dtype == pl.Null:
        return column.cast(INSTANT)
    if isinstance(dtype, pl.Datetime):
        naive = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if dtype.time_zone else column
        if not dtype.time_zone and zone is not None:
            naive = (
                column.dt.replace_time_zone(str(zone), ambiguous="earliest", non_existent="null")
                .dt.convert_time_zone("UTC")
                .dt.replace_time_zone(None)
            )
        per_ms = {"ms": 1, "us": 1000, "ns": 1_000_000}[dtype.time_unit]
        return (naive.to_physical() // per_ms).cast(INSTANT).alias(name)
    if dtype == pl.Date:
        return column.cast(INSTANT)
    if dtype.is_numeric() or (dtype == pl.String and unit is not None):
        numbers = column.cast(pl.Float64, strict=False) if dtype == pl.String or dtype.is_float() else column
        if unit is None:
            return pl.Series(name, [None] * len(column), dtype=INSTANT)
        if dtype.is_integer():
            ms = numbers.cast(pl.Int64) * 1000 if unit == "s" else numbers.cast(pl.Int64) // int(1 / _PER_MS[unit])
        else:
            ms = (numbers * _PER_MS[unit]).round(6).floor()
            ms = (
                ms.to_frame()
                .select(pl.when(pl.col(name).is_between(-1e14, 1e15)).then(pl.col(name)))
                .to_series()
                .cast(pl.Int64, strict=False)
            )
        parsed = ms.cast(INSTANT).alias(name)
        if dtype == pl.String:
            as_text = _read_texts(column, zone)
            parsed = pl.DataFrame({"n": parsed, "t": as_text}).select(pl.coalesce("n", "t").alias(name)).to_series()
        return parsed
    if dtype == pl.String:
        return _read_texts(column, zone)
    return pl.Series(name, [None] * len(column), dtype=INSTANT)


def in_range(column: str, earliest: datetime, latest: datetime) -> pl.Expr:
    """Return whether an instant is one that a phone line can have (settings ``earliest`` and ``latest``)."""
    return pl.col(column).is_between(earliest, latest)
