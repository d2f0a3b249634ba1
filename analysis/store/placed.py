"""Some messages named by a query in, the query of the view ``messages`` over these alone out: who asks for some does not look at all."""

from __future__ import annotations

import re

import duckdb

SENT_AT = "coalesce(m.sent_at, m.seen_at, least(m.delivered_at, m.read_at, m.failed_at))"
"""When a message ``m`` of the table ``message`` was sent, as the view ``messages`` has it."""
CHATLESS = "select * from main.message where chat_id is null"


def placed(con: duckdb.DuckDBPyConnection, some: str, *, chats: str = "select * from main.chat") -> str:
    """Return the query of the view ``messages`` over some rows of the table ``message`` (and of ``chat``) only.

    The view finds out each message's line from its chat, so that a filter on it reads every message, and every chat. Nearly every message
    names both itself: only the others are placed by the view.

    Args:
        con: an open store.
        some: a query for these rows; the table in it is ``main.message``.
        chats: a query for the chats that they may be in; the table in it is ``main.chat``.
    """
    odd = _odd(con)
    if not odd:
        return _at_once(some)
    rest = view_over(con, "messages", f"select * from ({some}) where {odd}", chats=chats)
    return f"{_at_once(f'select * from ({some}) where not ({odd})')} union all ({rest})"


def _at_once(some: str) -> str:
    """Return the query of the view over messages that name line and chat themselves, where no other line claims that chat."""
    return f"""
    select * from (
      select message_id, line, chat_id, coalesce(direction, case when failed_at is not null then 'outbound' end) as direction, {SENT_AT} as sent_at,
        coalesce(direction, 'outbound') = 'outbound' and failed_at is not null and delivered_at is null and read_at is null as failed,
        delivered_at, read_at, failed_at, failure_code, service, coalesce(is_group, false) as is_group, fingerprint, trace_id
      from ({some}) m
    ) where direction is not null and sent_at is not null
    """


def plain(con: duckdb.DuckDBPyConnection) -> bool:
    """Say whether every message names its line and chat itself, and no other line claims that chat."""
    return not _odd(con)


def _odd(con: duckdb.DuckDBPyConnection) -> str:
    """Return what is true of the messages that only the view can place; nothing where there are none."""
    odd = [f"{column} is null" for column in ("line", "chat_id") if _any(con, f"message where {column} is null")]
    if _any(con, "chat where not is_owner"):
        odd.append("chat_id in (select chat_id from main.chat where not is_owner)")
    return " or ".join(odd)


def _any(con: duckdb.DuckDBPyConnection, rows: str) -> bool:
    return con.execute(f"select 1 from {rows} limit 1").fetchall() != []


def view_over(con: duckdb.DuckDBPyConnection, view: str, some: str, *, chats: str = "select * from main.chat") -> str:
    """Return the query of a view over some messages and chats only."""
    told = con.execute(f"select sql from duckdb_views() where view_name = '{view}' and not internal").fetchall()[0][0]
    body = re.split(r"(?i)\bas\b", told.rstrip().rstrip(";"), maxsplit=1)[1]
    return f"with message as ({some}), chat as ({chats}) select * from ({body})"


def placed_on(con: duckdb.DuckDBPyConnection, *, many: bool = False) -> str:
    """Return the query of the view ``messages`` over the rows that can be of line $line (of $lines, where ``many``) only; those told without a line are few."""
    own, of_chat = (f"list_contains($lines, {line})" if many else f"{line} = $line" for line in ("line", "c.line"))
    rows = f"select * from main.message where {own}"
    if _any(con, "message where line is null"):
        rows += f"""
        union all
        select m.* from main.message m join main.chat c on c.chat_id = m.chat_id and c.is_owner and {of_chat} where m.line is null
        """
    return placed(con, rows)


def has_chatless(con: duckdb.DuckDBPyConnection) -> bool:
    """Say whether any message names no chat."""
    return _any(con, "message where chat_id is null")


def of_chats(con: duckdb.DuckDBPyConnection, named: str) -> str:
    """Return the query of the messages of chats that a temporary table names, and of those that name no chat; of no other."""
    rows = f"select * from main.message semi join temp.{named} using (chat_id)"
    if has_chatless(con):  # one may be of any chat of its recipient
        return placed(con, f"{rows} union all {CHATLESS}")
    return placed(con, rows, chats=f"select * from main.chat semi join temp.{named} using (chat_id)")


def all_placed(con: duckdb.DuckDBPyConnection) -> str:
    """Return the query of the view ``messages`` over all messages."""
    return placed(con, "select * from main.message")
