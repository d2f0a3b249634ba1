"""The plan of one line in, everything that happened on it out: chats, messages, changes of health, in order of time.

Tick by tick the line takes up conversations in its office rhythm, its planted episodes begin and end, and the hidden judge
(scorer.py) looks at it; what it decides may make somebody stop an episode.
"""

from __future__ import annotations

import heapq

from analysis.schema import HEALTHS
from analysis.simulate.causes import Episode, Plan
from analysis.simulate.records import Burst, Change, Chat, Life, Message
from analysis.simulate.rhythm import DAY, HOUR, MINUTE, SECOND, TICK, poisson
from analysis.simulate.talk import Talk


class _Run(Talk):
    """One line, tick by tick."""

    def __init__(self, plan: Plan, end: int, seed: int) -> None:
        super().__init__(plan, seed)
        self.end = end
        self.changes: list[Change] = []
        self.bursts: list[Burst] = []
        self.status = "ACTIVE"
        self.spell: Episode | None = None  # what made the line worse last

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
            self.bursts.append(Burst(kind, inside[0], inside[-1], len(inside)))

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

    def _pick(self, at: int) -> Chat | None:
        patient = 2 if self._ignoring(at) is None else 5
        for _ in range(12):
            chat = self.chats[self.rng.randrange(len(self.chats))] if self.chats else None
            if chat and not chat.stopped and at - chat.last > 20 * HOUR and chat.streak < patient:
                return chat
        return None

    def _flag(self, at: int) -> None:
        episode = self._episode("flag", at)
        if episode is None:
            return
        at -= at % SECOND
        episode.touch(at)
        self.flag_until = episode.stop
        self.scorer.hold(at, 1.9, episode.stop + 12 * HOUR)
        new = self.scorer.judge(at) or self.scorer.health
        self._changed(at, health=new, status="FLAGGED", episode=episode)

    def _judge(self, at: int) -> None:
        new = self.scorer.judge(at)
        freed = self.status == "FLAGGED" and at >= self.flag_until
        if new is None and not freed:
            return
        moment = min(at - at % SECOND + self.rng.randrange(1, 20 * 60) * SECOND, self.end - SECOND)
        health = new or self._health()
        better = new is not None and HEALTHS.index(health) < HEALTHS.index(self._health())
        episode = self.spell if better or new is None else self._cause(moment)
        self._changed(moment, health=health, status="ACTIVE" if freed else self.status, episode=episode)

    def _health(self) -> str:
        return self.changes[-1].health[1] if self.changes else "HEALTHY"

    def _cause(self, at: int) -> Episode | None:
        begun = [e for e in self.plan.episodes if e.driver and (e.onset if e.onset is not None else e.start) <= at]
        return max(begun, key=lambda e: e.start) if begun else None

    def _changed(self, at: int, *, health: str, status: str, episode: Episode | None) -> None:
        healths, statuses = (self._health(), health), (self.status, status)
        self.status, self.spell = status, episode
        for kind, (previous, new) in (("status", statuses), ("health", healths)):
            if previous != new:
                self.changes.append(Change(at, kind, previous, new, episode, healths, statuses))
        if health in ("AT_RISK", "CRITICAL") and episode is not None and episode.kind != "flag":
            episode.noticed(at)


def live(plan: Plan, *, end: int, seed: int) -> Life:
    """Return everything that happens on one line until ``end`` (milliseconds); equal arguments give equal lives."""
    return _Run(plan, end, seed).live()
