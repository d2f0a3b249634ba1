"""Frames of all lines in, one record per line out: its asks as arrays, its messages, chat states and running sums, each dated."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from analysis.explain.constants import CONSTANTS, DAY, HOUR, KINDS
from analysis.explain.numbers import first_of_each, numbered, stretched
from analysis.explain.receipts import NO_SILENCE, Silent
from analysis.explain.rows import Rows
from analysis.explain.running import NEVER, ROOM, Array, Running, Span, Sums
from analysis.explain.states import LazyStates


class LineHistory:
    """All that explanations need of one line; outcomes settle within the reply window, so sums over the past stay as they were.

    Args:
        line: its number.
        asks: its part of ASKS.
        rows: its part of ``rows_of``.
        states: chat health of its chats: chat_id, at (ms), health, in order of chat.
        opt_outs: when its chats became OPTED_OUT (ms), in order.
        silent: its sends without a receipt: any of these may have been lost (``mark``).
        gaps: times in which deliveries of its events were probably lost, in order.
        window: the reply window (ms).
        carried: first message (ms) and day of the first ask of the line (CARRIED), where these are only the chats with anything since some
            day: what uses nothing before that day comes out as of the whole line.
    """

    def __init__(
        self,
        line: str,
        asks: pl.DataFrame,
        rows: pl.DataFrame,
        *,
        states: pl.DataFrame,
        opt_outs: Array,
        silent: Silent = NO_SILENCE,
        gaps: list[Span] | None = None,
        window: float = 0.0,
        carried: tuple[int, int] | None = None,
    ) -> None:
        self.line, self.states, self.left_at, self.silent = line, LazyStates(states), opt_outs, silent
        self.rows = Rows(rows)
        """Its messages."""
        places, self.chat = first_of_each(asks["chat_no"].to_numpy())
        self._chat_places = asks["chat_no"].gather(places).to_numpy() - rows["chat_no"][0]
        """Of its chats with an ask among all."""
        self._lost: Array | None = None
        self.chats = asks["chat_id"].gather(places).to_list()
        dated = asks.select(pl.col("reply_at", "receipt_at", "failed_at").fill_null(NEVER))
        self.first, self.last = asks["first"].to_numpy(), asks["last"].to_numpy()
        self.sends, self.streak = asks["sends"].to_numpy(), asks["streak"].to_numpy()
        self.kind = asks["kind"].to_numpy()
        here = int(rows["at"].min()), int(self.first[0] // DAY) if len(self.first) else 0  # type: ignore[arg-type]
        self.first_at, self.first_day = carried or here
        self.first_ms = self.first.astype(float)
        """The same as ``first``, for searches by times that are no whole numbers."""
        self.reply_at, self.receipt_at, self.failed_at = (column.to_numpy() for column in dated)
        self.opted_out, self.receipt, self.dead = (asks[c].to_numpy() for c in ("opted_out", "receipt", "dead"))
        self.answered_before = asks["answered_before"].to_numpy()
        self.receipts_here = asks["receipts_here"].cast(pl.Int8).fill_null(-1).to_numpy()
        self.services, self.service = numbered(asks["service"])
        self.gaps = gaps or []
        self.recent = recent_of(self.chat, self.first, self.last, self.streak, self.gaps)
        self.deep = (self.kind == KINDS.index("followup")) & (self.recent >= CONSTANTS.deep_streak)
        self.begun = (self.kind != KINDS.index("new")) & (self.kind != KINDS.index("followup"))
        self.volume = self.begun | (self.sends >= CONSTANTS.loop_sends)
        self.gap_at = next_gap(self.last, self.gaps, window)

    @property
    def lost(self) -> Array:
        """From when it is known that receipts were lost as each ask went out (ms), by the other lines' receipts; NEVER where they were not."""
        return np.broadcast_to(np.int64(NEVER), len(self.first)) if self._lost is None else self._lost

    def mark(self, places: Array, lost: Array) -> None:
        """Take in that receipts were lost as some sends went out, in place of what was marked before.

        Args:
            places: of these in the rows.
            lost: from when that is known (ms).
        """
        self.__dict__.pop("sums", None)
        self.rows.mark(places, lost)
        self._lost = None
        if not len(places):
            return
        key = self._chat_places[self.chat] * ROOM + (self.first - self.first_at)
        order = key.argsort()
        sends = self.rows.numbers_of(places) * ROOM + (self.rows.at[places] - self.first_at)
        self._lost = np.full(len(self.first), NEVER)
        np.minimum.at(self._lost, order[key[order].searchsorted(sends, side="right") - 1], lost)

    @property
    def messages(self) -> int:
        """How many messages it has, either way."""
        return len(self.rows)

    # ------------------------------------------------------------------ running sums behind every usual

    @cached_property
    def blind(self) -> Array:
        """Whether a gap in the deliveries lies in its reply window: that it was answered or not is no fair count then."""
        return self.gap_at < NEVER

    @cached_property
    def replied(self) -> Array:
        """Whether each ask was answered within the reply window."""
        return self.reply_at < NEVER

    def _where(self, mask: Array, values: Array | None = None) -> Running:
        return Running(self.first[mask], None if values is None else values[mask])

    @cached_property
    def sums(self) -> Sums:
        """Counts of asks that every usual is made of; a name with a kind or a service is a pair.

        By class (deep follow-ups apart), ``deep``, and ``recipients``: the first ask of a chat on a UTC day, openers apart. ``measured`` asks that
        tell of replies (delivered, to chats not opted out, no deep follow-ups) and ``replied`` ones of them, by class. ``sends`` of asks that
        count as volume, dated by their ask. By service ``judged`` asks and ``failed`` ones of them; asks without receipt, failure or
        reply (``silent``); asks that went out while receipts came (``told``), and ``receipts`` of them.
        """
        columns: dict[Any, Array] = {kind: (self.kind == i) & ~self.deep for i, kind in enumerate(KINDS)}
        columns["deep"] = self.deep
        known = np.flatnonzero((self.kind != KINDS.index("new")) & ~self.deep)
        keys = self.chat[known].astype(np.int64) * 100_000 + self.first[known] // DAY
        _, firsts = np.unique(keys, return_index=True)
        columns["recipients"] = np.zeros(len(self.first), dtype=bool)
        columns["recipients"][known[firsts]] = True
        tells = ~self.opted_out & ~self.dead & ~self.deep & ~self.blind
        for i, kind in enumerate(KINDS):
            columns["measured", kind] = tells & (self.kind == i)
            columns["replied", kind] = columns["measured", kind] & self.replied
        columns["sends"] = np.where(self.volume, self.sends, 0)
        silent = ~(self.receipt | self.dead | self.replied | self.blind | (self.lost < NEVER))
        for i, service in enumerate(self.services):
            mine = self.service == i
            columns["judged", service] = mine & ~self.opted_out
            columns["failed", service] = columns["judged", service] & self.dead
            columns["silent", service] = columns["judged", service] & (self.receipts_here != 0) & silent
            columns["told", service] = mine & (self.lost == NEVER)
            columns["receipts", service] = columns["told", service] & self.receipt
        return Sums(self.first, columns)

    @cached_property
    def peaks(self) -> dict[str, Running]:
        """The largest number within ``short_hours`` on every UTC day with any: of openers, of other asks, and of their sends."""
        ones = np.ones(len(self.first))
        return {
            "new": self._daily_peak(self.kind == KINDS.index("new"), ones),
            "known": self._daily_peak(self.begun, ones),
            "sends": self._daily_peak(self.volume, self.sends),
        }

    def _daily_peak(self, mask: Array, weights: Array) -> Running:
        if not mask.any():
            return Running(np.array([], dtype=np.int64))
        start = int(self.first[0] // DAY) * 24
        hours = np.bincount(self.first[mask] // HOUR - start, weights=weights[mask])
        width = int(CONSTANTS.short_hours)
        sums = np.convolve(hours, np.ones(width))[: len(hours)]
        days = np.pad(sums, (0, -len(sums) % 24)).reshape(-1, 24).max(axis=1)
        active = np.flatnonzero(days > 0)
        return Running((start // 24 + active) * DAY + DAY // 2, days[active])

    @cached_property
    def daily(self) -> dict[str, Running]:
        """Numbers on every UTC day between the first ask and the last: openers, other asks, their sends, deep follow-ups, sends of the largest ask."""
        opens = self.kind == KINDS.index("new")
        masks = {"new": opens, "known": self.begun, "sends": self.volume, "deep": self.deep}
        if not len(self.first):
            return dict.fromkeys([*masks, "run"], Running(np.array([], dtype=np.int64)))
        start, end = int(self.first[0] // DAY), int(self.first[-1] // DAY)
        noon = np.arange(start, end + 1) * DAY + DAY // 2
        largest = np.zeros(len(noon))
        np.maximum.at(largest, self.first // DAY - start, self.sends)
        return {"run": Running(noon, largest)} | {
            what: Running(
                noon,
                np.bincount(
                    self.first[mask] // DAY - start,
                    weights=self.sends[mask] if what == "sends" else None,
                    minlength=len(noon),
                ),
            )
            for what, mask in masks.items()
        }

    @cached_property
    def first_seen_ms(self) -> Array:
        """When chats were first written to, answers apart, in order: openers, and in a young history known chats too."""
        _, place = np.unique(self.chat, return_index=True)
        return np.sort(self.first_ms[place[self.kind[place] != KINDS.index("answer")]])

    @cached_property
    def begun_to(self) -> list[Running]:
        """Asks that the line began in known chats, by how many in a row their chat had left unanswered (RECORDS)."""
        begun = (self.kind == KINDS.index("touch")) | (self.kind == KINDS.index("followup"))
        record = record_of(self.streak)
        return [self._where(begun & (record == i)) for i in range(len(RECORDS))]

    @cached_property
    def totals(self) -> Running:
        """All messages, either way."""
        return Running(np.sort(self.rows.at))

    @cached_property
    def left(self) -> Running:
        """Chats that became OPTED_OUT."""
        return Running(self.left_at)

    # ------------------------------------------------------------------ chat health, as the vendor told it

    @cached_property
    def _reports(self) -> tuple[Array, Array, Array]:
        """Every report of a chat of this line: a key in order of chat and time, the chat, and whether it was unhealthy."""
        number = pl.col("chat_id").cast(pl.Enum(self.chats), strict=False).to_physical().cast(pl.Int64).fill_null(-1)
        told = self.states.frame.select(number, "at", pl.col("health").is_in(["AT_RISK", "CRITICAL"]))
        chat, at, bad = (column.to_numpy() for column in told)
        order = np.lexsort((at, chat))
        order = order[chat[order] >= 0]  # chats without an ask have none
        chat, at, bad = chat[order], at[order], bad[order]
        return chat * ROOM + (at - self.first_at), chat, bad

    def unhealthy(self, t: int) -> tuple[int, int]:
        """Return how many of the chats written to in the last days are AT_RISK or CRITICAL by what is known at t, and of how many."""
        if not len(self._reports[0]):
            return 0, 0
        low, high = self.first_ms.searchsorted((t - CONSTANTS.unhealthy_days * DAY, t), side="right").tolist()
        written = np.zeros(len(self.chats), dtype=bool)
        written[self.chat[low:high]] = True
        active = written.nonzero()[0]
        bad, known = self._reported(active, t)
        return int(np.count_nonzero(bad)), int(np.count_nonzero(known))

    def _reported(self, chat: Array, at: Array | int) -> tuple[Array, Array]:
        """Return of each chat whether it was unhealthy by what was known at a time, and whether its health was known at all."""
        key, of, bad = self._reports
        place = key.searchsorted(chat * ROOM + (at - self.first_at), side="right") - 1
        some = np.maximum(place, 0)
        known = (place >= 0) & (of[some] == chat)
        return bad[some] & known, known

    @cached_property
    def unhealthy_daily(self) -> tuple[Running, Running]:
        """The same at the noon of every other UTC day: unhealthy chats, and chats whose health is known."""
        if not len(self.first):
            none = Running(np.array([], dtype=np.int64))
            return none, none
        start = int(self.first[0] // DAY)
        start += (start - self.first_day) % 2  # the same days where only some chats are here
        noon = np.arange(start, int(self.first[-1] // DAY) + 1, 2) * DAY + DAY // 2
        if not len(self._reports[0]):
            none = Running(noon, np.zeros(len(noon)))
            return none, none
        order = self.chat.argsort(kind="stable")  # asks are in order of time
        chat, since = self.chat[order], self.first[order]
        until = since + CONSTANTS.unhealthy_days * DAY
        again = np.flatnonzero(chat[1:] == chat[:-1])
        until[again] = np.minimum(until[again], since[again + 1])  # from then on by the next ask
        low, high = noon.searchsorted(since), noon.searchsorted(until)
        chat, day = np.repeat(chat, high - low), stretched(low, high)
        bad, known = (np.bincount(day[mask], minlength=len(noon)) for mask in self._reported(chat, noon[day]))
        return Running(noon, bad), Running(noon, known)

    def health_at(self, ask: int) -> str | None:
        """Return the health of its chat that was known when an ask began."""
        states = self.states.get(self.chats[self.chat[ask]])
        return states.at(int(self.first[ask])) if states is not None else None

    @property
    def out_at(self) -> Array:
        """When it sent to chats that had opted out, in order."""
        return self.rows.out_at

    @property
    def send_at(self) -> Array:
        """When its sends went out, in order; no whole numbers, for searches by such."""
        return self.rows.send_at

    def up_to(self, ask: int, t: int) -> tuple[int, int]:
        """Return the last send up to t of an ask by its place, and how many sends it has up to then."""
        here = self.rows.of_number(int(self._chat_places[self.chat[ask]]))
        at, outbound = self.rows.at[here], self.rows.outbound[here]
        sends = at[outbound & (at >= self.first[ask]) & (at <= t)]
        return int(sends[-1]), len(sends)


RECORDS = (0, 1, 2, 4)
"""A chat's record by the unanswered asks in a row before one: none, one, two or three, four or more."""


def record_of(streak: Array) -> Array:
    """Return the place in RECORDS for each streak."""
    return np.searchsorted(RECORDS, streak, side="right") - 1


def next_gap(last: Array, gaps: list[Span], window: Array | float) -> Array:
    """Return for each ask the start of the first gap with an instant in the window after its last send, else NEVER."""
    found = np.full(len(last), NEVER, dtype=np.int64)
    if not gaps or not len(last):
        return found
    starts, ends = (np.array(side, dtype=float) for side in zip(*gaps, strict=True))
    place = np.searchsorted(np.maximum.accumulate(ends), last, side="right")
    inside = place < len(starts)
    start = starts[np.minimum(place, len(starts) - 1)]
    reached = inside & (start <= last + window)
    found[reached] = np.maximum(start[reached], last[reached]).astype(np.int64)
    return found


def recent_of(chat: Array, first: Array, last: Array, streak: Array, gaps: list[Span]) -> Array:
    """Return how many unanswered asks in a row came before each within ``streak_days``.

    A whole streak grows with the history that is loaded; this does not, so that a young export and an old one look alike.
    A gap in the deliveries since the ask before breaks it: whether that was answered is not known.
    """
    order = np.lexsort((first, chat))
    unknown = np.zeros(len(first), dtype=bool)
    unknown[1:] = next_gap(last[order][:-1], gaps, np.maximum(first[order][1:] - last[order][:-1], 0)) < NEVER
    run = np.cumsum((streak[order] == 0) | unknown)
    base = int(first.min()) if len(first) else 0
    key = run * ROOM + (first[order] - base)
    reach = int(CONSTANTS.streak_days * DAY)
    begin = np.searchsorted(key, np.maximum(key - reach, run * ROOM))
    found = np.empty(len(first), dtype=np.int64)
    found[order] = np.arange(len(first)) - begin
    return found
