"""A World's messages in, its asks and what a scenario leaves out, counted by plain loops: nothing here imports the product's rules."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.explain.builders import START, World

ASK_GAP, REPLY_WINDOW = timedelta(minutes=10), timedelta(hours=72)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def ms(day: float) -> int:
    """A day after START as the product counts: milliseconds since 1970, UTC."""
    return round((START.replace(tzinfo=UTC) + timedelta(days=day)).timestamp() * 1000)


def day_of(text: str) -> float:
    """An ISO instant as days after START."""
    return (datetime.fromisoformat(text).replace(tzinfo=None) - START) / timedelta(days=1)


@dataclass
class Ask:
    """Sends in one chat at most ten minutes apart, with nothing written back between."""

    chat: str
    ids: list[str]
    first: datetime
    last: datetime
    streak: int
    after_inbound: bool
    kind: str
    before: datetime | None
    answer_ids: list[str]
    service: str
    failed: bool
    times: list[datetime]
    reply: datetime | None = None

    @property
    def replied(self) -> bool:
        """Whether it was answered within the reply window."""
        return self.reply is not None


def asks_of(world: World, line: str = "+1", until: float | None = None) -> list[Ask]:
    """All asks of a line in order of time; ``until`` in days cuts the messages first."""
    chats: dict[str, list[dict]] = defaultdict(list)
    end = None if until is None else world.at(until)
    for m in world.messages:
        if m["line"] == line and (end is None or m["at"] <= end):
            chats[m["chat_id"]].append(m)
    begin = min(m["at"] for ms in chats.values() for m in ms)
    found = []
    for chat, rows in chats.items():
        rows.sort(key=lambda m: (m["at"], m["direction"] == "inbound", m["message_id"]))
        mine: list[Ask] = []
        last_in: datetime | None = None
        previous: dict | None = None
        for m in rows:
            if m["direction"] == "inbound":
                last_in = m["at"]
                if mine and m["at"] - mine[-1].last <= REPLY_WINDOW:
                    mine[-1].reply = mine[-1].reply or m["at"]
                    mine[-1].answer_ids.append(m["message_id"])
            elif previous is not None and previous["direction"] == "outbound" and m["at"] - mine[-1].last <= ASK_GAP:
                mine[-1].ids.append(m["message_id"])
                mine[-1].times.append(m["at"])
                mine[-1].last = m["at"]
                mine[-1].failed &= m["failed"]
            else:
                before = mine[-1] if mine else None
                unanswered = before is not None and (last_in is None or last_in <= before.last)
                streak = before.streak + 1 if before is not None and unanswered else 0
                kind = _kind(m["at"], before, last_in, unanswered, begin)
                mine.append(
                    Ask(chat, [m["message_id"]], m["at"], m["at"], streak, last_in is not None, kind,
                        before.last if before else None, [], m["service"], m["failed"], [m["at"]])
                )  # fmt: skip
            previous = m
        found += mine
    return sorted(found, key=lambda a: (a.first, a.chat))


def _kind(at: datetime, before: Ask | None, last_in: datetime | None, unanswered: bool, begin: datetime) -> str:
    if before is None and last_in is None:
        return "new" if at - begin > 7 * DAY else "touch"
    if last_in is not None and not unanswered and at - last_in <= DAY:
        return "answer"
    return "followup" if unanswered and at - before.last <= 3 * DAY else "touch"


def opted_out(world: World, chat: str, at: datetime) -> bool:
    """Whether the latest health told of a chat by then is OPTED_OUT."""
    told = sorted((h["at"], h["health"]) for h in world.health if h["chat_id"] == chat and h["at"] <= at)
    return bool(told) and told[-1][1] == "OPTED_OUT"


def held_to(asks: list[Ask], a_day: int) -> list[Ask]:
    """Those of the asks that go beyond so many in the 24 hours before each."""
    kept: list[Ask] = []
    beyond = []
    for ask in asks:
        if sum(ask.first - DAY < other.first <= ask.first for other in kept) >= a_day:
            beyond.append(ask)
        else:
            kept.append(ask)
    return beyond


def left_out(world: World, scenario: dict, day: float) -> set[str]:
    """The ids of all messages that a what-if takes away from a line before a change on a day."""
    t = world.at(day)
    asks = asks_of(world, until=day)
    week = [a for a in asks if t - 7 * DAY < a.first <= t]
    if scenario["what"] == "remove_burst":
        beyond = {a.chat: a.first for a in held_to([a for a in week if a.kind == "new"], scenario["a_day"])}
        return {m["message_id"] for m in world.messages if beyond.get(m["chat_id"], t) <= m["at"] < t}
    if scenario["what"] == "stop_follow_ups":
        gone = [a for a in week if a.streak >= scenario["turns"] and a.kind != "answer"]
    elif scenario["what"] == "honour_opt_outs":
        gone = [a for a in week if opted_out(world, a.chat, a.first)]
    else:
        heard = [a for a in week if not opted_out(world, a.chat, a.first)]
        loops = [a for a in heard if len(a.ids) >= 4]
        volume = [a for a in heard if len(a.ids) < 4 and a.kind in ("answer", "touch")]
        gone = loops + held_to(volume, scenario["a_day"])
    return {i for a in gone for i in (*a.ids, *a.answer_ids)}
