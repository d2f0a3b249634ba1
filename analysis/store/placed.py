"""Some messages named by a query in, the query of the view ``messages`` over these alone out: who asks for some does not look at all."""

from __future__ import annotations

import re

import duckdb

SENT_AT = "coalesce(m.sent_at, m.seen_at, least(m.delivered_at, m.read_at, m.failed_at))"
"""When a message ``m`` of the table ``message`` was sent, as the view ``messages`` has it."""
CHATLESS = "select * from main.message where chat_id is null"


def placed(con: duckdb.DuckDBPyConnection, some: str, *, chats: str = "select * from main.chat") -> str:
    """Return the query of the view ``messages`` over some rows of the table ``message`` (and of ``chat``) only.

    The view finds out each message's line from its chat, so that a filter on it reads every message.

    Args:
        con: an open store.
        some: a query for these rows; the table in it is ``main.message``.
        chats: a query for the chats that they may be in; the table in it is ``main.chat``.
    """
    return view_over(con, "messages", some, chats=chats)


def view_over(con: duckdb.DuckDBPyConnection, view: str, some: str, *, chats: str = "select * from main.chat") -> str:
    """Return the query of a view over some messages and chats only."""
    told = con.execute(f"select sql from duckdb_views() where view_name = '{view}' and not internal").fetchall()[0][0]
    body = re.split(r"(?i)\bas\b", told.rstrip().rstrip(";"), maxsplit=1)[1]
    return f"with message as ({some}), chat as ({chats}) select * from ({body})"


def placed_on(con: duckdb.DuckDBPyConnection, *, many: bool = False) -> str:
    """Return the query of the view ``messages`` over the rows that can be of line $line (of $lines, where ``many``) only; those told without a line are few."""
    own, of_chat = (f"list_contains($lines, {line})" if many else f"{line} = $line" for line in ("line", "c.line"))
    return placed(
        con,
        f"""
        select * from main.message where {own}
        union all
        select m.* from main.message m join main.chat c on c.chat_id = m.chat_id and c.is_owner and {of_chat} where m.line is null
        """,
    )


def has_chatless(con: duckdb.DuckDBPyConnection) -> bool:
    """Say whether any message names no chat."""
    return con.execute("select 1 from message where chat_id is null limit 1").fetchall() != []


def of_chats(con: duckdb.DuckDBPyConnection, named: str) -> str:
    """Return the query of the messages of chats that a temporary table names, and of those that name no chat; of no other."""
    rows = f"select * from main.message semi join temp.{named} using (chat_id)"
    if has_chatless(con):  # one may be of any chat of its recipient
        return placed(con, f"{rows} union all {CHATLESS}")
    return placed(con, rows, chats=f"select * from main.chat semi join temp.{named} using (chat_id)")


def on_lines(con: duckdb.DuckDBPyConnection) -> str:
    """Return the query of line, direction and times of every placed message, without its chat.

    Where no two lines claim one chat, a message stands on the line it names.
    """
    columns = "sent_at, direction, delivered_at, read_at, failed_at"
    if con.execute("select 1 from chat where not is_owner limit 1").fetchall():
        return f"select line, {columns} from messages"
    sent = f"{SENT_AT} as sent_at"
    direction = "coalesce(direction, case when failed_at is not null then 'outbound' end) as direction"
    rest = "delivered_at, read_at, failed_at"
    return f"""
    select * from (
      select line, {sent}, {direction}, {rest} from message m where line is not null
      union all
      select c.line, {sent}, {direction}, {rest} from message m join chat c on c.chat_id = m.chat_id and c.is_owner where m.line is null
    ) where direction is not null and sent_at is not null
    """
