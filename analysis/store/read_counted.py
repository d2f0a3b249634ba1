"""An open store in, what a count of all its messages takes out: groups of lines, how large each is, and which chats may have been moved."""

from __future__ import annotations

import duckdb
import polars as pl

from analysis.schema import CHAT_HEALTH, CHATS, INSTANT, MESSAGES
from analysis.store.placed import all_placed, of_chats, placed_on
from analysis.store.read import frame_of, listed

COUNTED = pl.Schema(
    {
        name: MESSAGES[name]
        for name in (
            "message_id", "line", "chat_id", "direction", "at", "failed", "delivered_at", "read_at", "failed_at", "failure_code", "service",
        )
    }
)  # fmt: skip
"""The columns of MESSAGES that counting takes."""

_HEALTH = pl.Schema([("line", pl.String()), *CHAT_HEALTH.items()])
_ON_LINES = "line between $first and $last and list_contains($lines, line)"
"""Of lines that follow each other only the blocks that can have them are looked at: a store lies in order of line, each load for itself."""


def line_sizes(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return how many messages each line has: line, messages; in order of line. It is to make groups of lines by, and looks at no chat."""
    sql = f"select line, count(*) as messages from ({all_placed(con)}) group by line order by line"
    return frame_of(con, sql, pl.Schema({"line": pl.String, "messages": pl.Int64}))


def messages(con: duckdb.DuckDBPyConnection, lines: list[str], *, columns: pl.Schema = COUNTED) -> pl.DataFrame:
    """Return the placed messages of some lines as MESSAGES, or some ``columns`` of it, in any order."""
    sql = f"select {listed(columns)} from ({placed_on(con, many=True)}) where {_ON_LINES}"
    return frame_of(con, sql, columns, _named(lines))


def chats(con: duckdb.DuckDBPyConnection, lines: list[str]) -> pl.DataFrame:
    """Return the known chats of some lines as CHATS, in any order."""
    return frame_of(con, f"select * from chats where {_ON_LINES}", CHATS, _named(lines))


def chat_health(con: duckdb.DuckDBPyConnection, lines: list[str]) -> pl.DataFrame:
    """Return what is known of the health of the chats of some lines as CHAT_HEALTH and ``line``, in any order."""
    sql = f"""
    select line, chat_id, known_at as "at", health from chat_health
    join (select line, chat_id from chats where {_ON_LINES}) using (chat_id)
    """
    return frame_of(con, sql, _HEALTH, _named(lines))


def _named(lines: list[str]) -> dict[str, object]:
    return {"first": min(lines), "last": max(lines), "lines": lines}


def shared_firsts(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return the chats, with a message, of people who have some on several lines: no other chat was moved (``signals.chats.moved``).

    Returns:
        line, chat_id, recipient, first_at (its first message); in order of line and chat.
    """
    con.execute(
        """
        create or replace temp table shared_chat as
        with shared as (
          select recipient from chats where recipient is not null group by recipient
          having min(line) <> max(line)
        )
        select chat_id, recipient from chats semi join shared using (recipient)
        """
    )
    sql = f"""
    select m.line, m.chat_id, any_value(c.recipient) as recipient, min(m.sent_at) as first_at
    from ({of_chats(con, "shared_chat")}) m join temp.shared_chat c using (chat_id) group by m.line, m.chat_id order by m.line, m.chat_id
    """
    schema = {"line": pl.String, "chat_id": pl.String, "recipient": pl.String, "first_at": INSTANT}
    found = frame_of(con, sql, pl.Schema(schema))
    con.execute("drop table temp.shared_chat")
    return found
