"""A line's history and its usual in, its asks of a period as they stood at one time out: the inputs of every effect."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from analysis.explain.baseline import Usual
from analysis.explain.constants import CONSTANTS, KINDS, MINUTE
from analysis.explain.history import LineHistory
from analysis.explain.running import Array

NEW, ANSWER, FOLLOWUP, TOUCH = (KINDS.index(kind) for kind in ("new", "answer", "followup", "touch"))


class Seen(NamedTuple):
    """One ask as of t: expected and observed replies, sends so far, and what became of it."""

    first: int
    chat: str
    kind: str
    deep: bool
    streak: int
    sends: int
    measured: bool
    expected: float
    replied: bool
    judged: bool
    undelivered: bool
    opted_out: bool


@dataclass(frozen=True)
class Window:
    """The asks begun in (since, t] as of t, as arrays in order of time; a column means what the field of Seen does."""

    since: float
    t: int
    names: list[str]
    first: Array
    last: Array
    chat: Array
    kind: Array
    deep: Array
    streak: Array
    sends: Array
    measured: Array
    share: Array
    """Share of its replies that come by now."""
    expected: Array
    replied: Array
    judged: Array
    undelivered: Array
    opted_out: Array

    def __len__(self) -> int:
        return len(self.first)

    def of(self, mask: Array) -> Window:
        """Return only the asks under a mask."""
        rows = np.flatnonzero(mask)
        if len(rows) == len(self):
            return self
        return Window(
            self.since,
            self.t,
            self.names,
            self.first[rows],
            self.last[rows],
            self.chat[rows],
            self.kind[rows],
            self.deep[rows],
            self.streak[rows],
            self.sends[rows],
            self.measured[rows],
            self.share[rows],
            self.expected[rows],
            self.replied[rows],
            self.judged[rows],
            self.undelivered[rows],
            self.opted_out[rows],
        )

    @cached_property
    def seen(self) -> list[Seen]:
        """The same as records, for evidence."""
        columns = zip(
            self.first.tolist(),
            [self.names[i] for i in self.chat.tolist()],
            [KINDS[i] for i in self.kind.tolist()],
            self.deep.tolist(),
            self.streak.tolist(),
            self.sends.tolist(),
            self.measured.tolist(),
            self.expected.tolist(),
            self.replied.tolist(),
            self.judged.tolist(),
            self.undelivered.tolist(),
            self.opted_out.tolist(),
            strict=True,
        )
        return list(map(Seen._make, columns))


def window_of(history: LineHistory, usual: Usual, since: float, t: int) -> Window:
    """Return the asks begun in (since, t] as of t.

    Expected replies are the usual rate of the ask's class times the share of replies that come by now; asks that were
    not delivered, or went to opted-out chats, expect none (else failures look like disengagement). Silence about a
    delivery is judged only where receipts are usual in that chat on that service, as known by then, and where the chat
    is too young to tell, on that service of the line; an explicit failure always counts (method sheet, 4b).
    """
    low, high = np.searchsorted(history.first_ms, (since, t), side="right")
    part = slice(int(low), int(high))
    first, last, sends = history.first[part], history.last[part], history.sends[part]
    running = np.flatnonzero(last > t)
    if len(running):  # asks that go on after t: only their sends up to t are seen
        last, sends = last.copy(), sends.copy()
        for i in running:
            last[i], sends[i] = history.up_to(int(low) + int(i), t)
    settled = t - CONSTANTS.settle_seconds * 1000
    gap = history.gap_at[part]
    until = np.minimum(
        settled, gap
    )  # in a gap of the deliveries answers were lost: what came by its start tells, of asks until then
    replied = history.reply_at[part] <= until
    got = (history.reply_at[part] <= settled) | (history.receipt_at[part] <= t)
    failed = ~got & (history.failed_at[part] <= t)
    by_service = np.array([usual.receipts_usual(s) for s in history.services], dtype=bool)
    here = history.receipts_here[part]
    expects = np.where(here >= 0, here == 1, by_service[history.service[part]] if len(by_service) else False)
    expects &= history.lost[part] > t  # no receipt says nothing while receipts are lost
    late = last <= t - CONSTANTS.receipt_minutes * MINUTE
    opted_out = history.opted_out[part]
    blind = gap <= np.minimum(t, last + CONSTANTS.receipt_minutes * MINUTE)  # the receipt may lie in the gap
    undelivered = ~got & (failed | (expects & late & ~blind)) & ~opted_out
    measured = ~(failed | (~got & expects & late)) & ~opted_out
    share = usual.curve.shares(until - last)
    rates = np.array([usual.reply[kind] for kind in KINDS])
    kind = history.kind[part]
    return Window(
        since,
        t,
        history.chats,
        first,
        last,
        history.chat[part],
        kind,
        history.deep[part] & ~undelivered,
        history.streak[part],
        sends,
        measured,
        share,
        np.where(measured, rates[kind] * share, 0.0),
        measured & replied,
        ((first <= t - CONSTANTS.receipt_minutes * MINUTE) | undelivered) & ~opted_out,
        undelivered,
        opted_out,
    )


def seen_asks(history: LineHistory, usual: Usual, since: float, t: int) -> list[Seen]:
    """Return the asks of ``window_of`` as records, for evidence."""
    return window_of(history, usual, since, t).seen
