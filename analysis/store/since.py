"""Lines and the instants from which to count them again in, the messages that takes out; and marts replaced from there on."""

from __future__ import annotations

from datetime import datetime

import duckdb
import polars as pl

from analysis.schema import CHAT_HEALTH, CHATS, INSTANT
from analysis.store.placed import CHATLESS, all_placed, has_chatless, of_chats, placed
from analysis.store.read import frame_of, listed
from analysis.store.read_counted import COUNTED

SINCE = pl.Schema({"line": pl.String, "since": INSTANT})
"""Lines, and the instant from which on something is to be looked at again, key line."""
WANTED = pl.Schema(
    {
        "line": pl.String,
        "day": pl.Date,  # the first day to count again, in the store's zone
        "since": INSTANT,  # when it begins
        "whole_from": INSTANT,  # a chat with a message from then on is wanted with all its messages
        "seen_from": INSTANT,  # of other chats the last message is wanted from then on
    }
)
"""Lines to count again, key line; EVER in all columns: from the beginning."""
_SENDS = pl.Schema(
    {
        "line": pl.String,
        "at": INSTANT,
        "opened_by": pl.String,
        "service": pl.String,
        "told_failed": pl.Boolean,
        "received": pl.Boolean,
        "delivered_at": INSTANT,
    }
)
_TIMED = {
    "signal_day": "day",
    "signal_hour": "hour",
    "delivery_day": "day",
    "opener": "sent_at",
    "failure_hour": "hour",
}
"""Marts of which the rows from an instant on are replaced, and the column that says when."""


def want(con: duckdb.DuckDBPyConnection, wanted: pl.DataFrame, chats: list[str]) -> dict[str, int]:
    """Collect the messages that counting again takes, for ``messages`` and the others here; returns how many each line has.

    A chat with a message from ``whole_from`` on, or named, comes with all its messages: what a send is depends on what went before it in its
    chat. Of any other chat it only matters whether it is active: one message, at the time of its last one where that is not before
    ``seen_from``, stands for it. It is a reply, since a reply counts in nothing on later days.

    Args:
        con: a store open for writing.
        wanted: WANTED.
        chats: chats of these lines that are wanted whatever their last message.
    """
    named = pl.DataFrame({"chat_id": chats}, schema={"chat_id": pl.String})
    con.register("wanted_now", wanted)
    con.register("named_now", named)
    con.execute("create or replace temp table wanted as select * from wanted_now")
    con.execute("create or replace temp table named_chat as select distinct chat_id from named_now")
    con.unregister("wanted_now")
    con.unregister("named_now")
    # the mart tells the last message of each chat of which nothing is new; the others are named
    con.execute(
        """
        create or replace temp table whole_chat as
        select s.line, s.chat_id from chat_state s join temp.wanted w on s.line = w.line where greatest(s.last_sent_at, s.last_received_at) >= w.whole_from
        union select c.line, c.chat_id from chats c semi join temp.wanted w on c.line = w.line semi join temp.named_chat n on c.chat_id = n.chat_id
        """
    )
    if has_chatless(con):
        con.execute(
            f"""
            insert into temp.whole_chat
            select m.line, m.chat_id from ({placed(con, CHATLESS)}) m join temp.wanted w on m.line = w.line where m.sent_at >= w.whole_from
            except select * from temp.whole_chat
            """
        )
    con.execute(
        f"""
        create or replace temp table needed as
        select {listed(COUNTED, at="sent_at")} from ({of_chats(con, "whole_chat")}) m semi join temp.whole_chat c on c.line = m.line and c.chat_id = m.chat_id
        union all by name
        select '' as message_id, s.line, s.chat_id, 'inbound' as direction, greatest(s.last_sent_at, s.last_received_at) as sent_at, false as failed
        from chat_state s join temp.wanted w on s.line = w.line anti join temp.whole_chat c on c.line = s.line and c.chat_id = s.chat_id
        where greatest(s.last_sent_at, s.last_received_at) >= w.seen_from
        """
    )
    con.execute(
        """
        create or replace temp table needed_chat as
        select chat_id from temp.whole_chat union select chat_id from temp.needed where message_id = ''
        """
    )
    return dict(con.execute("select line, count(*) from temp.needed group by line order by line").fetchall())


def messages(con: duckdb.DuckDBPyConnection, lines: list[str]) -> pl.DataFrame:
    """Return the wanted messages of some lines as COUNTED, in any order."""
    sql = f"select {listed(COUNTED)} from temp.needed where list_contains($lines, line)"
    return frame_of(con, sql, COUNTED, {"lines": lines})


def chats(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return the chats of the wanted messages as CHATS."""
    return frame_of(con, "select * from chats semi join temp.needed_chat using (chat_id) order by chat_id", CHATS)


def chat_health(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return what is known of the health of these chats as CHAT_HEALTH."""
    sql = 'select chat_id, known_at as "at", health from chat_health semi join temp.needed_chat using (chat_id) order by all'
    return frame_of(con, sql, CHAT_HEALTH)


def done(con: duckdb.DuckDBPyConnection) -> None:
    """Let go of what ``want`` collected."""
    for name in ("wanted", "named_chat", "whole_chat", "needed", "needed_chat"):
        con.execute(f"drop table temp.{name}")


def clear_since(con: duckdb.DuckDBPyConnection) -> None:
    """Let go, on the wanted lines, of the rows of marts from ``since`` on: room for ``add_since``.

    Of ``chat_state`` those of the wanted whole chats; a line that is wanted from the beginning loses all its rows.
    """
    con.execute(
        """
        delete from chat_state using temp.wanted w
        where chat_state.line = w.line and (
          w.since = '1970-01-01' or exists (select 1 from temp.whole_chat c where c.line = chat_state.line and c.chat_id = chat_state.chat_id)
        )
        """
    )
    for table, when in _TIMED.items():
        con.execute(
            f"delete from {table} using temp.wanted w where {table}.line = w.line and {table}.{when} >= w.{_begin(table)}"
        )


def add_since(con: duckdb.DuckDBPyConnection, table: str, frame: pl.DataFrame) -> None:
    """Add to a mart the rows of a frame that are to be replaced (``clear_since``); its earlier ones are left out."""
    if table == "chat_state":
        con.execute(
            "insert into chat_state by name select f.* from frame f semi join temp.whole_chat c on c.line = f.line and c.chat_id = f.chat_id"
        )
        return
    if "at" in frame.columns:
        frame = frame.rename({"at": "sent_at"})
    con.execute(
        f"insert into {table} by name select f.* from frame f join temp.wanted w on f.line = w.line where f.{_TIMED[table]} >= w.{_begin(table)}"
    )


def _begin(table: str) -> str:
    return "day" if _TIMED[table] == "day" else "since"


def refill_activity(con: duckdb.DuckDBPyConnection, since: pl.DataFrame, *, minutes: int) -> None:
    """Find again in which slots of so many minutes an event of a line is known: sends, replies, and the receipts of sends.

    Args:
        con: a store open for writing.
        since: line, since: from when on to look.
        minutes: length of a slot.
    """
    if since.is_empty():
        return
    ms = minutes * 60_000
    con.register("since_now", since)
    con.execute(
        f"create or replace temp table since_slot as select line, (epoch_ms(since) // {ms}) as slot from since_now"
    )
    con.unregister("since_now")
    con.execute("delete from activity using temp.since_slot s where activity.line = s.line and activity.slot >= s.slot")
    ((least,),) = con.execute(f"select make_timestamp_ms(min(slot) * {ms}) from temp.since_slot").fetchall()
    told = " union all ".join(
        f"select line, {column} as told_at, {int(column == 'sent_at')} as message from ({all_placed(con)}) where {column} >= '{least}'::timestamp_ms"
        for column in ("sent_at", "delivered_at", "read_at")
    )
    con.execute(
        f"""
        insert into activity
        select t.line, epoch_ms(told_at) // {ms} as slot, min(told_at), max(told_at), sum(message) from ({told}) t
        join temp.since_slot s on s.line = t.line and epoch_ms(told_at) // {ms} >= s.slot
        group by all order by 1, 2
        """
    )
    con.execute("drop table temp.since_slot")


def clear_activity(con: duckdb.DuckDBPyConnection) -> None:
    """Let go of all slots."""
    con.execute("delete from activity")


def add_activity(con: duckdb.DuckDBPyConnection, frame: pl.DataFrame) -> None:
    """Add slots of lines of which none is there yet: ACTIVITY."""
    con.execute("insert into activity by name select * from frame")


def spell_changes(con: duckdb.DuckDBPyConnection, spells: pl.DataFrame) -> pl.DataFrame:
    """Return from when on a line's health or status is told otherwise than the mart has it: line, since (1970: from the beginning)."""
    con.register("spells", spells)
    sql = """
    with old as (select * from spell), new as (select * from spells),
    other as ((from old except from new) union all (from new except from old))
    select line, min(since) as since from (
      select o.line,
        case when count(*) = 2 and count(distinct o.start_known) = 1 then min(o.end_at) else coalesce(o.start_at, '1970-01-01'::timestamp_ms) end as since
      from other o group by o.line, o.kind, o.state, o.start_at
    ) group by line order by line
    """
    found = frame_of(con, sql, pl.Schema({"line": pl.String, "since": INSTANT}))
    con.unregister("spells")
    return found


def line_totals(con: duckdb.DuckDBPyConnection, *, wanted_only: bool) -> None:
    """Make ``line_total`` again, by days: how many messages each line has, from when to when, and how its sends were received. METHOD.md, Data.

    Its ``last_event_at`` is that of messages and failures until ``last_events``.
    """
    if wanted_only:
        con.execute("delete from line_total using temp.wanted w where line_total.line = w.line")
        con.execute(
            "delete from line_day using temp.wanted w where line_day.line = w.line and line_day.day >= w.since::date"
        )
        which = "temp.needed m join temp.wanted w on w.line = m.line where m.sent_at::date >= w.since::date"
    else:
        con.execute("delete from line_total")
        con.execute("delete from line_day")
        which = f"({all_placed(con)}) m"
    con.execute(
        f"""
        insert into line_day by name
        select m.line, sent_at::date as day, count(*) as messages, min(sent_at) as first_at, max(sent_at) as last_at, max(failed_at) as last_failed_at,
          count(*) filter (where direction = 'outbound') as sends, count(*) filter (where direction = 'outbound' and failed) as failed,
          count(*) filter (where direction = 'outbound' and not failed and (delivered_at is not null or read_at is not null)) as received,
          count(*) filter (where direction = 'outbound' and delivered_at > sent_at + interval 1 hour) as received_1h,
          count(*) filter (where direction = 'outbound' and delivered_at > sent_at + interval 24 hour) as received_24h
        from {which} group by m.line, sent_at::date order by 1, 2
        """
    )
    _add_up(con, "semi join temp.wanted using (line)" if wanted_only else "")


def _add_up(con: duckdb.DuckDBPyConnection, which: str) -> None:
    con.execute(
        f"""
        insert into line_total by name
        select line, sum(messages) as messages, min(first_at) as first_at, max(last_at) as last_at,
          greatest(max(last_at), max(last_failed_at)) as last_event_at, sum(sends) as sends, sum(failed) as failed, sum(received) as received,
          sum(received_1h) as received_1h, sum(received_24h) as received_24h
        from line_day {which} group by line order by line
        """
    )


def sends(con: duckdb.DuckDBPyConnection, since: pl.DataFrame) -> pl.DataFrame:
    """Return sends of lines, each from an instant on, and who opened their chats as the mart has it.

    Args:
        con: a store open for writing.
        since: line, since.

    Returns:
        line, at, opened_by, service, told_failed (whether a failure was told), received, delivered_at; any order.
    """
    con.register("since_now", since)
    ((least,),) = con.execute("select min(since) from since_now").fetchall()
    rows = f"""
    select m.* from main.message m semi join since_now s on m.line = s.line where m.sent_at >= '{least}'::timestamp_ms
    union all select * from main.message where line is null or sent_at is null
    """
    sql = f"""
    select m.line, m.sent_at as "at", c.opened_by, m.service, m.failed_at is not null as told_failed,
      m.delivered_at is not null or m.read_at is not null as received, m.delivered_at
    from ({placed(con, rows)}) m join since_now s on m.line = s.line and m.sent_at >= s.since
    join chat_state c on c.line = m.line and c.chat_id = m.chat_id where m.direction = 'outbound'
    """
    found = frame_of(con, sql, _SENDS)
    con.unregister("since_now")
    return found


def tell_arrived(con: duckdb.DuckDBPyConnection, local: pl.DataFrame, days: pl.DataFrame) -> None:
    """Put into marts how many sends of days arrived, and how late.

    Args:
        con: a store open for writing.
        local: line, day (of the store's zone), opened_by, service, delivered: of sends of which no failure was told.
        days: line, day (UTC), received, received_1h, received_24h.
    """
    con.register("local_now", local)
    con.register("days_now", days)
    con.execute(
        """
        update delivery_day set delivered = n.delivered from local_now n
        where delivery_day.line = n.line and delivery_day.day = n.day and delivery_day.opened_by = n.opened_by
          and delivery_day.service is not distinct from n.service and delivery_day.failure_code is null
        """
    )
    con.execute(
        """
        update line_day set received = n.received, received_1h = n.received_1h, received_24h = n.received_24h from days_now n
        where line_day.line = n.line and line_day.day = n.day
        """
    )
    con.execute("delete from line_total where line in (select line from days_now)")
    _add_up(con, "semi join days_now using (line)")
    con.unregister("local_now")
    con.unregister("days_now")


def last_events(con: duckdb.DuckDBPyConnection) -> None:
    """Let ``line_total`` tell of receipts too, from the slots of ``activity``."""
    con.execute(
        """
        update line_total set last_event_at = greatest(last_event_at, a.last_at)
        from (select line, max(last_at) as last_at from activity group by line) a where a.line = line_total.line
        """
    )


def moved_since(con: duckdb.DuckDBPyConnection, chats: list[str]) -> pl.DataFrame:
    """Return the chats of the people of some chats, on all lines: line, chat_id, recipient, first_at, and opened_by as the mart has it.

    Whether a chat was moved from another line depends on no others (``signals.chats.moved``). Null ``opened_by``: one of ``chats``, whose
    row of the mart is to be made again.
    """
    con.register("named_now", pl.DataFrame({"chat_id": chats}, schema={"chat_id": pl.String}))
    con.execute("create or replace temp table named as select * from named_now")
    con.unregister("named_now")
    con.execute(
        """
        create or replace temp table theirs as
        select chat_id, recipient from chats semi join (select distinct recipient from chats semi join temp.named using (chat_id)) using (recipient)
        """
    )
    sql = f"""
    select s.line, s.chat_id, t.recipient, s.first_at, s.opened_by
    from chat_state s join temp.theirs t using (chat_id) anti join temp.named using (chat_id)
    union all
    select m.line, m.chat_id, any_value(t.recipient), min(m.sent_at), null
    from ({of_chats(con, "named")}) m join temp.theirs t using (chat_id) semi join temp.named using (chat_id) group by m.line, m.chat_id
    order by 1, 2
    """
    schema = {
        "line": pl.String,
        "chat_id": pl.String,
        "recipient": pl.String,
        "first_at": INSTANT,
        "opened_by": pl.String,
    }
    found = frame_of(con, sql, pl.Schema(schema))
    for name in ("named", "theirs"):
        con.execute(f"drop table temp.{name}")
    return found


def moved_as_kept(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return the wanted whole chats that the mart has as moved from another line: line, chat_id."""
    sql = "select s.line, s.chat_id from chat_state s semi join temp.whole_chat using (line, chat_id) where s.opened_by = 'moved'"
    return frame_of(con, sql, pl.Schema({"line": pl.String, "chat_id": pl.String}))


def sending_lines(con: duckdb.DuckDBPyConnection, after: datetime) -> list[str]:
    """Return the lines that sent anything after an instant, as the mart of hours has it."""
    sql = "select distinct line from signal_hour where outbound > 0 and hour > $after - interval 1 hour order by line"
    return [row[0] for row in con.execute(sql, {"after": after}).fetchall()]


def last_messages(con: duckdb.DuckDBPyConnection) -> dict[str, datetime]:
    """Return the time of each line's last message as the mart has it."""
    return dict(con.execute("select line, last_at from line_total").fetchall())
