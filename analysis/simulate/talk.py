"""What people and the line do in single chats: asks, answers, silence, follow-ups, failures and STOP, as planted episodes bend them.

In goes what is due in a chat, out come messages, the next things due, and word to the hidden judge.
"""

from __future__ import annotations

import heapq
import random

from analysis.simulate.causes import Episode, Plan
from analysis.simulate.records import Chat, Message
from analysis.simulate.rhythm import DAY, HOUR, MINUTE, SECOND, Calendar, identifier, reply_delay
from analysis.simulate.scorer import Leaky, Scorer, Temper

_PATIENCE = 8 * HOUR
_AREAS = (202, 206, 213, 216, 303, 305, 310, 313, 317, 404, 407, 412, 504, 512, 515, 602, 612, 614, 617, 702, 704, 713)
_NAMES = ("alex", "bo", "casey", "dana", "eli", "finn", "gray", "harper", "indigo", "jules", "kit", "lane", "noor", "quinn")  # fmt: skip


class Talk:
    """All chats of one line, and what is due in them."""

    def __init__(self, plan: Plan, seed: int) -> None:
        """Know the chats from before the export."""
        self.plan = plan
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
        self.queue: list[tuple[int, int, str, Chat | None, int]] = []
        self.order = 0
        self.handles: set[str] = set()
        self.flag_until = 0
        for _ in range(plan.old_chats):
            self._chat(plan.start - int(self.rng.uniform(2, 120) * DAY), old=True)

    def _plan_event(self, at: int, kind: str, chat: Chat | None = None, number: int = 0) -> None:
        self.order += 1
        heapq.heappush(self.queue, (at, self.order, kind, chat, number))

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
        else:
            self._send(chat, at, kind)

    def _episode(self, kind: str, at: int) -> Episode | None:
        return next((e for e in self.plan.episodes if e.kind == kind and e.active(at)), None)

    def _ignoring(self, at: int) -> Episode | None:
        return self._episode("ignored", at) or self._episode("growth_ignored", at)

    def _appeal(self, chat: Chat, at: int, kind: str) -> float:
        """Return the chance that this ask is answered, and note which episodes lowered it."""
        chance = chat.replies * 0.78**chat.streak
        if kind in ("open", "answer"):
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
        elif arrived and kind != "loop" and not chat.is_group and rng.random() < 0.006 * (1 + chat.streak):
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
