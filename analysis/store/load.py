"""Spooled facts of several files in, merged rows and counts that add up out: the rules by which events become one message.

Every rule is a minimum, an "or" or a set union, so that the order and the split of files, and repeats, change nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

import duckdb

from analysis.store import accounts, forgotten, staged
from analysis.store import touched as touching
from analysis.store.accounts import SourceReport
from analysis.store.compared import compared
from analysis.store.connect import bounded
from analysis.store.fields import MIN_FIELDS, adds
from analysis.store.staged import Spooled


def merge(
    con: duckdb.DuckDBPyConnection,
    sources: list[Spooled],
    *,
    now: datetime,
    tombstone: Callable[[str], str] | None = None,
) -> list[SourceReport]:
    """Merge the facts of these files into an open store (in the caller's transaction) and report each file's counts.

    What is new in the store is kept there, for the next time the marts are made (``touched``). ``tombstone`` names ids as ``forgotten``
    has them: facts of forgotten people are left out and count as ignored.
    """
    with bounded(con):
        return _merge(con, sources, now, tombstone)


def _merge(
    con: duckdb.DuckDBPyConnection, sources: list[Spooled], now: datetime, tombstone: Callable[[str], str] | None
) -> list[SourceReport]:
    staged.stage(con, sources, copied=tombstone is not None)
    if tombstone is not None:
        forgotten.leave_out(con, tombstone)
    whole = staged.look(con, log=not any(s.is_table for s in sources))
    touched = touching.before(con)
    accounts.tell(con)
    _merge_odd(con, whole=whole)
    _merge_chats(con)
    _merge_health(con)
    _merge_changes(con)
    _merge_messages(con)
    _settle_owners(con)
    counts = accounts.counted(con, sources)
    spans = _spans(con)
    reports = []
    for number, source in enumerate(sources):
        c = counts[number]
        if tombstone is not None and (out := source.read - c.total() - source.ignored.total()) > 0:
            source.ignored["forgotten"] += out
        accounts.quarantine(con, source, now)
        report = SourceReport(
            source.path, source.kind, source.read, c["inserted"], c["merged"], c["duplicates"], source.ignored.total(), c["quarantined"],
            dict(sorted(source.ignored.items())), [f"{n:,} {note}" for note, n in sorted(source.notes.items()) if n],
        )  # fmt: skip
        if source.grows:
            accounts.put_aside(con, source.source_id)
        con.execute(
            "insert into source values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [source.source_id, report.path, report.kind, report.read, report.inserted, report.merged, report.duplicates, report.ignored,
             report.quarantined, json.dumps(report.ignored_kinds), json.dumps(report.notes), now, *spans.get(number, (None, None)),
             source.late["timed"], source.late["late_1h"], source.late["late_24h"]],
        )  # fmt: skip
        if source.grows:
            accounts.add_up(con, source.source_id)
        reports.append(report)
    touching.keep(con, touching.after(con, touched))
    accounts.drop(con)
    if whole:
        con.unregister("merged_message")
    else:
        con.execute("drop table temp.merged_message")
    staged.drop(con)
    return reports


def _spans(con: duckdb.DuckDBPyConnection) -> dict[int, tuple[datetime, datetime]]:
    """Return the earliest and latest event of each source that told of any, by its number."""
    rows = con.execute(
        """
        select source_no, min(first_at), max(last_at) from (
          select source_no, least(coalesce(sent_at, seen_at), delivered_at, read_at, failed_at) as first_at,
            greatest(coalesce(sent_at, seen_at), delivered_at, read_at, failed_at) as last_at from temp.stage_message
          union all select source_no, changed_at, changed_at from temp.stage_change
          union all select source_no, created_at, created_at from temp.stage_chat
        ) group by source_no having min(first_at) is not null
        """
    ).fetchall()
    return {number: (first, last) for number, first, last in rows}


def _merge_odd(con: duckdb.DuckDBPyConnection, *, whole: bool) -> None:
    """Sort the odd rows into temp.told_message, and make temp.merged_message of them: all that is staged of a message in one row."""
    con.execute("create or replace temp table merged_message as select * from temp.known_message limit 0")
    for rows, known in staged.odd_parts(con, whole=whole):
        told, merged = compared(rows, known)  # noqa: RUF059  # told is read by DuckDB under its name
        con.execute("insert into temp.told_message by name select * from told")
        if whole:  # the one part: its rows are read where they are
            con.execute("drop table temp.merged_message")
            con.register("merged_message", merged)
        else:
            con.execute("insert into temp.merged_message by name select * from merged")


def _merge_messages(con: duckdb.DuckDBPyConnection) -> None:
    """Put in what is new, in order of line and chat: who asks for one chat, or one line, then reads a few blocks."""
    update = ", ".join(f"{c} = least(message.{c}, s.{c})" for c in MIN_FIELDS)
    con.execute(
        f"""
        update message
        set {update}, is_group = case when message.is_group is null then s.is_group else message.is_group or coalesce(s.is_group, false) end
        from temp.merged_message s
        where message.rowid = s.row_no and (
          {adds(MIN_FIELDS, "s", "message")} or (s.is_group is not null and message.is_group is null) or (s.is_group and not message.is_group)
        )
        """
    )
    columns = f"message_id, {', '.join(MIN_FIELDS)}, is_group"
    con.execute(
        f"""
        insert into message by name
        select {columns} from temp.stage_message where {staged.PLAIN}
        union all select {columns} from temp.merged_message where row_no is null
        order by line, chat_id, coalesce(sent_at, seen_at), message_id
        """
    )


def _merge_chats(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """
        merge into chat t
        using (
          select chat_id, line, min(recipient) as recipient, bool_or(is_group) as is_group, min(created_at) as created_at, min(first_at) as first_at, true as is_owner
          from (
            select chat_id, line, recipient, is_group, created_at, created_at as first_at from temp.stage_chat
            union all
            select chat_id, line, recipient, is_group, null, coalesce(sent_at, seen_at, delivered_at, read_at, failed_at)
            from temp.stage_message where chat_id is not null and line is not null
          ) group by chat_id, line
        ) s
        on t.chat_id = s.chat_id and t.line = s.line
        when matched then update set
          recipient = least(t.recipient, s.recipient), created_at = least(t.created_at, s.created_at), first_at = least(t.first_at, s.first_at),
          is_group = case when t.is_group is null then s.is_group else t.is_group or coalesce(s.is_group, false) end
        when not matched then insert by name
        """
    )
    # a message of a chat whose line only the chat tells may still name the chat's recipient
    con.execute(
        """
        update chat set recipient = least(chat.recipient, s.recipient)
        from (
          select chat_id, min(recipient) as recipient from temp.stage_message
          where recipient is not null and line is null and chat_id is not null group by chat_id
        ) s
        where chat.chat_id = s.chat_id and (chat.recipient is null or s.recipient < chat.recipient)
        """
    )


def _merge_health(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """
        insert into chat_health select distinct chat_id, known_at, health from temp.stage_health
        anti join chat_health using (chat_id, known_at, health)
        """
    )


def _merge_changes(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """
        merge into change t
        using (
          select line, changed_at, new_health, new_status, min(previous_health) as previous_health, min(previous_status) as previous_status
          from temp.stage_change group by all
        ) s
        on t.line = s.line and t.changed_at = s.changed_at and t.new_health is not distinct from s.new_health and t.new_status is not distinct from s.new_status
        when matched then update set previous_health = least(t.previous_health, s.previous_health), previous_status = least(t.previous_status, s.previous_status)
        when not matched then insert by name
        """
    )


def _settle_owners(con: duckdb.DuckDBPyConnection) -> None:
    """Decide, for every chat that two lines claim, which one has it: a rule over the whole store, so that load order is nothing."""
    con.execute(
        """
        update chat set is_owner = s.is_owner
        from (
          select c.chat_id, c.line, row_number() over (partition by c.chat_id order by coalesce(n.messages, 0) desc, c.first_at nulls last, c.line) = 1 as is_owner
          from chat c
          left join (
            select chat_id, line, count(*) as messages from message
            where chat_id in (select chat_id from chat group by chat_id having count(*) > 1) group by chat_id, line
          ) n on n.chat_id = c.chat_id and n.line = c.line
          where c.chat_id in (select chat_id from chat group by chat_id having count(*) > 1)
        ) s
        where chat.chat_id = s.chat_id and chat.line = s.line and chat.is_owner <> s.is_owner
        """
    )
