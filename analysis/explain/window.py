"""A line's history and its usual in, its asks of a period as they stood at one time out: the inputs of every effect."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple, overload

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


class _Column:
    """A column of a window: of one with only some asks it is cut when first asked for, and kept in place of this."""

    def __set_name__(self, owner: type[Window], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, window: None, owner: type[Window]) -> _Column: ...
    @overload
    def __get__(self, window: Window, owner: type[Window]) -> Array: ...
    def __get__(self, window: Window | None, owner: type[Window]) -> _Column | Array:
        if window is None:
            return self
        whole, rows = window.cut_from
        found: Array = getattr(whole, self._name)[rows]
        window.__dict__[self._name] = found
        return found


class Window:
    """The asks begun in (since, t] as of t, as arrays in order of time; a column means what the field of Seen does.

    Args:
        since: ms.
        t: ms.
        names: of the chats, by number.
        columns: the arrays, by name.
    """

    first = _Column()
    first_ms = _Column()
    """The same, for searches by times that are no whole numbers."""
    last = _Column()
    chat = _Column()
    kind = _Column()
    deep = _Column()
    streak = _Column()
    sends = _Column()
    measured = _Column()
    share = _Column()
    """Share of its replies that come by now."""
    expected = _Column()
    replied = _Column()
    judged = _Column()
    undelivered = _Column()
    opted_out = _Column()

    def __init__(self, since: float, t: int, names: list[str], columns: dict[str, Array]) -> None:
        self.since, self.t, self.names, self._length = since, t, names, len(columns["first"])
        self.__dict__.update(columns)

    cut_from: tuple[Window, Array]
    """Where it holds only some asks of another window: that one, and their places in it."""

    def __len__(self) -> int:
        return self._length

    def of(self, mask: Array) -> Window:
        """Return only the asks under a mask."""
        rows = mask.nonzero()[0]
        if len(rows) == len(self):
            return self
        found = Window.__new__(Window)
        found.since, found.t, found.names, found._length = self.since, self.t, self.names, len(rows)
        found.cut_from = self, rows
        return found

    @cached_property
    def begun(self) -> Array:
        """Which asks the line began in known chats, or answer there, to people that have not opted out."""
        kind = self.kind
        return np.asarray((kind != NEW) & (kind != FOLLOWUP) & ~self.opted_out)

    @cached_property
    def volume(self) -> Array:
        """Which asks count as volume: these, and loops of any class."""
        return np.asarray(self.begun | (self.sends >= CONSTANTS.loop_sends) & ~self.opted_out)

    @cached_property
    def late(self) -> Array:
        """Which asks are late follow-ups, to people that have not opted out."""
        return np.asarray(self.deep & ~self.opted_out)

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
    low, high = history.first_ms.searchsorted((since, t), side="right").tolist()
    part = slice(low, high)
    first, last, sends = history.first[part], history.last[part], history.sends[part]
    running = (last > t).nonzero()[0]
    if len(running):  # asks that go on after t: only their sends up to t are seen
        last, sends = last.copy(), sends.copy()
        for i in running.tolist():
            last[i], sends[i] = history.up_to(low + i, t)
    settled = t - CONSTANTS.settle_seconds * 1000
    gap, reply_at = history.gap_at[part], history.reply_at[part]
    until = np.minimum(
        settled, gap
    )  # in a gap of the deliveries answers were lost: what came by its start tells, of asks until then
    replied = reply_at <= until
    got = (reply_at <= settled) | (history.receipt_at[part] <= t)
    failed = ~got & (history.failed_at[part] <= t)
    by_service = np.array([usual.receipts_usual(s) for s in history.services], dtype=bool)
    here = history.receipts_here[part]
    expects = np.where(here >= 0, here == 1, by_service[history.service[part]] if len(by_service) else False)
    expects &= history.lost[part] > t  # no receipt says nothing while receipts are lost
    late = last <= t - CONSTANTS.receipt_minutes * MINUTE
    opted_out = history.opted_out[part]
    blind = gap <= np.minimum(t, last + CONSTANTS.receipt_minutes * MINUTE)  # the receipt may lie in the gap
    silent = ~got & expects & late
    undelivered = (failed | (silent & ~blind)) & ~opted_out
    measured = ~(failed | silent) & ~opted_out
    share = usual.curve.shares(until - last)
    rates = np.array([usual.reply[kind] for kind in KINDS])
    kind = history.kind[part]
    return Window(
        since,
        t,
        history.chats,
        {
            "first": first,
            "first_ms": history.first_ms[part],
            "last": last,
            "chat": history.chat[part],
            "kind": kind,
            "deep": history.deep[part] & ~undelivered,
            "streak": history.streak[part],
            "sends": sends,
            "measured": measured,
            "share": share,
            "expected": np.where(measured, rates[kind] * share, 0.0),
            "replied": measured & replied,
            "judged": ((first <= t - CONSTANTS.receipt_minutes * MINUTE) | undelivered) & ~opted_out,
            "undelivered": undelivered,
            "opted_out": opted_out,
        },
    )


def seen_asks(history: LineHistory, usual: Usual, since: float, t: int) -> list[Seen]:
    """Return the asks of ``window_of`` as records, for evidence."""
    return window_of(history, usual, since, t).seen
