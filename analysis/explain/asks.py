"""One line's message rows in, asks out: sends that ask for one reply, their class, streak and first reply (method: asks)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from analysis.explain.constants import CONSTANTS, DAY, HOUR, MINUTE
from analysis.settings import Settings


class Row(NamedTuple):
    """One message, times in ms since 1970 (UTC)."""

    chat: str
    at: int
    outbound: bool
    receipt_at: int | None
    failed_at: int | None
    code: str | None
    service: str
    fingerprint: str | None


@dataclass(slots=True)
class Ask:
    """Sends of one chat that ask for one reply; everything about it is dated, so that it can be seen as of any time."""

    chat: str
    kind: str
    streak: int
    opted_out: bool
    times: list[int]
    sends: list[Row]
    reply_at: int | None = None
    first: int = field(default=0)
    final_at: float = float("inf")
    final: tuple[str, str] = ("open", "open")
    """Its delivery in the end, where receipts are not usual and where they are."""
    receipt: bool = False
    dead: bool = False
    """Whether a receipt came, and whether every send failed, within the reply window."""

    def settle(self, window: float) -> None:
        """Work out once what no later time changes: when its outcome is final, and that outcome."""
        final = self.times[-1] + window + CONSTANTS.settle_seconds * 1000
        failed = 0
        for row in self.sends:
            if row.receipt_at is not None:
                self.receipt = self.receipt or row.receipt_at - row.at <= window
                final = max(final, row.receipt_at)
            if row.failed_at is not None:
                failed += row.failed_at - row.at <= window
                final = max(final, row.failed_at)
        self.final_at = final
        self.final = (self.delivery_by(int(final) + 1, False), self.delivery_by(int(final) + 1, True))
        self.dead = failed == len(self.sends) and not self.receipt and self.reply_at is None

    @property
    def deep(self) -> bool:
        """A follow-up after two or more unanswered asks in a row: the third turn or later (contract: unanswered_turns)."""
        return self.kind == "followup" and self.streak >= CONSTANTS.deep_streak

    def last_by(self, t: int) -> int:
        """Return the time of its last send up to t."""
        return self.times[-1] if self.times[-1] <= t else self.times[bisect_right(self.times, t) - 1]

    def sends_by(self, t: int) -> int:
        """Return its sends up to t."""
        return len(self.times) if self.times[-1] <= t else bisect_right(self.times, t)

    def replied_by(self, t: int) -> bool:
        """Say whether its reply has come and settled by t."""
        return self.reply_at is not None and self.reply_at + CONSTANTS.settle_seconds * 1000 <= t

    def delivery_by(self, t: int, receipts_usual: bool) -> str:
        """Return "delivered", "failed", "silent" (no receipt where one is usual) or "open" as of t.

        An explicit failure counts on every service; silence only where receipts are usual (method: deliverability).
        """
        if self.replied_by(t):
            return "delivered"
        failed = silent = 0
        for row in self.sends:
            if row.at > t:
                break
            if row.receipt_at is not None and row.receipt_at <= t:
                return "delivered"
            if row.failed_at is not None and row.failed_at <= t:
                failed += 1
            elif row.at + CONSTANTS.receipt_minutes * MINUTE > t:
                return "open"
            elif receipts_usual:
                silent += 1
        if failed and failed + silent == self.sends_by(t):
            return "failed"
        return "silent" if silent == self.sends_by(t) else "open"


class ChatStates:
    """Chat health of one chat as it became known."""

    def __init__(self, rows: Iterable[tuple[int, str]] = ()) -> None:
        ordered = sorted(rows)
        self.times = [at for at, _ in ordered]
        self.states = [state for _, state in ordered]
        before = [None, *self.states]
        self.opt_outs = [
            at
            for at, state, old in zip(self.times, self.states, before, strict=False)
            if state == "OPTED_OUT" and old != "OPTED_OUT"
        ]

    def at(self, t: int) -> str | None:
        """Return the latest health known at t."""
        i = bisect_right(self.times, t)
        return self.states[i - 1] if i else None

    def since(self, t: int) -> int | None:
        """Return when the health known at t began."""
        i = bisect_right(self.times, t)
        while i > 1 and self.states[i - 2] == self.states[i - 1]:
            i -= 1
        return self.times[i - 1] if i else None

    def is_stop(self, inbound_at: int) -> bool:
        """Say whether an inbound message is the opt-out itself: the chat became OPTED_OUT within a minute of it."""
        slack = int(CONSTANTS.settle_seconds * 1000)
        return any(abs(at - inbound_at) <= slack for at in self.opt_outs)


def asks_of(
    rows: list[Row], *, first_seen: int, created_at: int | None, states: ChatStates, settings: Settings
) -> list[Ask]:
    """Return the asks of one chat in order of time.

    Args:
        rows: the chat's messages in order of time, outbound before inbound at one instant.
        first_seen: the line's first message (ms): chats first seen within ``young_line_days`` of it are not new,
            they may have begun before the data, unless the vendor told when they were created.
        created_at: when the chat was created, where known (ms).
        states: its chat health.
        settings: ask gap, reply window, grace of a new chat.

    Returns:
        Asks with class, streak and first reply: the first inbound after the ask and before the next one, within
        ``explain_reply_hours``, that is not an opt-out. Source: method sheet, 2.2.
    """
    gap, window = settings.explain_ask_gap_minutes * MINUTE, settings.explain_reply_hours * HOUR
    asks: list[Ask] = []
    last_in: int | None = None
    closed = True
    for row in rows:
        current = asks[-1] if asks else None
        if not row.outbound:
            closed = True
            if not states.is_stop(row.at):
                if (
                    current
                    and current.reply_at is None
                    and (last_in is None or last_in <= current.times[-1])
                    and 0 < row.at - current.times[-1] <= window
                ):
                    current.reply_at = row.at
                last_in = row.at
            elif last_in is None and current is None:
                last_in = row.at
            continue
        if current and not closed and row.at - current.times[-1] <= gap:
            current.times.append(row.at)
            current.sends.append(row)
            continue
        kind = _kind(row, current, last_in, first_seen=first_seen, created_at=created_at, settings=settings)
        unanswered = current is not None and (last_in is None or last_in <= current.times[-1])
        streak = current.streak + 1 if current and unanswered else 0
        asks.append(Ask(row.chat, kind, streak, states.at(row.at) == "OPTED_OUT", [row.at], [row], first=row.at))
        closed = False
    for ask in asks:
        ask.settle(window)
    return asks


def _kind(
    row: Row,
    before: Ask | None,
    last_in: int | None,
    *,
    first_seen: int,
    created_at: int | None,
    settings: Settings,
) -> str:
    """Return the class of the ask that this send begins."""
    if before is None and last_in is None:
        if created_at is not None:
            return "new" if row.at - created_at <= settings.new_chat_grace_hours * HOUR else "touch"
        return "new" if row.at - first_seen > settings.young_line_days * DAY else "touch"
    if last_in is not None and (before is None or last_in > before.times[-1]):
        return "answer" if row.at - last_in <= CONSTANTS.answer_hours * HOUR else "touch"
    if before is not None and row.at - before.times[-1] <= CONSTANTS.followup_hours * HOUR:
        return "followup"
    return "touch"
