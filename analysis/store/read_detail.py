"""An open store in, the marts of single chats and of what became of the sends out: filtered and grouped, never a scan of messages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

import duckdb
import polars as pl

from analysis.schema import CHAT_STATE, DELIVERY_DAY, INSTANT
from analysis.store.placed import placed_on
from analysis.store.read import frame_of

OPENED = pl.Schema({"line": pl.String, "opened_by": pl.String, "chats": pl.Int64})
STREAKS = pl.Schema({"line": pl.String, "unanswered": pl.Int64, "chats": pl.Int64})


def _where(tests: dict[str, object]) -> tuple[str, dict[str, object]]:
    """Return a where clause of tests with one parameter each, $1, $2, …, those without a value left out."""
    kept = {test: value for test, value in tests.items() if value is not None}
    parts = [test.replace("?", f"$p{i}") for i, test in enumerate(kept)]
    return " and ".join(["true", *parts]), {f"p{i}": value for i, value in enumerate(kept.values())}


def deliveries(
    con: duckdb.DuckDBPyConnection, *, line: str | None = None, since: date | None = None, until: date | None = None
) -> pl.DataFrame:
    """Return what became of the sends on days in [since, until) as DELIVERY_DAY, in order of its key, nulls first."""
    where, values = _where({"line = ?": line, "day >= ?": since, "day < ?": until})
    order = "line, day, opened_by, service nulls first, failure_code nulls first"
    return frame_of(con, f"select * from delivery_day where {where} order by {order}", DELIVERY_DAY, values)


def chat_states(
    con: duckdb.DuckDBPyConnection,
    *,
    line: str | None = None,
    chat_id: str | None = None,
    active_since: datetime | None = None,
    least_unanswered: int | None = None,
    most: int | None = None,
) -> pl.DataFrame:
    """Return chats as CHAT_STATE: in order of its key, or the ``most`` with the longest unanswered streaks, longest first."""
    where, values = _where(
        {
            "line = ?": line,
            "chat_id = ?": chat_id,
            "greatest(last_sent_at, last_received_at) > ?": active_since,
            "unanswered >= ?": least_unanswered,
        }
    )
    order = "line, chat_id" if most is None else "unanswered desc, last_sent_at desc, line, chat_id limit $most"
    values |= {} if most is None else {"most": most}
    return frame_of(con, f"select * from chat_state where {where} order by {order}", CHAT_STATE, values)


def opened(con: duckdb.DuckDBPyConnection, *, since: datetime, until: datetime) -> pl.DataFrame:
    """Return how many chats were first seen in [since, until), by line and who opened them: OPENED, key (line, opened_by)."""
    sql = """
    select line, opened_by, count(*) as chats from chat_state where first_at >= $since and first_at < $until
    group by line, opened_by order by line, opened_by
    """
    return frame_of(con, sql, OPENED, {"since": since, "until": until})


WITHIN = pl.Schema({"line": pl.String, "start": INSTANT, "at": INSTANT})


def openers_within(con: duckdb.DuckDBPyConnection, spans: Iterable[tuple[str, datetime, datetime]]) -> pl.DataFrame:
    """Return when the opening sends of new conversations in spans [start, end) of lines were sent, in one query: WITHIN, in order of all of it."""
    wanted = {"line": pl.String, "start": INSTANT, "until": INSTANT}
    con.register("span", pl.DataFrame(list(spans), schema=wanted, orient="row"))
    sql = """
    select line, s.start, o.sent_at as "at" from span s join opener o using (line)
    where o.sent_at >= s.start and o.sent_at < s.until order by all
    """
    return frame_of(con, sql, WITHIN)


def first_of_chats(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return each chat by its first message: line, at, recipient (null: unknown), ours (the line opened it); in order of all of these."""
    sql = """
    with told as (  -- a chat that an export names by its recipient only, as the view `messages` names it
      select line, 'r_' || md5(line || '|' || recipient)[:20] as chat_id, recipient
      from (select distinct line, recipient from message where chat_id is null and recipient is not null)
    )
    select s.line, s.first_at as "at", coalesce(c.recipient, t.recipient) as recipient, s.opened_by in ('line', 'moved') as ours
    from chat_state s left join chats c on c.line = s.line and c.chat_id = s.chat_id
      left join told t on t.line = s.line and t.chat_id = s.chat_id order by all
    """
    schema = pl.Schema({"line": pl.String, "at": INSTANT, "recipient": pl.String, "ours": pl.Boolean})
    return frame_of(con, sql, schema)


SAMPLES = pl.Schema(
    {
        "message_id": pl.String,
        "chat_id": pl.String,
        "sent_at": INSTANT,
        "delivered_at": INSTANT,
        "read_at": INSTANT,
        "failed_at": INSTANT,
        "failed": pl.Boolean,
        "failure_code": pl.String,
        "trace_id": pl.String,  # the vendor's, of a failure; null where the export did not tell it
        "service": pl.String,
    }
)
"""Sends as the vendor's support knows them, key message_id."""


def samples(
    con: duckdb.DuckDBPyConnection, *, line: str, since: datetime, until: datetime, failed: bool, most: int
) -> pl.DataFrame:
    """Return the last sends of a line in [since, until), failed ones or the others, at most so many: SAMPLES, oldest first."""
    columns = ", ".join(SAMPLES.names())
    sql = f"""
    select {columns} from (
      select {columns} from ({placed_on(con)})
      where direction = 'outbound' and failed = $failed and sent_at >= $since and sent_at < $until
      order by sent_at desc, message_id limit $most
    ) order by sent_at, message_id
    """
    values = {"line": line, "since": since, "until": until, "failed": failed, "most": most}
    return frame_of(con, sql, SAMPLES, values)


def streaks(con: duckdb.DuckDBPyConnection, *, active_since: datetime) -> pl.DataFrame:
    """Return how many chats with a message after ``active_since`` have how many unanswered turns in a row: STREAKS, key (line, unanswered)."""
    sql = """
    select line, unanswered, count(*) as chats from chat_state where greatest(last_sent_at, last_received_at) > $since
    group by line, unanswered order by line, unanswered
    """
    return frame_of(con, sql, STREAKS, {"since": active_since})


def chats_between(con: duckdb.DuckDBPyConnection, *, line: str, since: datetime, until: datetime) -> pl.DataFrame:
    """Return the chats of a line with a message in [since, until), with what was sent and received then, busiest first; key chat_id."""
    sql = f"""
    with told as (
      select chat_id, count(*) filter (direction = 'outbound') as sends, count(*) filter (direction = 'inbound') as received,
        count(*) filter (failed) as failed, min(sent_at) as first_at, max(sent_at) as last_at
      from ({placed_on(con)}) where line = $line and sent_at >= $since and sent_at < $until group by chat_id
    )
    select t.chat_id, t.sends, t.received, t.failed, t.first_at, t.last_at, s.opened_by, s.first_at >= $since as is_new, s.unanswered, s.health
    from told t left join chat_state s on s.line = $line and s.chat_id = t.chat_id
    order by t.sends desc, t.received desc, t.chat_id
    """
    return frame_of(con, sql, DAY_CHATS, {"line": line, "since": since, "until": until})


DAY_CHATS = pl.Schema(
    {
        "chat_id": pl.String,
        "sends": pl.Int64,
        "received": pl.Int64,
        "failed": pl.Int64,
        "first_at": INSTANT,
        "last_at": INSTANT,
        "opened_by": pl.String,
        "is_new": pl.Boolean,
        "unanswered": pl.Int64,
        "health": pl.String,
    }
)
"""Chats with a message in a period: counts of the period; opened_by, unanswered and health as they stand now."""
