"""Names of spool files in; which of them are in the store out: what keeps counts right after a crash between store and removal."""

from __future__ import annotations

import duckdb

_PULL = "pull-"
"""Names that a pull keeps here for itself."""


def known(con: duckdb.DuckDBPyConnection) -> set[str]:
    """Return the names of spool files whose facts are in the store."""
    return {name for (name,) in con.execute("select segment from folded").fetchall()}


def keep(con: duckdb.DuckDBPyConnection, names: list[str], *, there: list[str]) -> None:
    """Note spool files as folded, in the transaction that holds their facts; forget those that are no longer ``there``."""
    held = set(there)
    con.executemany(
        "delete from folded where segment = ?",
        [[n] for n in known(con) if n not in held and not n.startswith(_PULL)] or [[""]],
    )
    con.executemany("insert into folded values (?)", [[n] for n in names])


def read_before(con: duckdb.DuckDBPyConnection, source_id: str) -> int:
    """Return how many deliveries of a day of the receiver are in the store already."""
    rows = con.execute("select read from source where source_id = ?", [source_id]).fetchall()
    return int(rows[0][0]) if rows else 0
