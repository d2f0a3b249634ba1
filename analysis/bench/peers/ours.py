"""Our signals by day from the coded tables: the product's own functions, a group of lines at a time."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl

from analysis.pipeline.shards import MESSAGES, side_by_side
from analysis.schema import SPELLS
from analysis.settings import Settings
from analysis.signals import panel
from analysis.signals.judged import judge_in_order


def by_day(database: str | Path, *, rows: int = MESSAGES) -> pl.DataFrame:
    """Return SIGNALS_DAY of a database of ``coded.write_coded``."""
    settings = Settings()
    with duckdb.connect(str(database), read_only=True) as con:
        as_of = con.execute("select make_timestamp_ms(max(at_ms)) from coded").fetchall()[0][0]
        counts = con.execute("select line_no, count(*) from coded group by line_no order by line_no").fetchall()

        def counted(group: tuple[pl.DataFrame, ...]) -> pl.DataFrame:
            judged = judge_in_order(*group, as_of=as_of, settings=settings)
            return panel.counted(judged, pl.DataFrame(schema=SPELLS), settings=settings, grain="day")

        return pl.concat(side_by_side((_read(con, *ends) for ends in _groups(counts, rows)), counted))


def _read(con: duckdb.DuckDBPyConnection, low: int, high: int) -> tuple[pl.DataFrame, ...]:
    """Return messages, lines, creations and health of the lines of these numbers, which begin at 0."""
    inside, first = f"line_no between {low} and {high}", f"(line_no - {low})::bigint as line_no"
    at = lambda name: f"make_timestamp_ms({name})::timestamp_ms"  # noqa: E731
    return tuple(
        con.sql(sql).pl()
        for sql in (
            f'select talk::bigint as talk, {first}, {at("at_ms")} as "at", outbound, failed from coded where {inside}',
            f"select line, {first} from line where {inside} order by line_no",
            f"select talk::bigint as talk, {at('created_ms')} as created_at from coded_chat semi join (select talk from talk where {inside}) using (talk)",
            f'select talk::bigint as talk, {first}, {at("at_ms")} as "at", health from coded_health where {inside} order by talk, at_ms',
        )
    )


def _groups(counts: list[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    found: list[list[int]] = []
    room = 0
    for line, count in counts:
        if count > room or not found:
            found.append([line, line])
            room = most
        found[-1][1] = line
        room -= count
    return [(low, high) for low, high in found]
