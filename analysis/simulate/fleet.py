"""The plan of one line in, everything that happened on it out: chats, messages, changes of health, in order of time.

People write back, ignore, get nagged and say STOP; the line answers, opens, follows up and does what its planted episodes say.
The hidden judge (scorer.py) watches every tick; what it decides may make somebody stop an episode.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field

from analysis.simulate.causes import Episode, Plan
from analysis.simulate.rhythm import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    TICK,
    Calendar,
    identifier,
    poisson,
    reply_delay,
)
from analysis.simulate.scorer import Leaky, Scorer, Temper

_PATIENCE = 8 * HOUR
_AREAS = (
    202,
    206,
    213,
    216,
    303,
    305,
    310,
    313,
    317,
    404,
    407,
    412,
    504,
    512,
    515,
    602,
    612,
    614,
    617,
    702,
    704,
    713,
    718,
    801,
    813,
    917,
)
_NAMES = ("alex", "bo", "casey", "dana", "eli", "finn", "gray", "harper", "indigo", "jules", "kit", "lane", "micah", "noor", "oak", "quinn", "remy", "sage")  # fmt: skip


@dataclass(slots=True)
class Chat:
    """One conversation, its people and how they feel about it."""

    chat_id: str
    people: list[str]
    service: str
    created: int
    replies: float
    mood: Leaky
    old: bool
    health: list[tuple[int, str]] = field(default_factory=list)
    streak: int = 0
    ask: int = 0
    waits: bool = False
    last: int = 0
    nags: int = 0
    stopped: bool = False

    @property
    def is_group(self) -> bool:
        """Whether more than one person is on the other side."""
        return len(self.people) > 1

    def say(self, at: int, health: str) -> None:
        """Note the chat's health from now on, where it changes."""
        if self.health[-1][1] != health:
            self.health.append((at, health))


@dataclass(slots=True)
class Message:
    """One message and what became of it; times in milliseconds, None for never."""

    message_id: str
    chat: Chat
    at: int
    outbound: bool
    sender: str
    text: bool
    delivered: int | None = None
    read: int | None = None
    failed: int | None = None
    code: int | None = None


@dataclass(slots=True)
class Change:
    """One change of a line's health or status with its planted cause."""

    at: int
    kind: str
    previous: str
    new: str
    episode: Episode | None
    health: tuple[str, str]
    status: tuple[str, str]


@dataclass
class Life:
    """All that happened on one line."""

    plan: Plan
    chats: list[Chat]
    messages: list[Message]
    changes: list[Change]
    bursts: list[dict[str, object]]


class _Run:
    """One line, tick by tick."""

    def __init__(self, plan: Plan, end: int, seed: int) -> None:
        self.plan, self.end = plan, end
        self.rng = random.Random(f"{seed}/life/{plan.line}")
        self.calendar = Calendar(plan.zone)
        self.scorer = Scorer(
            plan.start,
            openers=plan.volume * plan.openers * 0.8 if plan.old_chats else 1.0,
            people=plan.volume * 1.3,
            sends=plan.volume * 1.9,
        )
        self.chats: list[Chat] = []
        self.messages: list[Message] = []
        self.changes: list[Change] = []
        self.bursts: list[dict[str, object]] = []
        self.queue: list[tuple[int, int, str, Chat | None, int]] = []
        self.order = 0
        self.handles: set[str] = set()
        self.status = "ACTIVE"
        self.flag_until = 0
        self.flag_episode: Episode | None = None
        for _ in range(plan.old_chats):
            self._chat(plan.start - int(self.rng.uniform(2, 120) * DAY), old=True)

    def live(self) -> Life:
        """Let every tick happen."""
        begun: set[int] = set()
        at, day, mood_of_day = self.plan.start, -1, 1.0
        while at < self.end:
            if at // DAY != day:
                day, mood_of_day = at // DAY, self.rng.gammavariate(7.0, 1 / 7.0)
            for number, episode in enumerate(self.plan.episodes):
                if number not in begun and episode.start < at + TICK:
                    begun.add(number)
                    self._begin(episode)
            self._first_sends(at, mood_of_day)
            self._happen(min(at + TICK, self.end))
            at += TICK
            if at < self.end:
                self._judge(at)
        return Life(self.plan, self.chats, self._seen(), self.changes, self.bursts)

    def _seen(self) -> list[Message]:
        """Return the messages in order, without anything that happens after the end."""
        known = sorted((m for m in self.messages if m.at < self.end - 2 * SECOND), key=lambda m: (m.at, m.message_id))
        for m in known:
            m.delivered = m.delivered if m.delivered and m.delivered < self.end else None
            m.read = m.read if m.read and m.delivered and m.read < self.end else None
            if m.failed and m.failed >= self.end:
                m.failed = m.code = None
        return known

    # what the line starts by itself

    def _first_sends(self, at: int, mood_of_day: float) -> None:
        weight = self.calendar.weight(at)
        if weight == 0.0:
            return
        growth = self._growth(at)
        expected = self.plan.volume * weight * mood_of_day * growth
        openers = expected * self.plan.openers / (growth if growth > 1 and not self.plan.healthy_busy else 1)
        for kind, mean in (
            ("open", openers * 0.66),
            ("incoming", expected * self.plan.openers * 0.34),
            ("touch", expected * (1 - self.plan.openers) * (1.4 if self._episode("ignored", at) else 1.0)),
        ):
            for _ in range(poisson(self.rng, mean)):
                self._plan_event(at + self.rng.randrange(TICK), kind)

    def _growth(self, at: int) -> float:
        for e in self.plan.episodes:
            if e.kind in ("growth", "growth_ignored") and e.active(at):
                full = 1.2 if e.kind == "growth" else 1.1
                return 1 + full * e.strength * min(1.0, (at - e.start) / (2 * DAY) + 0.3)
        return 1.0

    def _begin(self, e: Episode) -> None:
        """Plan the sends of an episode that happens in one go."""
        rng = self.rng
        if e.kind == "burst":
            count, span = int(66 * e.strength), int(2.6 * HOUR)
            times = sorted(e.start + rng.randrange(span) for _ in range(count))
            for at in times:
                self._plan_event(at, "open")
            self._burst("new_conversations", times)
        elif e.kind == "blast":
            known = [c for c in self.chats if not c.stopped and not c.is_group and c.last]
            known += [c for c in self.chats if not c.stopped and not c.is_group and not c.last]
            chosen = known[: int(170 * e.strength)]
            times = sorted(e.start + rng.randrange(40 * MINUTE) for _ in chosen)
            for at, chat in zip(times, chosen, strict=True):
                self._plan_event(at, "touch", chat)
            self._burst("recipient_spread", times)
        elif e.kind == "loop":
            chosen = [c for c in self.chats if not c.stopped and not c.is_group][-4:]
            times = []
            for chat in chosen:
                at = e.start + rng.randrange(9 * SECOND)
                while at < e.start + 34 * MINUTE * e.strength:
                    self._plan_event(at, "loop", chat)
                    times.append(at)
                    at += int(rng.uniform(8, 16) * SECOND)
            self._burst("send_pace", sorted(times))
        elif e.kind == "opt_outs":
            awake = [c for c in self.chats if not c.stopped and not c.is_group and c.last]
            for chat in awake[-int(17 * e.strength) :]:
                self._plan_event(e.start + rng.randrange(5 * HOUR), "campaign", chat)
        elif e.kind in ("flag", "spontaneous"):
            self._plan_event(e.start, e.kind)

    def _burst(self, kind: str, times: list[int]) -> None:
        inside = [t for t in times if t < self.end]
        if inside:
            self.bursts.append({"kind": kind, "start": inside[0], "end": inside[-1], "count": len(inside)})

    def _plan_event(self, at: int, kind: str, chat: Chat | None = None, number: int = 0) -> None:
        self.order += 1
        heapq.heappush(self.queue, (at, self.order, kind, chat, number))

    # what happens

    def _happen(self, until: int) -> None:
        while self.queue and self.queue[0][0] < until:
            at, _, kind, chat, number = heapq.heappop(self.queue)
            if kind == "flag":
                self._flag(at)
            elif kind == "spontaneous":
                episode = self._episode("spontaneous", at)
                if episode:
                    self.scorer.hold(at, 1.3, episode.stop)
            elif kind == "open":
                self._send(self._chat(at), at, kind)
            elif kind == "incoming":
                self._receive(self._chat(at), at)
            elif kind == "touch":
                target = chat or self._pick(at)
                if target:
                    self._send(target, at, kind)
            elif chat is not None:
                self._in_chat(at, kind, chat, number)

    def _in_chat(self, at: int, kind: str, chat: Chat, number: int) -> None:
        if kind == "reply":
            self._receive(chat, at)
        elif kind == "more":
            self._inbound(chat, at)
        elif kind == "stop":
            self._stop(chat, at)
        elif kind == "judge":
            if chat.waits and chat.ask == number:
                self._ignored(chat, at)
        elif kind == "nag":
            if chat.ask == number and chat.waits and not chat.stopped:
                chat.nags += 1
                self._send(chat, at, kind)
        elif kind == "campaign" or kind in ("answer", "loop", "after_stop"):
            self._send(chat, at, kind)

    def _pick(self, at: int) -> Chat | None:
        patient = 2 if self._ignoring(at) is None else 5
        for _ in range(12):
            chat = self.chats[self.rng.randrange(len(self.chats))] if self.chats else None
            if chat and not chat.stopped and at - chat.last > 20 * HOUR and chat.streak < patient:
                return chat
        return None

    def _episode(self, kind: str, at: int) -> Episode | None:
        return next((e for e in self.plan.episodes if e.kind == kind and e.active(at)), None)

    def _ignoring(self, at: int) -> Episode | None:
        return self._episode("ignored", at) or self._episode("growth_ignored", at)

    def _appeal(self, chat: Chat, at: int, kind: str) -> float:
        """Return the chance that this ask is answered, and note which episodes lowered it."""
        chance = chat.replies * 0.78**chat.streak
        if kind == "open":
            chance *= 0.8
        if kind == "answer":
            chance *= 0.8
        for e in self.plan.episodes:
            if not e.active(at):
                continue
            if e.kind in ("ignored", "growth_ignored") and kind != "nag":
                chance *= 0.4 if kind == "answer" else 0.07 / e.strength
                e.touch(at)
            elif e.kind == "burst" and kind == "open":
                chance *= 0.45
                e.touch(at)
            elif e.kind == "blast" and kind == "touch":
                chance *= 0.4
                e.touch(at)
            elif e.kind == "nagging" and kind == "nag":
                chance *= 0.3
        return chance

    def _send(self, chat: Chat, at: int, kind: str) -> None:
        """Write to a chat: one message, sometimes two; then people answer or do not."""
        rng, scorer = self.rng, self.scorer
        if at < self.flag_until and rng.random() > 0.12:
            return
        if chat.stopped != (kind == "after_stop"):
            return
        if kind == "after_stop":
            going_on = self._episode("opt_outs", at)
            if going_on is None:
                return
            going_on.touch(at)
        chance = self._appeal(chat, at, kind)
        if kind == "open":
            scorer.opened(at)
        if kind != "loop" or at - chat.last > 5 * MINUTE:
            scorer.asked(at)
        arrived = False
        when = at
        for _ in range(2 if kind != "loop" and rng.random() < 0.14 else 1):
            arrived = self._outbound(chat, when, kind) or arrived
            when += int(rng.uniform(5, 50) * SECOND)
        if kind == "after_stop":
            return
        nag = self._episode("nagging", at)
        if kind == "nag" and nag and chat.nags >= 2:
            nag.touch(at)
        if chat.waits:
            chat.streak += 0 if kind == "loop" else 1
        chat.ask, chat.waits = chat.ask + 1, True
        if kind == "loop":
            e = self._episode("loop", at)
            if e:
                e.touch(at)
            chance = 0.002
        if kind == "campaign":
            delay = max(2 * MINUTE, int(rng.gauss(40, 25) * MINUTE))
            self._plan_event(at + delay, "stop", chat)
        elif arrived and rng.random() < chance:
            answer = reply_delay(rng)
            self._plan_event(self.calendar.awake(at + answer, rng), "reply", chat)
        elif arrived and not chat.is_group and rng.random() < 0.006 * (1 + chat.streak):
            self._plan_event(self.calendar.awake(at + reply_delay(rng), rng), "stop", chat)
        if kind != "loop" or rng.random() < 0.02:
            self._plan_event(at + _PATIENCE, "judge", chat, chat.ask)

    def _outbound(self, chat: Chat, at: int, kind: str) -> bool:
        """Put one message on the wire; return whether it arrived."""
        rng = self.rng
        message = Message(identifier(rng), chat, at, True, self.plan.line, rng.random() < 0.1)
        self.messages.append(message)
        chat.last = at
        self.scorer.sent(at)
        if kind == "after_stop":
            self.scorer.wrote_after_stop(chat.mood, at)
            self._feel(chat, at)
        failures = self._episode("failures", at)
        risk = 0.006 if failures is None else 0.52 * failures.strength
        if at < self.flag_until:
            risk = 0.9
        if rng.random() < risk:
            message.failed = at + int(rng.uniform(2, 40) * SECOND)
            message.code = 3007 if rng.random() < 0.25 else 4001
            if failures:
                failures.touch(at)
            if rng.random() < 0.06 and chat.service == "iMessage":  # it arrives after all: the delivery wins
                message.delivered = message.failed + int(rng.uniform(0.2, 5) * HOUR)
            else:
                self.scorer.failed(chat.mood, at)
                self._feel(chat, at)
                return False
        elif chat.service == "iMessage" and rng.random() < 0.985:
            message.delivered = at + int(rng.uniform(0.4, 3.0) * SECOND)
        if message.delivered and rng.random() < 0.55:
            message.read = self.calendar.awake(message.delivered + reply_delay(rng) // 3, rng)
        return True

    def _receive(self, chat: Chat, at: int) -> None:
        """A person writes; mostly the line answers."""
        self._inbound(chat, at)
        if self.rng.random() < 0.22:
            self._plan_event(at + int(self.rng.uniform(10, 150) * SECOND), "more", chat)
        if self.rng.random() < 0.62 and at >= self.flag_until:
            answer = at + int(self.rng.lognormvariate(1.5, 0.9) * MINUTE) + 20 * SECOND
            self._plan_event(self.calendar.at_work(answer, self.rng), "answer", chat)

    def _inbound(self, chat: Chat, at: int) -> None:
        sender = chat.people[self.rng.randrange(len(chat.people))]
        self.messages.append(Message(identifier(self.rng), chat, at, False, sender, self.rng.random() < 0.1))
        chat.last, chat.streak, chat.nags, chat.waits, chat.stopped = at, 0, 0, False, False
        self.scorer.calmed(chat.mood, at)
        self._feel(chat, at)

    def _stop(self, chat: Chat, at: int) -> None:
        """A person asks not to be written to; an episode may write all the same."""
        if chat.stopped:
            return
        self._inbound(chat, at)
        chat.stopped = True
        chat.say(at, "OPTED_OUT")
        if self._episode("opt_outs", at):
            self._go_on(chat, at)

    def _go_on(self, chat: Chat, at: int) -> None:
        rng = self.rng
        for n in range(16):
            later = self.calendar.at_work(at + int((3 + 12 * n + rng.uniform(0, 8)) * HOUR), rng)
            self._plan_event(later, "after_stop", chat)

    def _ignored(self, chat: Chat, at: int) -> None:
        """Nobody answered in time: annoyance, and perhaps a follow-up."""
        rng = self.rng
        self.scorer.ignored(chat.mood, at, chat.streak)
        self._feel(chat, at)
        if chat.stopped or chat.is_group:
            return
        if self._episode("nagging", at) and chat.nags < 8:
            if rng.random() < 0.92:
                self._plan_event(self.calendar.at_work(at + int(rng.uniform(1, 7) * HOUR), rng), "nag", chat, chat.ask)
        elif chat.nags < 1 and rng.random() < 0.12:
            self._plan_event(self.calendar.at_work(at + int(rng.uniform(16, 40) * HOUR), rng), "nag", chat, chat.ask)

    def _feel(self, chat: Chat, at: int) -> None:
        if not chat.stopped:
            chat.say(at, self.scorer.chat_health(chat.mood, at, chat.health[-1][1]))

    def _chat(self, at: int, *, old: bool = False) -> Chat:
        rng = self.rng
        group = rng.random() < 0.03
        people = [self._handle() for _ in range(rng.randrange(2, 5) if group else 1)]
        mail = any("@" in p for p in people)
        service = "iMessage" if mail or rng.random() < 0.85 else "SMS"
        mean = self.plan.replies
        chat = Chat(
            identifier(rng),
            people,
            service,
            at,
            rng.betavariate(6 * mean, 6 * (1 - mean)),
            Leaky(Temper().mood_half_life, self.plan.start),
            old,
        )
        chat.health.append((at, "HEALTHY"))
        self.chats.append(chat)
        return chat

    def _handle(self) -> str:
        while True:
            if self.rng.random() < 0.08:
                handle = f"{self.rng.choice(_NAMES)}.{self.rng.choice(_NAMES)}{self.rng.randrange(1000)}@example.com"
            else:
                handle = f"+1{self.rng.choice(_AREAS)}555{self.rng.randrange(1000, 10000)}"
            if handle not in self.handles:
                self.handles.add(handle)
                return handle

    # what the judge says

    def _flag(self, at: int) -> None:
        episode = self._episode("flag", at)
        if episode is None:
            return
        episode.touch(at)
        at -= at % SECOND
        self.flag_until, self.flag_episode = episode.stop, episode
        self.scorer.hold(at, 1.9, episode.stop + 12 * HOUR)
        new = self.scorer.judge(at) or self.scorer.health
        self._changed(at, health=new, status="FLAGGED", episode=episode)

    def _judge(self, at: int) -> None:
        new = self.scorer.judge(at)
        freed = self.status == "FLAGGED" and at >= self.flag_until
        if new is None and not freed:
            return
        moment = at - self.rng.randrange(1, 25 * 60) * SECOND
        health = new or self._health()
        episode = self.flag_episode if freed and new is None else self._cause(moment, new or "")
        self._changed(moment, health=health, status="ACTIVE" if freed else self.status, episode=episode)

    def _health(self) -> str:
        return self.changes[-1].health[1] if self.changes else "HEALTHY"

    def _cause(self, at: int, new: str) -> Episode | None:
        begun = [e for e in self.plan.episodes if e.driver and (e.onset if e.onset is not None else e.start) <= at]
        return max(begun, key=lambda e: e.start) if begun else None

    def _changed(self, at: int, *, health: str, status: str, episode: Episode | None) -> None:
        healths, statuses = (self._health(), health), (self.status, status)
        self.status = status
        for kind, (previous, new) in (("status", statuses), ("health", healths)):
            if previous != new:
                self.changes.append(Change(at, kind, previous, new, episode, healths, statuses))
        if health in ("AT_RISK", "CRITICAL") and episode is not None and episode.kind != "flag":
            episode.noticed(at)


def live(plan: Plan, *, end: int, seed: int) -> Life:
    """Return everything that happens on one line until ``end`` (milliseconds); equal arguments give equal lives."""
    return _Run(plan, end, seed).live()
