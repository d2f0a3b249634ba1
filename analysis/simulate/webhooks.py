"""The life of one line in, the deliveries its owner would have logged out: the vendor's events as text, both payload versions.

Shapes follow api.md, section 5. With them come what real logs have: repeats, late and disordered deliveries, a second
subscription, made-up message texts and plain recipients.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from analysis.simulate.causes import Plan
from analysis.simulate.records import Change, Chat, Life, Message
from analysis.simulate.rhythm import HOUR, MINUTE, SECOND, identifier, iso

PHRASES = (
    "Made-up text: the blue kettle is ready for pick-up",
    "Made-up text: are you still coming on Thursday",
    "Made-up text: the parcel sits behind the green door",
    "Made-up text: thanks, see you at the lighthouse",
    "Made-up text: we moved your slot to a later hour",
    "Made-up text: no more questions about the canoe",
)
"""All message texts of a demo fleet: easy to search for where no text may be."""

_NEW, _OLD = "2026-02-03", "2025-01-01"
_GUIDE = "https://docs.linqapp.com/channel/imessage/guides/chats/chat-health#"
_READ = ("message.", "chat.created", "phone_number.status_updated")
PARTNER = "5d63e6ce-89ab-550c-8e38-502a38577932"


@dataclass
class Log:
    """Deliveries as (time of delivery, order, text), and what is odd about them."""

    rows: list[tuple[int, int, str]] = field(default_factory=list)
    odd: Counter[str] = field(default_factory=Counter)


def envelope(kind: str, created: str, version: str, data: str, *, event_id: str, trace_id: str) -> str:
    """Return one delivery as the vendor writes it; ``data`` is JSON already."""
    return (
        f'{{"api_version":"v3","webhook_version":"{version}","event_type":"{kind}","event_id":"{event_id}",'
        f'"created_at":"{created}","trace_id":"{trace_id}","partner_id":"{PARTNER}","data":{data}}}'
    )


class _Writer:
    def __init__(self, life: Life, rng: random.Random, since: int, end: int, log: Log) -> None:
        self.plan, self.rng, self.since, self.end, self.log = life.plan, rng, since, end, log
        self.mine = identifier(rng)
        self.handles: dict[str, str] = {}
        self.twice = [(e.start - 36 * HOUR, e.start + 36 * HOUR) for e in life.plan.episodes if e.kind == "flag"]
        self.renewed = life.plan.start + int(0.4 * (end - life.plan.start))

    def version(self, at: int) -> str:
        if self.plan.version == "mixed":
            return _OLD if at < self.renewed else _NEW
        return self.plan.version

    def put(self, kind: str, at: int, data: str, *, version: str | None = None, delay: int | None = None) -> None:
        """Log one event that came about at that time; now and then out of order, repeated, or for two subscriptions."""
        rng = self.rng
        created = at + (delay if delay is not None else rng.randrange(80, 900))
        if created < self.since or created >= self.end:
            return
        if not kind.startswith(_READ):
            self.log.odd["ignored_kinds"] += 1
        arrives = created
        if rng.random() < 0.012 and created + 7 * MINUTE < self.end:
            arrives += rng.randrange(20, 400) * SECOND
            self.log.odd["out_of_order"] += 1
        stamp = iso(created)
        if rng.random() < 0.05:
            stamp = f"{stamp[:-1]}{rng.randrange(10**6):06d}Z"
        trace = f"{rng.getrandbits(128):032x}"
        text = envelope(kind, stamp, version or self.version(at), data, event_id=identifier(rng), trace_id=trace)
        self._row(arrives, text)
        if rng.random() < 0.006:
            self._row(min(arrives + rng.randrange(60, 1800) * SECOND, self.end - 1), text)
            self.log.odd["repeated"] += 1
        if any(first <= at < last for first, last in self.twice):
            again = envelope(kind, stamp, version or self.version(at), data, event_id=identifier(rng), trace_id=trace)
            self._row(arrives + rng.randrange(5, 400), again)
            self.log.odd["second_subscription"] += 1

    def _row(self, arrives: int, text: str) -> None:
        self.log.rows.append((arrives, len(self.log.rows), text))

    def handle(self, handle: str, chat: Chat, *, me: bool = False) -> str:
        """Return one side of a chat as JSON."""
        name = self.mine if me else self.handles.setdefault(handle, identifier(self.rng))
        flag, kind = ("true", ',"line_type":"iMessage"') if me else ("false", "")
        return (
            f'{{"id":"{name}","handle":"{handle}","service":"{chat.service}","is_me":{flag},"status":"active",'
            f'"joined_at":"{iso(chat.created)}","left_at":null{kind}}}'
        )

    def health(self, chat: Chat, at: int) -> str:
        """Return what the vendor says of a chat's health at that time."""
        since, word = chat.health[max(0, bisect_right(chat.health, (at, "~")) - 1)]
        return f'{{"status":"{word}","doc_url":"{_GUIDE}{word.lower().replace("_", "-")}","updated_at":"{iso(since)}"}}'

    def chat(self, chat: Chat, number: int) -> None:
        """Log that a chat began, and who joined a group."""
        name = f"Group {number}" if chat.is_group else chat.people[0]
        handles = ",".join([self.handle(self.plan.line, chat, me=True), *(self.handle(p, chat) for p in chat.people)])
        at = chat.created
        data = (
            f'{{"id":"{chat.chat_id}","display_name":"{name}","service":"{chat.service}",'
            f'"is_group":{"true" if chat.is_group else "false"},"created_at":"{iso(at)}","updated_at":"{iso(at)}",'
            f'"handles":[{handles}],"health_status":{self.health(chat, at)}}}'
        )
        self.put("chat.created", at, data)
        if chat.is_group:
            person = self.handle(chat.people[-1], chat)
            self.put(
                "participant.added",
                at + 3 * SECOND,
                f'{{"handle":"{chat.people[-1]}","chat_id":"{chat.chat_id}","added_at":"{iso(at)}","participant":{person}}}',
            )

    def message(self, m: Message) -> None:
        """Log all that became of one message."""
        if not m.outbound:
            late = self._late(m.at)
            self.put("message.received", m.at, self._message(m, m.at, late=late), delay=late)
            if self.rng.random() < 0.015:
                self._reaction(m)
            return
        self.put("message.sent", m.at, self._message(m, m.at))
        if m.failed is not None:
            self._failed(m)
        if m.delivered is not None:
            late = self._late(m.delivered)
            self.put(
                "message.delivered", m.delivered, self._message(m, m.delivered, kind="delivered", late=late), delay=late
            )
        if m.read is not None:
            self.put("message.read", m.read, self._message(m, m.read, kind="read"))

    def _late(self, at: int) -> int | None:
        if self.rng.random() > 0.006 or self.version(at) == _OLD:
            return None
        late = int(self.rng.uniform(1.5, 20) * HOUR)
        if at + late >= self.end or at < self.since:
            return None
        self.log.odd["late"] += 1
        return late

    def _message(self, m: Message, at: int, *, kind: str = "sent", late: int | None = None) -> str:
        chat = m.chat
        parts = f'[{{"type":"text","value":"{self.rng.choice(PHRASES)}"}}]' if m.text and kind == "sent" else "[]"
        sender = self.handle(m.sender, chat, me=m.outbound)
        delivered = m.delivered if kind in ("delivered", "read") else None
        read = m.read if kind == "read" else None
        if self.version(at) == _OLD:
            return self._old_message(m, kind, parts, sender)
        group = "true" if chat.is_group else "false"
        owner = self.handle(self.plan.line, chat, me=True)
        direction = "outbound" if m.outbound else "inbound"
        reconciled = f',"reconciled_at":"{iso(m.at + late)}"' if late else ""
        return (
            f'{{"id":"{m.message_id}","chat":{{"id":"{chat.chat_id}","is_group":{group},"owner_handle":{owner},'
            f'"health_status":{self.health(chat, at)}}},"direction":"{direction}","sender_handle":{sender},'
            f'"service":"{chat.service}","preferred_service":null,"parts":{parts},"effect":null,"reply_to":null,'
            f'"idempotency_key":null,"sent_at":"{iso(m.at)}","delivered_at":{_time(delivered)},'
            f'"read_at":{_time(read)}{reconciled}}}'
        )

    def _old_message(self, m: Message, kind: str, parts: str, sender: str) -> str:
        chat, line = m.chat, self.plan.line
        person = m.sender if not m.outbound else chat.people[0]
        target = self.handle(person, chat) if m.outbound else self.handle(line, chat, me=True)
        source, goal = (line, person) if m.outbound else (person, line)
        mine = "true" if m.outbound else "false"
        group = "true" if chat.is_group else "false"
        inner = f',"sent_at":"{iso(m.at)}"' if kind in ("delivered", "read") else ""
        at = {"delivered": m.delivered, "read": m.read}.get(kind, m.at)
        key = '"idempotency_key":null' if m.outbound and kind == "sent" else ""
        column = f"{kind}_at" if m.outbound else "received_at"
        return (
            f'{{"chat_id":"{chat.chat_id}","from":"{source}","from_handle":{sender},"recipient_phone":"{goal}",'
            f'"recipient_handle":{target},"is_from_me":{mine},"is_group":{group},"service":"{chat.service}",'
            f'"preferred_service":null,"message":{{"id":"{m.message_id}","parts":{parts},"effect":null,"reply_to":null{inner}}},'
            f'"{column}":{_time(at)}{"," + key if key else ""}}}'
        )

    def _failed(self, m: Message) -> None:
        assert m.failed is not None
        self.put(
            "message.failed",
            m.failed,
            f'{{"chat_id":"{m.chat.chat_id}","message_id":"{m.message_id}","code":{m.code},"detail_code":{m.code}7,'
            f'"reason":"Message delivery failed","service":"{m.chat.service}","preferred_service":"auto",'
            f'"failed_at":"{iso(m.failed)}"}}',
        )

    def _reaction(self, m: Message) -> None:
        at = m.at + 40 * SECOND
        self.put(
            "reaction.added",
            at,
            f'{{"is_from_me":false,"reaction_type":"like","chat_id":"{m.chat.chat_id}","message_id":"{m.message_id}",'
            f'"reacted_at":"{iso(at)}","from_handle":{self.handle(m.sender, m.chat)},"service":"{m.chat.service}"}}',
        )

    def change(self, c: Change) -> None:
        """Log one change of the line in its generation; generation 1 told of the status only."""
        generation = self.plan.generation
        base = f'{{"phone_number":"{self.plan.line}","previous_status":"{c.status[0]}","new_status":"{c.status[1]}"'
        changed = f',"changed_at":"{iso(c.at)}"}}'
        old = f',"previous_health_status":"{c.health[0]}","new_health_status":"{c.health[1]}"'
        new = f',"previous_reputation":"{c.health[0]}","new_reputation":"{c.health[1]}"'
        kind = "phone_number.status_updated"
        if generation == 1 and c.status[0] != c.status[1]:
            self.put(kind, c.at, base + changed, version=_OLD)
        told = {1: new, 2: old, 3: new + old, 4: new}[generation]
        self.put(kind, c.at, base + told + changed, version=_OLD if generation == 2 else _NEW)

    def assigned(self, plan: Plan) -> None:
        """Log that the line was given to its owner."""
        self.put(
            "phone_number.assigned",
            plan.start + MINUTE,
            f'{{"phone_number":"{plan.line}","changed_at":"{iso(plan.start + MINUTE)}"}}',
        )


def _time(at: int | None) -> str:
    return "null" if at is None else f'"{iso(at)}"'


def deliveries(life: Life, rng: random.Random, *, since: int, end: int, log: Log) -> None:
    """Add to ``log`` every delivery of one line from ``since`` until ``end`` (milliseconds)."""
    writer = _Writer(life, rng, since, end, log)
    if life.plan.old_chats == 0:
        writer.assigned(life.plan)
    for number, chat in enumerate(life.chats):
        if not chat.old and chat.created < end - 2 * SECOND:
            writer.chat(chat, number)
    for message in life.messages:
        writer.message(message)
    for at in dict.fromkeys(c.at for c in life.changes):
        writer.change(next(c for c in life.changes if c.at == at))


def broken(plan: Plan, rng: random.Random, at: int) -> list[tuple[str, str]]:
    """Return deliveries that cannot be used, as (class of reason, text); some hold a text and a plain recipient."""
    person = "+12065551234"

    def event(kind: str, data: str) -> str:
        return envelope(kind, iso(at), _NEW, data, event_id=identifier(rng), trace_id=f"{rng.getrandbits(128):032x}")

    def message(**change: Any) -> str:
        given = {
            "direction": '"inbound"',
            "sent_at": f'"{iso(at)}"',
            "chat": f'"id":"{identifier(rng)}",',
            "id": f'"id":"{identifier(rng)}",',
        }
        given |= change
        return event(
            "message.received",
            f'{{{given["id"]}"chat":{{{given["chat"]}"is_group":false,"owner_handle":{{"handle":"{plan.line}","is_me":true}}}},'
            f'"direction":{given["direction"]},"sender_handle":{{"handle":"{person}","is_me":false}},"service":"iMessage",'
            f'"parts":[{{"type":"text","value":"{PHRASES[0]}"}}],"sent_at":{given["sent_at"]}}}',
        )

    whole = message()
    change = f'{{"phone_number":"{plan.line}","previous_status":"ACTIVE","new_status":"ACTIVE","previous_reputation":"HEALTHY"'
    return [
        ("cut off JSON", whole[: len(whole) * 2 // 3]),
        ("not JSON", "502 Bad Gateway: upstream did not answer"),
        ("NUL bytes", whole[:40] + "\x00\x00" + whole[40:]),
        ("no chat", message(chat="", direction='"outbound"')),
        ("no message id", message(id="")),
        ("year 9999", message(sent_at='"9999-12-31T23:59:59.000Z"')),
        ("time is a number", message(sent_at="1789584120")),
        ("unknown direction", message(direction='"sideways"')),
        ("unknown health", event("phone_number.status_updated", f'{change},"new_reputation":"POOR","changed_at":"{iso(at)}"}}')),
        ("failure of no message", event("message.failed", f'{{"code":4001,"reason":"Message delivery failed","failed_at":"{iso(at)}"}}')),
    ]  # fmt: skip
