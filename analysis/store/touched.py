"""A merge in, what it changed out: for each line the earliest event that is new, so that marts are counted again from there only."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime

import duckdb

from analysis.store.compared import FIELDS
from analysis.store.marts import set_meta
from analysis.store.staged import PLAIN

EVER = datetime(1970, 1, 1)
"""Stands for "from the beginning"."""


@dataclass
class Touched:
    """What of the facts is new or different since the marts were made.

    Args:
        whole: everything may be: marts are made from scratch.
        since: line to the earliest instant of which something is new: a message, a receipt, a chat's creation or health. When a
            message was read that is known to be delivered changes no count of the day it was sent on: that is new from when it came.
            So is when it arrived, which changes how many did of that day and no other count: see ``arrived``.
        asked: the same, but for what explanations do not use: when a message was read that is known to be delivered, who is in a chat.
        changes: line to the earliest new report of its health or status.
        chats: chats of which something is new.
        arrived: line to the earliest send of which nothing is new but when it arrived.
    """

    whole: bool = False
    since: dict[str, datetime] = field(default_factory=dict)
    asked: dict[str, datetime] = field(default_factory=dict)
    changes: dict[str, datetime] = field(default_factory=dict)
    chats: list[str] = field(default_factory=list)
    arrived: dict[str, datetime] = field(default_factory=dict)

    def and_(self, more: Touched) -> Touched:
        """Return what either says."""

        def least(a: dict[str, datetime], b: dict[str, datetime]) -> dict[str, datetime]:
            return a | {line: min(at, a.get(line, at)) for line, at in b.items()}

        if self.whole or more.whole:
            return Touched(whole=True)
        return Touched(
            since=least(self.since, more.since),
            asked=least(self.asked, more.asked),
            changes=least(self.changes, more.changes),
            chats=sorted({*self.chats, *more.chats}),
            arrived=least(self.arrived, more.arrived),
        )

    @property
    def earliest(self) -> datetime | None:
        """The earliest instant of which something is new on any line; None where nothing is."""
        return min([*self.since.values(), *self.changes.values()], default=None)


_KEPT = "touched"
"""The word under which a store keeps what was merged since its marts were made."""


def kept(con: duckdb.DuckDBPyConnection) -> Touched:
    """Return what was merged into a store since its marts were made."""
    rows = con.execute("select value from meta where key = ?", [_KEPT]).fetchall()
    found = json.loads(rows[0][0]) if rows else {}
    since, asked, changes, arrived = (
        {line: datetime.fromisoformat(at) for line, at in found.get(name, {}).items()}
        for name in ("since", "asked", "changes", "arrived")
    )
    return Touched(found.get("whole", False), since, asked, changes, found.get("chats", []), arrived)


def keep(con: duckdb.DuckDBPyConnection, more: Touched) -> None:
    """Keep in a store what a merge changed, beside what earlier ones did; ``forget`` once the marts are made."""
    whole = kept(con).and_(more)
    told = json.dumps(
        {
            "whole": whole.whole,
            "since": {line: at.isoformat() for line, at in whole.since.items()},
            "asked": {line: at.isoformat() for line, at in whole.asked.items()},
            "changes": {line: at.isoformat() for line, at in whole.changes.items()},
            "chats": whole.chats,
            "arrived": {line: at.isoformat() for line, at in whole.arrived.items()},
        }
    )
    set_meta(con, _KEPT, told)


_TOLD_AT = "least(sent_at, seen_at, delivered_at, read_at, failed_at)"
"""The earliest that is told of a message, in SQL."""
_RECEIPTS = ("delivered_at", "read_at")


def _of(name: str) -> str:
    """Return what is counted of a message but for its receipts, in SQL."""
    return ", ".join(f"{name}.{c}" for c in FIELDS if c not in (*_RECEIPTS, "trace_id"))


def _receipt(name: str) -> str:
    """Return when the first receipt of a message came, in SQL."""
    return f"least({', '.join(f'{name}.{c}' for c in _RECEIPTS)})"


_SETTLED_HOURS = 168
"""The longest reply window that can be set (explain_reply_hours): a receipt that is later than that changes nothing before it came."""


def forget(con: duckdb.DuckDBPyConnection) -> None:
    """Say that the marts tell all that was merged."""
    con.execute("delete from meta where key = ?", [_KEPT])


def before(con: duckdb.DuckDBPyConnection) -> Touched:
    """Look at staged facts before they are merged; keeps what ``after`` compares with, in temporary tables.

    Returns:
        Touched, ``whole`` where an event puts a known message on another line or into another chat, or two lines claim one chat: such a
        message leaves marts of which the event says nothing.
    """
    ((last,),) = con.execute("select max(rowid) from message").fetchall()
    if last is None:
        return Touched(whole=True)
    con.execute("create or replace temp table last_row as select cast(? as bigint) as row_no", [last])
    con.execute(
        """
        create or replace temp table staged_chat as
        select distinct chat_id from (select chat_id from temp.stage_message union all select chat_id from temp.stage_chat) where chat_id is not null
        """
    )
    con.execute(
        "create or replace temp table chat_before as select chat_id, line, recipient, is_group, created_at from chat semi join temp.staged_chat using (chat_id)"
    )
    con.execute(
        "create or replace temp table new_health as select distinct chat_id, known_at from temp.stage_health s anti join chat_health h using (chat_id, known_at, health)"
    )
    moved = """
    select 1 from temp.stage_message s join temp.known_message m using (message_id)
    where (s.line <> m.line) or (s.chat_id <> m.chat_id) or (s.direction <> m.direction)
    union all
    select 1 from (
      select chat_id, line from chat semi join temp.staged_chat using (chat_id)
      union select chat_id, line from temp.stage_chat
      union select chat_id, line from temp.stage_message where chat_id is not null and line is not null
    ) group by chat_id having count(*) > 1
    limit 1
    """
    return Touched(whole=bool(con.execute(moved).fetchall()))


def after(con: duckdb.DuckDBPyConnection, found: Touched) -> Touched:
    """Say what a merge changed, once it is done and while its staged and told rows are still there.

    A chat that is new or known better (its line, recipient or creation) may place or move every message it has. On a line with messages
    that name no chat, a chat of the same recipient may take them in: such a line is new from the beginning.
    """
    if found.whole:
        return found
    con.execute(
        """
        create or replace temp table better_chat as
        select c.chat_id, c.line, bool_or(b.chat_id is null or b.created_at is distinct from c.created_at) as asked
        from (
          select chat_id, line, recipient, is_group, created_at from chat semi join temp.staged_chat using (chat_id)
          except select * from temp.chat_before
        ) c left join temp.chat_before b on b.chat_id = c.chat_id and b.line is not distinct from c.line
        group by c.chat_id, c.line
        """
    )
    # rows are found by their places, which skips nearly all: to look for ids reads those of all messages
    con.execute(
        f"""
        create or replace temp table touched_message as
        select message_id, {_TOLD_AT} as told_at, {", ".join(FIELDS)}
        from (
          select * from message where rowid > (select row_no from temp.last_row)
          union all select * from message where rowid <= (select row_no from temp.last_row) and rowid in (select row_no from temp.known_message)
        )
        """
    )
    con.execute(
        f"""
        create or replace temp table new_message as
        with known as (
          select m.message_id, k.message_id is not null and row({_of("m")}) is not distinct from row({_of("k")}) as same,
            {_receipt("m")} as receipt_at, {_receipt("k")} as was_at, m.failed_at,
            m.delivered_at is distinct from k.delivered_at or ({_receipt("m")} is null) <> ({_receipt("k")} is null) as later,
            least(
              case when m.delivered_at is distinct from k.delivered_at then m.delivered_at end, case when m.read_at is distinct from k.read_at then m.read_at end
            ) as came_at, coalesce(m.sent_at, m.seen_at) as sent_at
          from (select distinct message_id from temp.told_message where outcome in ('inserted', 'merged')) t
          join temp.touched_message m using (message_id) left join temp.known_message k using (message_id)
        )
        select message_id, true as counts, true as asked, null::timestamp_ms as came_at, null::timestamp_ms as receipt_at, null::timestamp_ms as arrived_at
        from temp.stage_message where {PLAIN}
        union all
        select message_id, not (same and sent_at is not null and (failed_at is null or not later)), not same or receipt_at is distinct from was_at, came_at,
          case when same and failed_at is null then receipt_at end, case when same and later and failed_at is null then sent_at end
        from known
        """
    )
    con.execute(
        f"""
        create or replace temp table news as
        with told as (
          select line, chat_id, n.counts, case when n.counts then told_at else n.came_at end as told_at,
            n.arrived_at, case when n.asked and n.receipt_at > sent_at + interval {_SETTLED_HOURS} hour then n.receipt_at when n.asked then told_at end as asked_at
          from temp.touched_message m join temp.new_message n using (message_id)
        )
        select c.line, case when m.counts then m.chat_id end as chat_id, told_at, asked_at, arrived_at from told m join chat c on c.chat_id = m.chat_id and c.is_owner
        union all
        select line, case when counts then chat_id end, told_at, asked_at, arrived_at from told where line is not null
        union all
        select b.line, m.chat_id, m.told_at, case when b.asked then m.told_at end, null
        from (select *, {_TOLD_AT} as told_at from message) m join temp.better_chat b using (chat_id)
        union all
        select c.line, h.chat_id, h.known_at, h.known_at, null from temp.new_health h join chat c on c.chat_id = h.chat_id and c.is_owner
        union all
        select line, null, '{EVER:%Y-%m-%d}'::timestamp_ms, '{EVER:%Y-%m-%d}'::timestamp_ms, null from (select distinct line from message where chat_id is null and line is not null)
        where line in (
          select line from temp.better_chat union all select m.line from temp.touched_message m semi join temp.new_message using (message_id)
        )
        """
    )
    rows = con.execute(
        "select line, min(told_at), min(asked_at), min(arrived_at) from temp.news where line is not null group by line"
    ).fetchall()
    found.since = {line: at for line, at, *_ in rows}
    found.asked = {line: at for line, _, at, _ in rows if at is not None}
    found.arrived = {line: at for line, *_, at in rows if at is not None}
    found.chats = [
        row[0] for row in con.execute("select distinct chat_id from temp.news where chat_id is not null").fetchall()
    ]
    found.changes = dict(
        con.execute(
            """
            select s.line, min(s.changed_at) from temp.stage_change s join temp.told_change t using (source_no, position, line)
            where t.outcome in ('inserted', 'merged') group by s.line
            """
        ).fetchall()
    )
    for name in (
        "last_row",
        "staged_chat",
        "chat_before",
        "new_health",
        "better_chat",
        "touched_message",
        "new_message",
        "news",
    ):
        con.execute(f"drop table temp.{name}")
    return found
