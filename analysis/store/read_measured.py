"""An open store in, what explanations were measured by and what was done since, as kept, out: so that a refresh measures only what is new."""

from __future__ import annotations

from datetime import datetime

import duckdb
import polars as pl


def explanations_as_kept(con: duckdb.DuckDBPyConnection) -> list[tuple[str, float | None, int | None]]:
    """Return the JSON of every explanation, ordered by (at, line, kind); with its stated probability before the vendor's audits corrected it, and since when its line was compared with others (ms).

    A null probability: made by an older version.
    """
    sql = "select document, measured_p, epoch_ms(compared_from) from explanation order by changed_at, line, kind"
    return con.execute(sql).fetchall()


def quiet_times(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return effects at quiet times as kept: line, day, effects; in order of line and day."""
    return con.sql("select * from quiet_time order by line, day").pl()


def lessons(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return what worsenings teach as kept: line, at, kind, effects, unexplained; in order of time, line and kind."""
    sql = 'select line, changed_at as "at", kind, effects, unexplained from lesson order by changed_at, line, kind'
    return con.sql(sql).pl()


def progress_rows(con: duckdb.DuckDBPyConnection) -> list[tuple[str, datetime, str, str]]:
    """Return line, time, kind and JSON of the steps of every worsening that is over, as kept."""
    return con.execute("select line, changed_at, kind, document from progress order by all").fetchall()


def progress_document(con: duckdb.DuckDBPyConnection, *, line: str, at: datetime, kind: str) -> str | None:
    """Return the steps of a worsening with what the data up to the latest event shows of each, as JSON; None where none is kept."""
    rows = con.execute(
        "select document from progress where line = ? and changed_at = ? and kind = ?", [line, at, kind]
    ).fetchall()
    return rows[0][0] if rows else None
