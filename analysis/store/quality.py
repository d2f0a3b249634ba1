"""An open store in, frames about how complete and fresh its data is out."""

from __future__ import annotations

import duckdb
import polars as pl

from analysis.schema import DELAYS, INSTANT

LAST_HEARD = pl.Schema({"line": pl.String, "last_message": INSTANT, "last_event": INSTANT, "last_change": INSTANT})
"""When a line was last heard of, key line; null where never."""


def last_heard(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return, for every line, its newest message, its newest message event (receipts too) and its newest report: LAST_HEARD."""
    sql = """
    with known as (select line from signal_day union select line from spell union select line from chat),
    told as (select line, last_at as last_message, last_event_at as last_event from line_total),
    changed as (select line, max(changed_at) as last_change from change group by line)
    select k.line, t.last_message, t.last_event, c.last_change
    from known k left join told t using (line) left join changed c using (line) order by k.line
    """
    return con.sql(sql).pl().select(LAST_HEARD.names()).cast(dict(LAST_HEARD))


def delays(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return, for every line that sent, how many sends have a receipt and how late it came: DELAYS."""
    sql = """
    select line, sends, failed, received, received_1h, received_24h from line_total where sends > 0 order by line
    """
    return con.sql(sql).pl().select(DELAYS.names()).cast(dict(DELAYS))
