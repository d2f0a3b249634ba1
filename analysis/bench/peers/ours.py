"""Our signals by day from the coded tables: the product's own functions, a group of lines at a time."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl

from analysis.schema import INSTANT, SPELLS
from analysis.settings import Settings
from analysis.signals import panel
from analysis.signals.judged import judge_in_order

ROWS = 2_000_000
"""Messages worked on at once, as `pipeline.shards`."""


def by_day(database: str | Path, *, rows: int = ROWS) -> pl.DataFrame:
    """Return SIGNALS_DAY of a database of ``coded.write_coded``."""
    settings, parts = Settings(), []
    with duckdb.connect(str(database), read_only=True) as con:
        last = con.execute("select make_timestamp_ms(max(at_ms)) from coded").fetchall()[0][0]
        counts = con.execute("select line_no, count(*) from coded group by line_no order by line_no").fetchall()
        for low, high in _groups(counts, rows):
            inside = f"line_no between {low} and {high}"
            messages = con.sql(f"select talk::bigint as talk, line_no::bigint as line_no, at_ms as at, outbound, failed from coded where {inside}").pl()
            created = con.sql(
                f"select talk::bigint as talk, created_ms as created_at from coded_chat semi join (select talk from talk where {inside}) using (talk)"
            ).pl()
            reports = con.sql(f"select talk::bigint as talk, line_no::bigint as line_no, at_ms as at, health from coded_health where {inside} order by talk, at_ms").pl()
            lines = con.sql(f"select line, line_no::bigint as line_no from line where {inside} order by line_no").pl()
            first = pl.col("line_no") - low
            judged = judge_in_order(
                messages.with_columns(first, at=pl.col("at").cast(INSTANT)),
                lines.with_columns(first),
                created.with_columns(pl.col("created_at").cast(INSTANT)),
                reports.with_columns(first, at=pl.col("at").cast(INSTANT)),
                as_of=last,
                settings=settings,
            )
            parts.append(panel.counted(judged, pl.DataFrame(schema=SPELLS), settings=settings, grain="day"))
    return pl.concat(parts)


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
