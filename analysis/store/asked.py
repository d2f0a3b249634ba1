"""What all lines tell together as kept in and out, and the chats of some lines with anything since a time out: what explanations read of a store."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import polars as pl

from analysis.schema import CHAT_HEALTH, CHATS, MESSAGES
from analysis.store import read, read_counted
from analysis.store.placed import SENT_AT, of_chats, placed

TABLES = {
    "asked_line": None,
    "asked_day": "day",
    "asked_service": "day",
    "asked_hour": "hour",
    "expected_receipt": "sent_at",
}
"""What is kept, and the column that says when."""
_EXPECTED = pl.Schema({"line": pl.String, "at": pl.Int64, "silent": pl.Boolean})
_PART = 4_000_000
"""Expected receipts that are read together: 0.1 GB while they are put in order."""
_SENDS = pl.Schema({"line": pl.String, "at": pl.Int64, "receipt": pl.Int64, "failed": pl.Int64})


def lines(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return the first message and the day of the first ask of each line, in order of line."""
    return con.sql("select * from asked_line order by line").pl()


def days(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return what pooled rates rest on by line and day, in order of both."""
    return con.sql("select * from asked_day order by line, day").pl()


def services(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return what pooled rates by service rest on, by line and day, in any order."""
    return con.sql("select * from asked_service").pl()


def hours(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return asks and answers by line and hour, in any order."""
    return con.sql("select * from asked_hour").pl()


def expected_size(con: duckdb.DuckDBPyConnection) -> int:
    """Return of how many sends a receipt was to be expected."""
    return int(con.execute("select count(*) from expected_receipt").fetchall()[0][0])


def expected(con: duckdb.DuckDBPyConnection) -> Iterator[pl.DataFrame]:
    """Yield these sends in order of time, some at a time: at (ms since 1970), silent."""
    ((first, last),) = con.execute(
        "select epoch_ms(min(sent_at)), epoch_ms(max(sent_at)) from expected_receipt"
    ).fetchall()
    if first is None:
        return
    step = (last - first) // (1 + expected_size(con) // _PART) + 1
    sql = 'select epoch_ms(sent_at) as "at", silent from expected_receipt where sent_at >= make_timestamp_ms({}) and sent_at < make_timestamp_ms({})'
    for begin in range(first, last + 1, step):
        yield con.sql(sql.format(begin, begin + step)).pl().sort("at")  # sooner than by the database


def expected_of(con: duckdb.DuckDBPyConnection, since: pl.DataFrame) -> pl.DataFrame:
    """Return the same of some lines, each from an instant on (SINCE): line, at (ms since 1970), silent; any order."""
    con.register("expected_since_now", since)
    try:
        sql = 'select line, epoch_ms(sent_at) as "at", silent from expected_receipt join expected_since_now s using (line) where sent_at >= s.since'
        return read.frame_of(con, sql, _EXPECTED)
    finally:
        con.unregister("expected_since_now")


def expected_between(con: duckdb.DuckDBPyConnection, first: int, last: int) -> pl.DataFrame:
    """Return the same of all lines between two times (ms): line, at, silent; any order."""
    sql = 'select line, epoch_ms(sent_at) as "at", silent from expected_receipt where sent_at between make_timestamp_ms($first) and make_timestamp_ms($last)'
    return read.frame_of(con, sql, _EXPECTED, {"first": first, "last": last})


def sends_between(con: duckdb.DuckDBPyConnection, first: int, last: int) -> pl.DataFrame:
    """Return the sends of all lines between two times (ms): line, at, receipt (the first one), failed (ms or null); any order."""
    some = f"select m.* from main.message m where m.chat_id is null or {SENT_AT} between make_timestamp_ms($first) and make_timestamp_ms($last)"
    sql = f"""
    select line, epoch_ms(sent_at) as "at", epoch_ms(least(delivered_at, read_at)) as receipt,
      epoch_ms(case when failed then coalesce(failed_at, sent_at) else failed_at end) as failed
    from ({placed(con, some)}) where direction = 'outbound' and line is not null and chat_id is not null
      and sent_at between make_timestamp_ms($first) and make_timestamp_ms($last)
    """
    return read.frame_of(con, sql, _SENDS, {"first": first, "last": last})


def clear(con: duckdb.DuckDBPyConnection) -> None:
    """Let go of all that is kept."""
    for table in TABLES:
        con.execute(f"delete from {table}")


def add(con: duckdb.DuckDBPyConnection, table: str, frame: pl.DataFrame) -> None:
    """Keep the rows of a frame with the columns of a table (``at`` where that has ``sent_at``)."""
    if frame.height:
        frame = frame.rename({"at": "sent_at"}, strict=False)
        con.execute(f"insert into {table} by name select * from frame")


def replace_since(con: duckdb.DuckDBPyConnection, since: pl.DataFrame, frames: dict[str, pl.DataFrame]) -> None:
    """Replace the rows of some lines, of each from a day on, by those of frames; these may hold earlier ones, which are left out.

    Args:
        con: a store open for writing.
        since: SINCE (``since``), each the begin of a UTC day.
        frames: each table's name to its rows; ``asked_line`` is replaced whole for the lines of these.
    """
    con.register("asked_since_now", since)
    try:
        for table, frame in frames.items():
            when, frame = TABLES[table], frame.rename({"at": "sent_at"}, strict=False)
            if when is None:
                con.execute(f"delete from {table} where line in (select line from frame)")
                con.execute(f"insert into {table} by name select * from frame")
                continue
            begin = "s.since::date" if when == "day" else "s.since"
            con.execute(
                f"delete from {table} using asked_since_now s where {table}.line = s.line and {table}.{when} >= {begin}"
            )
            con.execute(
                f"insert into {table} by name select f.* from frame f join asked_since_now s on f.line = s.line where f.{when} >= {begin}"
            )
    finally:
        con.unregister("asked_since_now")


def unnamed(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the lines with messages that name no chat: which chat has them rests on all of the line's."""
    sql = "select distinct line from message where chat_id is null and line is not null order by line"
    return [line for (line,) in con.execute(sql).fetchall()]


def want(con: duckdb.DuckDBPyConnection, since: pl.DataFrame) -> dict[str, int]:
    """Collect the chats of some lines with a message or a report since a time; returns how many messages each line has in them, by ``chat_state``.

    Args:
        con: a store open for writing.
        since: SINCE (``since``), each the begin of a UTC day.
    """
    con.register("asked_since_now", since)
    con.execute("create or replace temp table asked_since as select * from asked_since_now")
    con.unregister("asked_since_now")
    ((least,),) = con.execute("select min(since) from temp.asked_since").fetchall()
    con.execute(
        f"""
        create or replace temp table asked_chat as
        select s.chat_id from chat_state s join temp.asked_since a on a.line = s.line where greatest(s.last_sent_at, s.last_received_at) >= a.since
        union
        select distinct h.chat_id from chat_health h left join chat c on c.chat_id = h.chat_id and c.is_owner
        left join temp.asked_since s on s.line = c.line
        where h.known_at >= '{least}'::timestamp_ms and (c.line is null or h.known_at >= s.since)
        """
    )
    con.execute(
        "create or replace temp table asked_chats as select * from chats semi join temp.asked_chat using (chat_id)"
    )
    con.execute(
        "create or replace temp table asked_health as select * from chat_health semi join temp.asked_chat using (chat_id)"
    )
    sql = """
    select line, sum(sends + received)::bigint from chat_state semi join temp.asked_chat using (chat_id) semi join temp.asked_since using (line)
    group by line order by line
    """
    return dict(con.execute(sql).fetchall())


def wanted(con: duckdb.DuckDBPyConnection, lines: list[str]) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return MESSAGES (in any order), CHATS and CHAT_HEALTH of the collected chats of some lines."""
    sql = f"select {read.listed(MESSAGES)} from ({of_chats(con, 'asked_chat')}) where list_contains($lines, line)"
    messages = read.frame_of(con, sql, MESSAGES, {"lines": lines})
    return messages, *_chats_of(con, messages, "temp.asked_chats", "temp.asked_health")


def of_lines(con: duckdb.DuckDBPyConnection, lines: list[str]) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return all MESSAGES (in any order), CHATS and CHAT_HEALTH of some lines, without a look at those of others."""
    messages = read_counted.messages(con, lines, columns=MESSAGES)
    return messages, *_chats_of(con, messages, "chats", "chat_health")


def _chats_of(
    con: duckdb.DuckDBPyConnection, messages: pl.DataFrame, chats: str, health: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return CHATS and CHAT_HEALTH of the chats of messages, from two tables that have them."""
    con.register("of_messages_now", messages.select("chat_id").unique())
    try:
        theirs = "semi join of_messages_now using (chat_id)"
        return (
            read.frame_of(con, f"select * from {chats} {theirs} order by chat_id", CHATS),
            read.frame_of(
                con, f'select chat_id, known_at as "at", health from {health} {theirs} order by all', CHAT_HEALTH
            ),
        )
    finally:
        con.unregister("of_messages_now")


def done(con: duckdb.DuckDBPyConnection) -> None:
    """Let go of what ``want`` collected."""
    for name in ("asked_since", "asked_chat", "asked_chats", "asked_health"):
        con.execute(f"drop table temp.{name}")
