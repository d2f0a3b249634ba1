"""An open store in, what a count of all its messages takes out: groups of lines, how large each is, and which chats may have been moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import duckdb
import polars as pl

from analysis.schema import CHAT_HEALTH, CHATS, INSTANT, MESSAGES
from analysis.store.placed import all_placed, of_chats, placed, placed_on, plain
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

_TOGETHER = 1_000_000
"""Chats of people with several lines that are in memory together."""
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


def shared_firsts(con: duckdb.DuckDBPyConnection, groups: Iterable[list[str]]) -> Iterator[pl.DataFrame]:
    """Yield the chats, with a message, of people who have some on several lines: no other chat was moved (``signals.chats.moved``).

    Args:
        con: an open store.
        groups: all lines, in groups whose first messages are looked for together.

    Yields:
        line, chat_id, recipient (a number a person), first_at (its first message), any order; of each person all at once.
    """
    con.execute(
        """
        create or replace temp table shared_chat as
        with shared as (
          select recipient, row_number() over () as person from (
            select recipient from chats where recipient is not null group by recipient having min(line) <> max(line)
          )
        )
        select line, chat_id, person from chats join shared using (recipient) order by line
        """
    )
    con.execute(
        "create or replace temp table shared_first (line varchar, chat_id varchar, recipient bigint, first_at timestamp_ms)"
    )
    put = "insert into temp.shared_first select m.line, m.chat_id, c.person, min(m.sent_at) from ({}) m join ({}) c using (chat_id) group by all"
    if plain(con):
        some = "line between $first and $last"
        messages = placed(con, f"select * from main.message where {some}")
        for lines in groups:
            chats_of = f"select * from temp.shared_chat where {some}"
            con.execute(put.format(messages, chats_of), {"first": min(lines), "last": max(lines)})
    else:
        con.execute(put.format(of_chats(con, "shared_chat"), "temp.shared_chat"))
    ((size,),) = con.execute("select count(*) from temp.shared_first").fetchall()
    parts = 1 + size // _TOGETHER
    schema = pl.Schema({"line": pl.String, "chat_id": pl.String, "recipient": pl.Int64, "first_at": INSTANT})
    for part in range(parts):
        yield frame_of(con, f"select * from temp.shared_first where recipient % {parts} = {part}", schema)
    for table in ("shared_chat", "shared_first"):
        con.execute(f"drop table temp.{table}")


def keep_moved(con: duckdb.DuckDBPyConnection, parts: Iterable[pl.DataFrame]) -> None:
    """Keep for this connection which chats were moved from another line (line, chat_id), for ``moved_on``."""
    con.execute("create or replace temp table moved_part (line varchar, chat_id varchar)")
    for part in parts:
        con.execute("insert into temp.moved_part select line, chat_id from part")
        del part
    con.execute("create or replace temp table moved_chat as select * from temp.moved_part order by line")
    con.execute("drop table temp.moved_part")


def moved_on(con: duckdb.DuckDBPyConnection, lines: list[str]) -> pl.DataFrame:
    """Return those of some lines: line, chat_id."""
    schema = pl.Schema({"line": pl.String, "chat_id": pl.String})
    return frame_of(con, f"select * from temp.moved_chat where {_ON_LINES}", schema, _named(lines))


def forget_moved(con: duckdb.DuckDBPyConnection) -> None:
    """Let go of what ``keep_moved`` kept."""
    con.execute("drop table temp.moved_chat")
