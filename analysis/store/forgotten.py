"""People who asked to be forgotten, in an open store: taken out of the facts, and kept out of every later merge.

Counts stay what they were: a message of a forgotten person keeps its line, its times and its outcome, under a random id in a chat of a
random id; nothing leads from there to the person, the chat or the message of the vendor. What is remembered are keyed names.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import duckdb
import polars as pl

from analysis.store.touched import Touched, keep

GONE = "gone_"
"""Begins the random ids of what a forgotten person leaves."""
Tombstone = Callable[[str], str]
"""Gives the keyed name under which an id is remembered."""


@dataclass(frozen=True)
class Forgotten:
    """What was taken out: chats and messages that lost their names."""

    chats: int
    messages: int


def any_forgotten(con: duckdb.DuckDBPyConnection) -> bool:
    """Return whether somebody was forgotten."""
    return bool(con.execute("select 1 from forgotten limit 1").fetchall())


def forget(con: duckdb.DuckDBPyConnection, recipient: str, tombstone: Tombstone) -> Forgotten:
    """Take one person (a keyed name) out of the facts and remember, by keyed names only, not to let them in again."""
    _remember(con, "recipient", [recipient])
    chats = con.execute(
        """
        select chat_id from chat where recipient = $1
        union select chat_id from message where recipient = $1 and chat_id is not null and not coalesce(is_group, false)
        """,
        [recipient],
    ).fetchall()
    return _take_out(con, [c for (c,) in chats], tombstone, recipient)


def leave_out(con: duckdb.DuckDBPyConnection, tombstone: Tombstone) -> None:
    """Take the facts of forgotten people out of what is staged; a chat that is now known to be theirs is taken out of the store too."""
    people = "recipient in (select name from forgotten where kind = 'recipient')"
    theirs = [
        c
        for (c,) in con.execute(
            f"select chat_id from temp.stage_chat where {people} union select chat_id from temp.stage_message where {people} and chat_id is not null"
        ).fetchall()
    ]
    _remember(con, "chat", map(tombstone, theirs))
    _take_out(con, theirs, tombstone, None)
    chats = "select chat_id as id from temp.stage_message union select chat_id from temp.stage_chat union select chat_id from temp.stage_health"
    # a message that names neither chat nor recipient is known by its id only
    lone = "select message_id as id from temp.stage_message where chat_id is null and recipient is null"
    for kind, ids in (("chat", chats), ("message", lone)):
        told = [i for (i,) in con.execute(f"select distinct id from ({ids}) where id is not null").fetchall()]
        named = pl.DataFrame({"id": told, "name": [tombstone(i) for i in told]}, schema={"id": pl.String, "name": pl.String})  # noqa: F841  # fmt: skip
        con.execute(
            f"create or replace temp table gone_{kind} as select id from named semi join forgotten f on f.kind = '{kind}' and f.name = named.name"
        )
    con.execute(
        f"delete from temp.stage_message where {people} or chat_id in (select id from temp.gone_chat) or message_id in (select id from temp.gone_message)"
    )
    con.execute(f"delete from temp.stage_chat where {people} or chat_id in (select id from temp.gone_chat)")
    con.execute("delete from temp.stage_health where chat_id in (select id from temp.gone_chat)")
    con.execute("drop table temp.gone_chat")
    con.execute("drop table temp.gone_message")


def _remember(con: duckdb.DuckDBPyConnection, kind: str, names: Iterable[str]) -> None:
    stones = pl.DataFrame({"name": list(names)}, schema={"name": pl.String}).with_columns(kind=pl.lit(kind))  # noqa: F841
    con.execute("insert or ignore into forgotten by name select distinct kind, name from stones")


def _take_out(
    con: duckdb.DuckDBPyConnection, chats: list[str], tombstone: Tombstone, recipient: str | None
) -> Forgotten:
    """Give these chats, and all messages in them or to the recipient, random ids, and remember what they were."""
    gone = {c: GONE + secrets.token_hex(10) for c in chats}
    leaving = pl.DataFrame({"chat_id": list(gone), "gone": list(gone.values())}, schema={"chat_id": pl.String, "gone": pl.String})  # noqa: F841  # fmt: skip
    con.execute("create or replace temp table left_chat as select * from leaving")
    con.execute(
        "create or replace temp table left_message as select message_id from message where recipient = ? or chat_id in (select chat_id from temp.left_chat)",
        [recipient],
    )
    messages = [m for (m,) in con.execute("select message_id from temp.left_message").fetchall()]
    _remember(con, "chat", map(tombstone, chats))
    _remember(con, "message", map(tombstone, messages))
    # a message that named no chat goes to the person's chat on its line, known or not
    lines = "select distinct line from message where recipient = ? and chat_id is null and line is not null"
    for (line,) in con.execute(lines, [recipient]).fetchall():
        own = "select min(chat_id) from chat where recipient = ? and line = ? and is_owner"
        known = con.execute(own, [recipient, line]).fetchall()[0][0]
        con.execute(
            "update message set chat_id = ? where recipient = ? and chat_id is null and line = ?",
            [gone.get(known) or GONE + secrets.token_hex(10), recipient, line],
        )
    for table in ("message", "chat", "chat_health"):
        con.execute(f"update {table} set chat_id = g.gone from temp.left_chat g where {table}.chat_id = g.chat_id")
    con.execute("update chat set recipient = null where chat_id in (select gone from temp.left_chat)")
    con.execute(
        f"""
        update message set message_id = '{GONE}' || replace(uuid()::varchar, '-', ''), recipient = null, fingerprint = null, trace_id = null
        from temp.left_message t where message.message_id = t.message_id
        """
    )
    con.execute("delete from pull_mark where chat_id in (select chat_id from temp.left_chat)")
    rewrite_audits(con, gone)
    con.execute("drop table temp.left_chat")
    con.execute("drop table temp.left_message")
    if chats or messages:
        keep(con, Touched(whole=True))
    return Forgotten(len(chats), len(messages))


def rewrite_audits(con: duckdb.DuckDBPyConnection, names: dict[str, str]) -> None:
    """Replace names in the vendor's audits as they are kept."""
    for audit_id, document in con.execute("select audit_id, document from audit where document is not null").fetchall():
        told = document
        for old, new in names.items():
            if f'"{old}"' in told:
                told = told.replace(f'"{old}"', f'"{new}"')
        if told != document:
            con.execute("update audit set document = ? where audit_id = ?", [told, audit_id])
