"""Names of people in an open store: brought forward when the key was rotated, taken out when somebody is to be forgotten.

Counts stay what they were: a message of a forgotten person keeps its line, its times and its outcome, under a random id in a chat of a
random id; nothing leads from there to the person, the chat or the message of the vendor.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import duckdb
import polars as pl

from analysis.store.load import IDENTITY, NAMED
from analysis.store.touched import Touched, keep

GENERATION = "key_generation"
GONE = "gone_"
"""Begins the random ids of what a forgotten person leaves."""
_KEYED = "'[phft]_[0-9a-f]{20}'"
_COLUMNS = (
    ("message", "recipient"), ("message", "fingerprint"), ("message", "message_id"), ("message", "chat_id"), ("chat", "recipient"),
    ("chat", "chat_id"), ("chat_health", "chat_id"), ("pull_mark", "chat_id"), ("audit", "audit_id"), ("forgotten", "name"),
)  # fmt: skip
"""Where a keyed name may stand; marts are made again, documents are rewritten word by word."""


@dataclass(frozen=True)
class Forgotten:
    """What was taken out: chats and messages that lost their names."""

    chats: int
    messages: int


def generation(con: duckdb.DuckDBPyConnection) -> int:
    """Return with how many keys the names in a store were made."""
    rows = con.execute("select value from meta where key = ?", [GENERATION]).fetchall()
    return int(rows[0][0]) if rows else 1


def keep_generation(con: duckdb.DuckDBPyConnection, number: int) -> None:
    """Say with how many keys the names in a store are made."""
    con.execute("insert or replace into meta values (?, ?)", [GENERATION, str(number)])


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
        con.execute(
            f"update {table} set {column} = r.new from temp.renamed r where {table}.{column} = r.old"
        )
    con.execute(
        f"update message set message_id = 'x_' || md5({NAMED} || '|' || o.k::varchar) from temp.own_id o where message.message_id = o.message_id"
    )
    _rewrite(con, dict(names.iter_rows()))
    con.execute("drop table temp.renamed")
    con.execute("drop table temp.own_id")
    keep(con, Touched(whole=True))
    return names.height


def forget(con: duckdb.DuckDBPyConnection, recipient: str, tombstone: Callable[[str], str]) -> Forgotten:
    """Take one person (a keyed name) out of the facts and remember, by keyed names only, not to let them in again."""
    con.execute(
        """
        create or replace temp table theirs as
        select distinct chat_id from chat where recipient = $1
        union select distinct chat_id from message where recipient = $1 and chat_id is not null and not coalesce(is_group, false)
        """,
        [recipient],
    )
    con.execute(
        "create or replace temp table their_message as select message_id from message where recipient = ? or chat_id in (select chat_id from temp.theirs)",
        [recipient],
    )
    chats = [c for (c,) in con.execute("select chat_id from temp.theirs").fetchall()]
    messages = [m for (m,) in con.execute("select message_id from temp.their_message").fetchall()]
    stones = pl.DataFrame(  # noqa: F841  # read by DuckDB under its name
        [("recipient", recipient), *(("chat", tombstone(c)) for c in chats), *(("message", tombstone(m)) for m in messages)],
        schema={"kind": pl.String, "name": pl.String},
        orient="row",
    )
    con.execute("insert or ignore into forgotten select * from stones")
    # one random name a chat; a message that named no chat goes to the person's chat on its line, known or not
    gone = {c: GONE + secrets.token_hex(10) for c in chats}
    leaving = pl.DataFrame({"chat_id": list(gone), "gone": list(gone.values())}, schema={"chat_id": pl.String, "gone": pl.String})  # noqa: F841  # fmt: skip
    con.execute("create or replace temp table left_chat as select * from leaving")
    lines = [x for (x,) in con.execute("select distinct line from message where recipient = ? and chat_id is null", [recipient]).fetchall()]  # fmt: skip
    for line in lines:
        known = con.execute(
            "select min(chat_id) from chat where recipient = ? and line = ? and is_owner", [recipient, line]
        ).fetchall()[0][0]
        con.execute(
            "update message set chat_id = ? where recipient = ? and chat_id is null and line = ?",
            [gone.get(known) or GONE + secrets.token_hex(10), recipient, line],
        )
    for table in ("message", "chat", "chat_health"):
        con.execute(f"update {table} set chat_id = g.gone from temp.left_chat g where {table}.chat_id = g.chat_id")
    con.execute("update chat set recipient = null where recipient = ?", [recipient])
    con.execute(
        f"""
        update message set message_id = '{GONE}' || replace(uuid()::varchar, '-', ''), recipient = null, fingerprint = null, trace_id = null
        from temp.their_message t where message.message_id = t.message_id
        """
    )
    con.execute("delete from pull_mark where chat_id in (select chat_id from temp.theirs)")
    _rewrite(con, gone)
    for name in ("theirs", "their_message", "left_chat"):
        con.execute(f"drop table temp.{name}")
    keep(con, Touched(whole=True))
    return Forgotten(len(chats), len(messages))


def _rewrite(con: duckdb.DuckDBPyConnection, names: dict[str, str]) -> None:
    """Replace names in the vendor's audits as they are kept."""
    for audit_id, document in con.execute("select audit_id, document from audit where document is not null").fetchall():
        told = document
        for old, new in names.items():
            if f'"{old}"' in told:
                told = told.replace(f'"{old}"', f'"{new}"')
        if told != document:
            con.execute("update audit set document = ? where audit_id = ?", [told, audit_id])


def is_empty(con: duckdb.DuckDBPyConnection) -> bool:
    """Return whether a store holds no message and no chat."""
    return not con.execute("select 1 from message union all select 1 from chat limit 1").fetchall()


def any_forgotten(con: duckdb.DuckDBPyConnection) -> bool:
    """Return whether somebody was forgotten."""
    return bool(con.execute("select 1 from forgotten limit 1").fetchall())
