"""One line's span, size and episodes in, all its messages as arrays out: conversations in rounds, every chat of the line at once.

Odds and delays are those of the slow simulator (`analysis/simulate/talk.py`); what is left out is its judge and its webhooks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.bench.clock import WEEKDAY, Clock, Floats, Mask, Times, reply_delays
from analysis.bench.planted import Episode
from analysis.simulate.rhythm import DAY, HOUR, MINUTE, SECOND

OPEN, TOUCH, ANSWER, NAG, INCOMING = range(5)
"""Why a session or a send begins: a brand-new chat, a known one, an answer, a follow-up, or they wrote first."""
DAYS_BEFORE = 90
"""Chats begin up to so long before the span: those that go on are known ones."""
MESSAGES_A_CHAT = 16.0
"""About how many messages a chat has inside the span: a first guess of how many chats a line needs."""
ROUNDS = 12
THEY_BEGIN = 0.25
"""Share of chats, and of later sessions, that the other side begins."""
GROUPS, SMS = 0.03, 0.15
LIKES = 0.62
"""Mean chance that a person answers an ask."""
ANSWERED, AGAIN, TWICE = 0.62, 0.22, 0.14
"""Chances that the line answers a reply, that a person writes a second time, that a send is two messages."""
FAILS, LATE = 0.006, 0.06
"""Chances that a send fails, and that a failed one arrives after all."""
NAGS = 0.12


@dataclass(frozen=True)
class Life:
    """One line's messages, an element a message; ``chat`` points into the arrays of chats. Instants in milliseconds, 0 where none."""

    chat: NDArray[np.int64]
    at: Times
    outbound: Mask
    delivered: Times
    read: Times
    failed: Times
    code: NDArray[np.int64]
    first: Times  # per chat: when it began, inside the span or before
    group: Mask  # per chat
    sms: Mask  # per chat


class Line:
    """The people of one line and what it does to them."""

    def __init__(
        self, rng: np.random.Generator, clock: Clock, start: int, end: int, planted: list[Episode], chats: int
    ) -> None:
        """Decide who there is, and when each chat begins."""
        self.rng, self.clock, self.start, self.end, self.planted = rng, clock, start, end, planted
        first_day, days = start // DAY - DAYS_BEFORE, (end - start) // DAY + DAYS_BEFORE
        weekday = (first_day + np.arange(days) + 3) % 7
        self.first_day, self.mood = first_day, WEEKDAY[weekday] * rng.gamma(7.0, 1 / 7.0, days)
        begins = first_day + rng.choice(days, size=chats, p=self.mood / self.mood.sum())
        self.first = clock.in_office(begins, rng)
        self.begun = np.where(rng.random(chats) < THEY_BEGIN, INCOMING, OPEN)
        for e in planted:
            if e.kind == "burst":
                extra = max(20, int(chats / days * rng.uniform(2.5, 6)))
                self.first = np.concatenate([self.first, rng.integers(e.start, e.stop, extra)])
                self.begun = np.concatenate([self.begun, np.full(extra, OPEN)])
        self.chats = len(self.first)
        self.likes = rng.beta(6 * LIKES, 6 * (1 - LIKES), self.chats)
        self.group = rng.random(self.chats) < GROUPS
        self.sms = rng.random(self.chats) < SMS
        self.parts: list[tuple[NDArray[np.int64], Times, Mask, Mask]] = []

    def live(self) -> None:
        """Let every session happen."""
        chat, at, kind = self._sessions()
        inside = (at >= self.start - DAY) & (at < self.end)
        chat, at, kind = chat[inside], at[inside], kind[inside]
        theirs = kind == INCOMING
        a_chat, a_at = self._inbound(chat[theirs], at[theirs])
        chat, at = np.concatenate([chat[~theirs], a_chat]), np.concatenate([at[~theirs], a_at])
        kind = np.concatenate([kind[~theirs], np.full(len(a_chat), ANSWER)])
        streak = np.zeros(len(chat), dtype=np.int64)
        for _ in range(ROUNDS):
            if not len(chat):
                break
            chat, at, kind, streak = self._round(chat, at, kind, streak)

    def _sessions(self) -> tuple[NDArray[np.int64], Times, NDArray[np.int64]]:
        """Return when who takes up a chat: its begin, later days with a long-tailed count, and the blasts to known people."""
        rng = self.rng
        more = np.floor(rng.lognormal(np.log(1.6 + 5.4 * self.likes), 0.9)).astype(np.int64).clip(0, 40)
        chat = np.repeat(np.arange(self.chats), more)
        gap = np.ceil(rng.lognormal(np.log(5.0), 1.0, len(chat))).astype(np.int64)
        total = np.cumsum(gap)
        ends = np.cumsum(more)
        before = np.repeat(np.concatenate([[0], total])[ends - more], more)
        day = self.first[chat] // DAY + total - before
        place = day - self.first_day
        known = place < len(self.mood)
        busy = self.mood[np.where(known, place, 0)] / WEEKDAY.max()
        taken = known & (rng.random(len(chat)) < busy)
        chat = chat[taken]
        at = self.clock.in_office(day[taken], rng)
        kind = np.where(rng.random(len(chat)) < THEY_BEGIN, INCOMING, TOUCH)
        chats, times, kinds = [np.arange(self.chats), chat], [self.first, at], [self.begun, kind]
        for e in self.planted:
            if e.kind == "blast":
                people = np.flatnonzero(self.first < e.start)
                size = min(len(people), max(40, int(len(at) / len(self.mood) * rng.uniform(2.5, 6))))
                chats.append(rng.choice(people, size, replace=False))
                times.append(rng.integers(e.start, e.stop, size))
                kinds.append(np.full(size, TOUCH))
        return np.concatenate(chats), np.concatenate(times), np.concatenate(kinds)

    def _inside(self, kind: str, at: Times) -> Mask:
        inside = np.zeros(len(at), dtype=bool)
        for e in self.planted:
            if e.kind == kind:
                inside |= (at >= e.start) & (at < e.stop)
        return inside

    def _inbound(self, chat: NDArray[np.int64], at: Times) -> tuple[NDArray[np.int64], Times]:
        """People write, some twice; return where the line answers, and when."""
        rng = self.rng
        self._keep(chat, at, outbound=False)
        again = rng.random(len(chat)) < AGAIN
        self._keep(chat[again], at[again] + rng.integers(10 * SECOND, 150 * SECOND, again.sum()), outbound=False)
        answered = rng.random(len(chat)) < ANSWERED
        later = (rng.lognormal(1.5, 0.9, answered.sum()) * MINUTE).astype(np.int64) + 20 * SECOND
        return chat[answered], self.clock.at_work(at[answered] + later, rng)

    def _outbound(self, chat: NDArray[np.int64], at: Times) -> Mask:
        """Put sends on the wire; return which arrived."""
        rng = self.rng
        risk = np.where(self._inside("failures", at), 0.5, FAILS)
        risk = np.where(self._inside("flag", at), 0.85, risk)
        failed = rng.random(len(chat)) < risk
        self._keep(chat, at, outbound=True, failed=failed)
        twice = rng.random(len(chat)) < TWICE
        second = rng.random(twice.sum()) < risk[twice]
        self._keep(chat[twice], at[twice] + rng.integers(5 * SECOND, 50 * SECOND, twice.sum()), outbound=True, failed=second)  # fmt: skip
        arrived = ~failed
        arrived[twice] |= ~second
        return arrived

    def _keep(self, chat: NDArray[np.int64], at: Times, *, outbound: bool, failed: Mask | None = None) -> None:
        none = np.zeros(len(chat), dtype=bool)
        self.parts.append((chat, at, np.full(len(chat), outbound), none if failed is None else failed))

    def _chance(self, chat: NDArray[np.int64], at: Times, kind: NDArray[np.int64], streak: NDArray[np.int64]) -> Floats:
        """Return the chance that each ask is answered; ignored campaigns, bursts, blasts and nagging lower it."""
        chance = self.likes[chat] * 0.78**streak
        chance *= np.where((kind == OPEN) | (kind == ANSWER), 0.8, 1.0)
        chance *= np.where(self._inside("ignored", at) & (kind != NAG), 0.25, 1.0)
        chance *= np.where(self._inside("burst", at) & (kind == OPEN), 0.45, 1.0)
        chance *= np.where(self._inside("blast", at) & (kind == TOUCH), 0.4, 1.0)
        chance *= np.where(self._inside("nagging", at) & (kind == NAG), 0.3, 1.0)
        return chance

    def _round(
        self, chat: NDArray[np.int64], at: Times, kind: NDArray[np.int64], streak: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], Times, NDArray[np.int64], NDArray[np.int64]]:
        """One send a session, its reply or silence, and what the line sends next."""
        rng = self.rng
        going = at < self.end
        chat, at, kind, streak = chat[going], at[going], kind[going], streak[going]
        arrived = self._outbound(chat, at)
        replied = arrived & (rng.random(len(chat)) < self._chance(chat, at, kind, streak))
        replies = self.clock.awake(at[replied] + reply_delays(int(replied.sum()), rng), rng)
        a_chat, a_at = self._inbound(chat[replied], replies)
        nagging = self._inside("nagging", at)
        odds = np.where(nagging, np.where(streak < 6, 0.92, 0.0), np.where(streak < 1, NAGS, 0.0))
        nags = ~replied & ~self.group[chat] & (rng.random(len(chat)) < odds)
        wait = np.where(nagging, rng.uniform(1, 7, len(chat)), rng.uniform(16, 40, len(chat)))[nags] * HOUR
        n_at = self.clock.at_work(at[nags] + wait.astype(np.int64), rng)
        return (
            np.concatenate([a_chat, chat[nags]]),
            np.concatenate([a_at, n_at]),
            np.concatenate([np.full(len(a_chat), ANSWER), np.full(len(n_at), NAG)]),
            np.concatenate([np.zeros(len(a_chat), dtype=np.int64), streak[nags] + 1]),
        )


def live(
    rng: np.random.Generator, clock: Clock, *, start: int, end: int, messages: int, planted: list[Episode]
) -> Life:
    """Return a line's life of exactly so many messages between ``start`` and ``end`` (milliseconds, at midnight UTC)."""
    chats = int(messages / MESSAGES_A_CHAT * 1.1) + 10
    while True:
        line = Line(rng, clock, start, end, planted, chats)
        line.live()
        chat, at, outbound, failed = (np.concatenate(column) for column in zip(*line.parts, strict=True))
        seen = np.flatnonzero((at >= start) & (at < end - 2 * SECOND))
        if len(seen) >= messages:
            break
        chats = int(chats * max(1.05, 1.05 * messages / max(len(seen), 1)))
    kept = seen[_cut(chat[seen], at[seen], messages, rng.permutation(line.chats))]
    return _wired(line, chat[kept], at[kept], outbound[kept], failed[kept])


def _cut(chat: NDArray[np.int64], at: Times, messages: int, rank: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of exactly so many messages: whole chats in random order, the last one without its end."""
    return np.lexsort((at, rank[chat]))[:messages]


def _wired(line: Line, chat: NDArray[np.int64], at: Times, outbound: Mask, failed: Mask) -> Life:
    """Add what the network tells: deliveries, reads, failures; nothing from after the end."""
    rng, n = line.rng, len(chat)
    rich = ~line.sms[chat]
    failed_at = np.where(failed, at + rng.integers(2 * SECOND, 40 * SECOND, n), 0)
    arrives = outbound & rich & ~failed & (rng.random(n) < 0.985)
    delivered = np.where(arrives, at + rng.integers(400, 3 * SECOND, n), 0)
    late = failed & rich & (rng.random(n) < LATE)
    delivered = np.where(late, failed_at + (rng.uniform(0.2, 5, n) * HOUR).astype(np.int64), delivered)
    is_read = (delivered > 0) & (rng.random(n) < 0.55)
    read = np.where(is_read, line.clock.awake(delivered + reply_delays(n, rng) // 3, rng), 0)
    code = np.where(failed, np.where(rng.random(n) < 0.25, 3007, 4001), 0)
    delivered, failed_at = (np.where(t < line.end, t, 0) for t in (delivered, failed_at))
    read = np.where((read < line.end) & (delivered > 0), read, 0)
    code = np.where(failed_at > 0, code, 0)
    return Life(chat, at, outbound, delivered, read, failed_at, code, line.first, line.group, line.sms)
