"""Names of people in an open store brought forward when the key was rotated, and with how many keys they are made."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import polars as pl

from analysis.store.fields import IDENTITY, NAMED
from analysis.store.forgotten import rewrite_audits
from analysis.store.marts import set_meta
from analysis.store.touched import Touched, keep

GENERATION = "key_generation"
_KEYED = "'[phft]_[0-9a-f]{20}'"
_COLUMNS = (
    ("message", "recipient"), ("message", "fingerprint"), ("message", "message_id"), ("message", "chat_id"), ("chat", "recipient"),
    ("chat", "chat_id"), ("chat_health", "chat_id"), ("pull_mark", "chat_id"), ("audit", "audit_id"), ("forgotten", "name"),
)  # fmt: skip
"""Where a keyed name may stand; marts are made again, documents are rewritten word by word."""


def generation(con: duckdb.DuckDBPyConnection) -> int:
    """Return with how many keys the names in a store were made."""
    rows = con.execute("select value from meta where key = ?", [GENERATION]).fetchall()
    return int(rows[0][0]) if rows else 1


def keep_generation(con: duckdb.DuckDBPyConnection, number: int) -> None:
    """Say with how many keys the names in a store are made."""
    set_meta(con, GENERATION, str(number))


def rename(con: duckdb.DuckDBPyConnection, new: Callable[[str], str]) -> int:
    """Give every keyed name in the facts its new one, and rows without an id the id that a load would now give them; returns how many."""
    # an id made of a row's own cells is made of its new names from now on: which of several equal rows it was is found by trying
    con.execute(
        f"""
        create or replace temp table own_id as
        select message_id, k from (
          select message_id, {NAMED} as cells, count(*) over (partition by {IDENTITY}) as n from message where message_id like 'x\\_%' escape '\\'
        ), unnest(range(1, n + 1)) as ks(k)
        where message_id = 'x_' || md5(cells || '|' || k::varchar)
        """
    )
    every = " union ".join(f"select {c} as old from {t} where regexp_full_match({c}, {_KEYED})" for t, c in _COLUMNS)
    old = [name for (name,) in con.execute(every).fetchall()]
    names = pl.DataFrame({"old": old, "new": [new(name) for name in old]}, schema={"old": pl.String, "new": pl.String})
    con.execute("create or replace temp table renamed as select * from names")
    for table, column in _COLUMNS:
        con.execute(f"update {table} set {column} = r.new from temp.renamed r where {table}.{column} = r.old")
    con.execute(
        f"update message set message_id = 'x_' || md5({NAMED} || '|' || o.k::varchar) from temp.own_id o where message.message_id = o.message_id"
    )
    rewrite_audits(con, dict(names.iter_rows()))
    con.execute("drop table temp.renamed")
    con.execute("drop table temp.own_id")
    keep(con, Touched(whole=True))
    return names.height


def is_empty(con: duckdb.DuckDBPyConnection) -> bool:
    """Return whether a store holds no message and no chat."""
    return not con.execute("select 1 from message union all select 1 from chat limit 1").fetchall()
