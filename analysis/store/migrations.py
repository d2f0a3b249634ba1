"""An open store in, the same store at this program's schema version out: ordered steps, all in one transaction."""

from __future__ import annotations

from importlib.resources import files

import duckdb

from analysis.errors import StoreError
from analysis.store.marts import set_meta

STEPS = (
    "001_init.sql",
    "002_live.sql",
    "003_late.sql",
    "004_ahead.sql",
    "005_detail.sql",
    "006_pages.sql",
    "007_action.sql",
    "008_alerts.sql",
    "009_increments.sql",
    "010_observed.sql",
    "011_forgotten.sql",
    "012_measured.sql",
    "013_asked.sql",
    "014_compared.sql",
    "015_unkeyed.sql",
)
"""SQL of each schema version, oldest first: version n is STEPS[n-1]."""
VERSION = len(STEPS)


def version_of(con: duckdb.DuckDBPyConnection, where: str) -> int:
    """Return a store's schema version; 0 for an empty database. Outside of a transaction: asking an empty one would abort it.

    Raises:
        StoreError: the file is a database, but not one of ours.
    """
    try:
        rows = con.execute("select value from meta where key = 'schema_version'").fetchall()
    except (duckdb.CatalogException, duckdb.BinderException):
        # only now: every read would take longer to begin if it asked first what tables there are
        if not con.execute("select table_name from duckdb_tables()").fetchall():
            return 0
        raise StoreError(
            "this is a DuckDB database, but not a store of Line Health", where=where, fix="name another file as --store"
        ) from None
    if not rows or not rows[0][0].isdigit():
        raise StoreError(
            "the store does not say its version", where=where, fix="make it anew: load your exports into a new --store"
        )
    return int(rows[0][0])


def check_version(con: duckdb.DuckDBPyConnection, where: str) -> int:
    """Return a store's version, refusing one that a newer program made.

    Raises:
        StoreError: the store is newer than this program, or not ours.
    """
    version = version_of(con, where)
    if version > VERSION:
        raise StoreError(
            f"the store has version {version}, this program knows {VERSION}",
            where=where,
            fix="update linehealth, or use another --store; nothing was changed",
        )
    return version


def migrate(con: duckdb.DuckDBPyConnection, version: int) -> None:
    """Bring an open store of a version (of ``check_version``) to VERSION; the caller's transaction makes it all or nothing."""
    for name in STEPS[version:]:
        con.execute(files("analysis.store").joinpath("sql", name).read_text("utf-8"))
    if version < VERSION:
        set_meta(con, "schema_version", str(VERSION))
