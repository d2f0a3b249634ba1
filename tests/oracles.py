"""The slow, obvious reference of METHOD.md's signals: plain loops over plain tuples, written from the definitions alone.

A message is (message_id, line, chat, direction, at, failed); times are datetimes in UTC. Nothing here imports the product.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import NamedTuple

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SEVERITY = {"HEALTHY": 0, "AT_RISK": 1, "CRITICAL": 2, "OPTED_OUT": 3}


class Message(NamedTuple):
    message_id: str
    line: str
    chat: str
    direction: str
    at: datetime
    failed: bool = False


def in_order(messages: Iterable[Message]) -> list[Message]:
    """At one instant outbound before inbound, then by id."""
    return sorted(messages, key=lambda m: (m.at, m.direction == "inbound", m.message_id))


def signals(
    messages: list[Message],
    created: dict[str, datetime],
    health: list[tuple[str, datetime, str]],
    *,
    as_of: datetime,
    grain: str = "day",
    window: timedelta = DAY,
) -> dict[tuple[str, object], dict[str, object]]:
    """Signals by (line, day) or (line, hour), days and hours in UTC."""
    bucket: Callable[[datetime], date | datetime] = (
        (lambda t: t.date()) if grain == "day" else (lambda t: t.replace(minute=0, second=0, microsecond=0))
    )
    step = DAY if grain == "day" else HOUR
    reports: dict[str, list[tuple[datetime, int, str]]] = defaultdict(list)
    for chat, at, word in health:
        reports[chat].append((at, SEVERITY[word], word))
    for told in reports.values():
        told.sort()
    out: dict[tuple[str, object], dict[str, object]] = {}
    for line in sorted({m.line for m in messages}):
        mine = in_order(m for m in messages if m.line == line)
        by_chat: dict[str, list[Message]] = defaultdict(list)
        for m in mine:
            by_chat[m.chat].append(m)
        rows: dict[object, dict[str, object]] = {}
        day = bucket(mine[0].at)
        while day <= bucket(mine[-1].at):
            rows[day] = defaultdict(int)
            day += step
        sends = [m for m in mine if m.direction == "outbound"]
        openers = _openers(by_chat, created)
        for m in mine:
            row = rows[bucket(m.at)]
            row["outbound" if m.direction == "outbound" else "inbound"] += 1
            if m.direction == "outbound":
                row["failed"] += m.failed
                mature = not m.failed and m.at <= as_of - window
                replied = mature and any(
                    o.direction == "inbound" and m.at < o.at <= m.at + window for o in by_chat[m.chat]
                )
                row["mature"] += mature
                row["replied"] += replied
                row["sends_after_opt_out"] += _latest(reports[m.chat], m.at) == "OPTED_OUT"
                if m in openers:
                    row["new_conversations"] += 1
                    row["new_mature"] += mature
                    row["new_replied"] += replied
        for m in _late_turns(by_chat):
            rows[bucket(m.at)]["unanswered_turns"] += 1
        _peaks(rows, sends, openers, bucket)
        _finish(rows, mine, by_chat, reports, bucket, step)
        out |= {(line, key): dict(row) for key, row in rows.items()}
    return out


def _openers(by_chat: dict[str, list[Message]], created: dict[str, datetime]) -> set[Message]:
    found = set()
    for chat, told in by_chat.items():
        first = told[0]
        if first.direction == "outbound" and not (chat in created and created[chat] < first.at - DAY):
            found.add(first)
    return found


def _latest(told: list[tuple[datetime, int, str]], at: datetime) -> str | None:
    place = bisect_right(told, (at, 9, ""))
    return told[place - 1][2] if place else None


def _late_turns(by_chat: dict[str, list[Message]]) -> list[Message]:
    late = []
    for told in by_chat.values():
        turn, before = 0, None
        for m in told:
            if m.direction == "inbound":
                turn, before = 0, None
            else:
                if before is None or m.at - before > timedelta(minutes=5):
                    turn += 1
                    if turn >= 3:
                        late.append(m)
                before = m.at
    return late


def _peaks(rows: dict, sends: list[Message], openers: set[Message], bucket: Callable) -> None:
    opening = [m for m in sends if m in openers]
    for name, among, length, distinct in (
        ("peak_recipients_1h", sends, HOUR, True), ("peak_recipients_24h", sends, DAY, True), ("peak_new_1h", opening, HOUR, True),
        ("peak_new_24h", opening, DAY, True), ("peak_sends_60s", sends, timedelta(seconds=60), False),
    ):  # fmt: skip
        start = 0
        for i, m in enumerate(among):
            while among[start].at <= m.at - length:
                start += 1
            end = i + 1
            while end < len(among) and among[end].at == m.at:
                end += 1
            seen = among[start:end]
            count = len({o.chat for o in seen}) if distinct else len(seen)
            row = rows[bucket(m.at)]
            row[name] = max(row[name], count)
    for m in sends:
        rows[bucket(m.at)].setdefault("_to", set()).add(m.chat)


def _finish(rows: dict, mine: list[Message], by_chat: dict, reports: dict, bucket: Callable, step: timedelta) -> None:
    first_day = mine[0].at.date()
    active_in: dict[object, set[str]] = defaultdict(set)
    week, last = 7 * DAY, max(rows)
    for m in mine:
        key = bucket(m.at)
        reach = key
        while reach < key + week and reach <= last:
            active_in[reach].add(m.chat)
            reach += step
    for key, row in rows.items():
        start = key if isinstance(key, datetime) else datetime(key.year, key.month, key.day)
        end = start + step - timedelta(milliseconds=1)
        row["recipients"] = len(row.pop("_to", set()))
        row["reply_rate"] = row["replied"] / row["mature"] if row["mature"] else None
        row["new_reply_rate"] = row["new_replied"] / row["new_mature"] if row["new_mature"] else None
        row["history_days"] = (start.date() - first_day).days
        states = [_latest(reports[chat], end) for chat in active_in[key]]
        row["chats_active"] = len(states)
        for name, word in (
            ("chats_at_risk", "AT_RISK"),
            ("chats_critical", "CRITICAL"),
            ("chats_opted_out", "OPTED_OUT"),
        ):
            row[name] = states.count(word)
