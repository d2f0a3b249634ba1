"""A damaged store in, the facts that can still be read of it in a new one out: table by table, since each block has its own checksum."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from analysis.store import migrations, people

FROM_FILES = ("message", "chat", "chat_health", "change", "source", "quarantine")
"""Tables that loading the same files again fills again, together with what came from the API and the receiver."""
OTHERS = ("setting", "action", "audit", "alert", "observation", "folded", "pull_mark", "pull_run", "forgotten")
"""Facts that no file holds. All else is derived."""


def is_sound(path: Path) -> bool:
    """Return whether every table of a store can be read to its end; reads all of it."""
    try:
        con = duckdb.connect(str(path), read_only=True)
    except duckdb.Error:
        return False
    try:
        for (table,) in con.execute("select table_name from duckdb_tables()").fetchall():
            con.execute(f'select hash(columns(*)) from "{table}"').fetchmany(1)
            con.execute(f'select bit_xor(hash(t)) from "{table}" t').fetchall()
        return migrations.version_of(con, str(path)) > 0
    except duckdb.Error:
        return False
    finally:
        con.close()


def save(con: duckdb.DuckDBPyConnection, broken: Path) -> dict[str, int | None]:
    """Copy facts out of a damaged store into an open, empty one: rows by table, None where a table cannot be read."""
    told: dict[str, int | None] = dict.fromkeys((*FROM_FILES, *OTHERS))
    for table in told:
        rows = _read(broken, table)
        if rows is None:
            continue
        there = {c for (c,) in con.execute(f"select column_name from (describe {table})").fetchall()}
        columns = ", ".join(c for c in rows.columns if c in there)
        con.execute(f"insert into {table} ({columns}) select {columns} from rows")
        told[table] = rows.height
    return told


def generation(broken: Path) -> int | None:
    """Return by which generation of keys a damaged store names people; None where that cannot be read."""
    try:
        with duckdb.connect(str(broken), read_only=True) as con:
            return people.generation(con)
    except duckdb.Error:
        return None


def _read(broken: Path, table: str):  # type: ignore[no-untyped-def]  # a Polars frame, or None
    """Return one table; a connection each, because DuckDB closes a database at its first bad block."""
    try:
        with duckdb.connect(str(broken), read_only=True) as con:
            con.execute("set TimeZone = 'UTC'")
            return con.sql(f'select * from "{table}"').pl()
    except duckdb.Error:
        return None


def forget_files(con: duckdb.DuckDBPyConnection, source_ids: list[str]) -> None:
    """Let files be loaded again, and chats be pulled again; facts that are there stay: read twice, they count once."""
    for table in ("source", "quarantine"):
        con.execute(f"delete from {table} where list_contains(?, source_id)", [source_ids])
    con.execute("delete from pull_mark")


def swap(rebuilt: Path, store: Path) -> Path:
    """Put a rebuilt store in the place of a damaged one, which is kept beside it; returns where."""
    beside = store.with_name(f"{store.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}")
    try:
        os.link(store, beside)  # at every moment there is a file under the store's name
    except OSError:
        shutil.copyfile(store, beside)
    beside.chmod(0o600)
    rebuilt.replace(store)
    Path(f"{store}.wal").unlink(missing_ok=True)
    return beside
