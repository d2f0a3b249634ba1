"""An open store in, what it was made of out: files loaded, rows refused, and how much of each kind there is."""

from __future__ import annotations

import duckdb
import polars as pl


def sources(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return the files loaded, oldest first: counts, first and last event, and how late events were told (null: loaded by an older version)."""
    return con.sql(
        "select path, kind, read, inserted, merged, duplicates, ignored, quarantined, ignored_kinds, notes, loaded_at, first_at, last_at, timed, late_1h, late_24h from source order by loaded_at, path, source_id"
    ).pl()


def contents(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Return in a word each what a store was made of, in order: files by content, settings, actions, and audits; nothing of when or where from."""
    sql = """
    select 'file ' || source_id as word from source
    union all select 'setting ' || key || '=' || value from setting
    union all select 'action ' || action_id || ' ' || coalesce(label, '') from action
    union all select 'audit ' || audit_id || ' ' || status || ' ' || coalesce(document, '') from audit
    order by word
    """
    return [word for (word,) in con.execute(sql).fetchall()]


def quarantine(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return refused rows: source, position, kind, reason, fix, loaded_at."""
    return con.sql(
        "select coalesce(s.path, q.source_id) as source, q.position, q.kind, q.reason, q.fix, q.loaded_at "
        "from quarantine q left join source s using (source_id) order by source, q.position, q.ordinal"
    ).pl()


_TOTALS = {
    "messages": "count(*) from message",
    "chats": "count(*) from chat where is_owner",
    "transitions": "count(*) from transition",
    "quarantined": "count(*) from quarantine",
    "files": "count(*) from source",
    "waiting": "(select value::bigint from meta where key = 'waiting')",
    "schema_version": "(select value from meta where key = 'schema_version')",
    "first_at": "min(first_at) from line_total",
    "loaded_at": "max(loaded_at) from source",
}


def totals(con: duckdb.DuckDBPyConnection) -> dict[str, object]:
    """Return how much the store holds, by kind.

    A query each: DuckDB knows the size of a table where nothing else is asked for, and within a bigger query it counts the rows.
    """
    return {name: con.execute(f"select {what}").fetchall()[0][0] for name, what in _TOTALS.items()}
