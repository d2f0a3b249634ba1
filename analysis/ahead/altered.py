"""A line's messages, a period and a rule in; the messages as they would lie had the rule held in the period, out.

Whole conversations are moved, never parts of them: with its opener go all of a chat's messages, their receipts, and the reports of its
health, by one shift of whole days, so that every reply keeps its delay and every send its hour. Nothing moves to before its own time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import polars as pl

from analysis.schema import INSTANT
from analysis.settings import Settings
from analysis.signals.new_conversations import openers
from analysis.signals.volume import in_order, talks

DAY = timedelta(days=1)
TIMES = ("at", "delivered_at", "read_at", "failed_at")


@dataclass(frozen=True)
class Rule:
    """What is asked: one of ``spread`` (days), ``cap`` (openers a day), ``over_lines`` (other lines), ``stop_after`` (unanswered turns)."""

    what: str
    number: int = 0
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Altered:
    """The same frames after a rule, and what it did."""

    messages: pl.DataFrame
    """MESSAGES, in their order."""
    chats: pl.DataFrame
    chat_health: pl.DataFrame
    opened: int
    """New conversations that the line opened in the period."""
    moved: pl.DataFrame
    """Conversations that were moved: chat_id, from_at, to_at (of the opener), to_line; in order of from_at."""
    left_out: int = 0
    """Sends left out."""
    replies_left_out: int = 0
    """Messages received that answered a send left out, and went with it."""


MOVED = pl.Schema({"chat_id": pl.String, "from_at": INSTANT, "to_at": INSTANT, "to_line": pl.String})


def altered(
    messages: pl.DataFrame,
    chats: pl.DataFrame,
    chat_health: pl.DataFrame,
    rule: Rule,
    *,
    line: str,
    since: datetime,
    until: datetime,
    settings: Settings,
    seed: int | None = None,
) -> Altered:
    """Return the messages as they would lie had a rule held from ``since`` to ``until``.

    Args:
        messages: MESSAGES of the line, and of the other lines of ``over_lines``.
        chats: CHATS.
        chat_health: CHAT_HEALTH.
        rule: what is asked.
        line: whose new conversations or follow-ups the rule is about.
        since: UTC, begin of the period.
        until: UTC, its end, not part of it.
        settings: what is new (new_chat_grace_hours), what is a turn (turn_gap_minutes), the reply window, and the zone of days.
        seed: of a random order in which the conversations of one day take their turns; in order of time where None.

    Returns:
        Altered. No message is lost or made, but by ``stop_after``, which leaves sends out, and the replies to them.
    """
    if rule.what == "stop_after":
        return _stopped(messages, chats, chat_health, rule.number, line, since, until, settings)
    new = opened_in(messages, chats, line=line, settings=settings)
    inside = new.filter(pl.col("at") >= since, pl.col("at") < until)
    order = _turns(list(inside.iter_rows()), since, seed)
    if rule.what == "over_lines":
        plan = _dealt(order, line, rule.lines, seed)
    elif rule.what == "spread":
        plan = _spread(order, line, since, rule.number)
    else:
        others = new.filter((pl.col("at") < since) | (pl.col("at") >= until))["at"].to_list()
        plan = _capped(order, others, line, rule.number, settings)
    moved = pl.DataFrame(plan, schema=MOVED, orient="row").sort("from_at", "chat_id")
    return _moved(messages, chats, chat_health, moved, line, inside.height)


def opened_in(messages: pl.DataFrame, chats: pl.DataFrame, *, line: str, settings: Settings) -> pl.DataFrame:
    """Return the openers of a line's new conversations: at, chat_id; in order of time (the definition of ``new_conversations``)."""
    mine = messages.filter(pl.col("line") == line)
    known = talks(mine)
    created = chats.join(known, on="chat_id").select("talk", "created_at")
    judged = openers(in_order(mine, known), created, grace=timedelta(hours=settings.new_chat_grace_hours))
    return judged.filter("opener").select("at", "chat_id").sort("at", "chat_id")


Opener = tuple[datetime, str]
Move = tuple[str, datetime, datetime, str]


def _turns(inside: list[Opener], since: datetime, seed: int | None) -> list[Opener]:
    """Return openers in the order in which they take their turns: by day of the period, and of one day by time or at random."""
    if seed is None:
        return inside
    draw = Random(seed)
    return sorted(inside, key=lambda o: ((o[0] - since) // DAY, draw.random()))


def _spread(order: Sequence[Opener], line: str, since: datetime, days: int) -> list[Move]:
    """Move openers so that every day of the period takes its even part of them; who comes after the even parts are over goes on at that pace."""
    n, day, used, found = len(order), 0, 0, []
    for at, chat in order:
        own = (at - since) // DAY
        if own > day:
            day, used = own, 0
        while used >= _part(day, n, days):
            day, used = day + 1, 0
        used += 1
        if day > own:
            found.append((chat, at, at + (day - own) * DAY, line))
    return found


def _part(day: int, n: int, days: int) -> int:
    """Return a day's part of n over so many days: they differ by one at most."""
    place = day % days
    return (place + 1) * n // days - place * n // days


def _capped(order: Sequence[Opener], others: list[datetime], line: str, most: int, settings: Settings) -> list[Move]:
    """Move openers beyond so many a calendar day to the next day with room; what was opened outside the period takes room too."""
    used: Counter[date] = Counter(_day(at, settings) for at in others)
    found = []
    for at, chat in order:
        later = 0
        while used[_day(at + later * DAY, settings)] >= most:
            later += 1
        used[_day(at + later * DAY, settings)] += 1
        if later:
            found.append((chat, at, at + later * DAY, line))
    return found


def _day(at: datetime, settings: Settings) -> date:
    return at.replace(tzinfo=UTC).astimezone(settings.zone).date()


def _dealt(order: Sequence[Opener], line: str, others: tuple[str, ...], seed: int | None) -> list[Move]:
    """Deal new conversations in turn to the line itself and the others; with a seed the turn begins anywhere."""
    hands = (line, *others)
    begin = 0 if seed is None else seed
    return [
        (chat, at, at, hands[(i + begin) % len(hands)])
        for i, (at, chat) in enumerate(order)
        if hands[(i + begin) % len(hands)] != line
    ]


def _moved(
    messages: pl.DataFrame, chats: pl.DataFrame, chat_health: pl.DataFrame, moved: pl.DataFrame, line: str, opened: int
) -> Altered:
    """Move whole chats: messages, receipts, creation and reports of their health by one shift, to one line."""
    told = moved.select("chat_id", _shift=pl.col("to_at") - pl.col("from_at"), _line="to_line")
    shift = pl.col("_shift").fill_null(timedelta(0))

    def shifted(frame: pl.DataFrame, times: Sequence[str]) -> pl.DataFrame:
        joined = frame.join(told, on="chat_id", how="left", maintain_order="left")
        if "line" in frame.columns:  # the same chat id on another line is another chat
            mine = pl.col("line") == line
            joined = joined.with_columns(
                line=pl.when(mine).then(pl.col("_line").fill_null(pl.col("line"))).otherwise("line")
            )
        return joined.with_columns((pl.col(c) + shift).alias(c) for c in times).select(frame.columns)

    rows = shifted(messages, TIMES)
    return Altered(
        rows.sort("line", "chat_id", "at", "direction", "message_id", descending=[False, False, False, True, False]),
        shifted(chats, ["created_at"]),
        shifted(chat_health, ["at"]).sort("chat_id", "at", "health"),
        opened,
        moved,
    )


def _stopped(
    messages: pl.DataFrame,
    chats: pl.DataFrame,
    chat_health: pl.DataFrame,
    unanswered: int,
    line: str,
    since: datetime,
    until: datetime,
    settings: Settings,
) -> Altered:
    """Leave out sends of the period after so many unanswered turns, and the replies to them: who was not asked does not answer."""
    gap, window = timedelta(minutes=settings.turn_gap_minutes), timedelta(hours=settings.reply_window_hours)
    ordered = messages.filter(pl.col("line") == line).sort(
        "chat_id", "at", "direction", "message_id", descending=[False, False, True, False]
    )
    gone: dict[str, bool] = {}  # message id -> whether it was a send
    chat, turns, last, last_sent, dropped = None, 0, None, False, None
    rows: Any = ordered.select("chat_id", "message_id", "direction", "at").iter_rows()
    for chat_id, message_id, direction, at in rows:
        if chat_id != chat:
            chat, turns, last, last_sent, dropped = chat_id, 0, None, False, None
        if direction == "outbound":
            turns += not (last_sent and last is not None and at - last <= gap)
            late = turns > unanswered and since <= at < until
            if late:
                gone[message_id] = True
            dropped = at if late else None
        elif dropped is not None and at - dropped <= window:
            gone[message_id] = False
        else:
            turns, dropped = 0, None
        last, last_sent = at, direction == "outbound"
    kept = messages.filter(~pl.col("message_id").is_in(list(gone)))
    opened = opened_in(messages, chats, line=line, settings=settings).filter(
        pl.col("at") >= since, pl.col("at") < until
    )
    sends = sum(gone.values())
    return Altered(kept, chats, chat_health, opened.height, pl.DataFrame(schema=MOVED), sends, len(gone) - sends)
