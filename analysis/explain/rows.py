"""The messages of one line in, any of them out: as arrays for counts, and some as records for evidence."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from analysis.explain.running import NEVER, Array


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
    lost: int | None = None
    """From when it is known that receipts were lost as it went out."""


class Sent(NamedTuple):
    """Some sends of a line, in order of time."""

    at: Array
    lost: Array
    """From when it is known that receipts were lost as each went out, else NEVER."""
    services: list[str]
    """That they went over."""


class Rows:
    """The messages of one line, in order of chat and time: arrays, with numbers in the place of names, so that a large line's are small.

    Args:
        frame: its part of ``asks.rows_of``.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        chat = frame["chat_no"].to_numpy()
        begins = np.flatnonzero(np.diff(chat, prepend=-1))
        names = frame["chat_id"].gather(begins).to_list()
        # copied: a part of a frame keeps the texts of all of it
        self._chats, self._begins = pl.Series(names, dtype=pl.String), np.append(begins, len(chat))
        self.at, self.outbound, self._out = (frame[name].to_numpy() for name in ("at", "outbound", "out"))
        self._receipt, self._failed = (_times(frame[name]) for name in ("receipt", "failed"))
        self._lost: Array | None = None
        self._code, self._service, self._fingerprint = (
            _Names(frame[name]) for name in ("code", "service", "fingerprint")
        )
        self.fingerprinted = bool((self._fingerprint.known & self.outbound).any())
        """Whether any send has a fingerprint."""
        sent = self.outbound.nonzero()[0].astype(np.int32)
        # rows are in order of chat and time
        self.sent = sent[self.at[sent].argsort(kind="stable")]
        """Places of its sends, in order of time and chat."""

    def __len__(self) -> int:
        return len(self.at)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is kept of it on disk: all but what is soon made again."""
        return {name: value for name, value in vars(self).items() if name not in _SOON_MADE}

    def mark(self, places: Array, lost: Array) -> None:
        """Take in from when it is known that receipts were lost as some sends went out (ms), in place of what was marked before."""
        self._lost = np.full(len(self), NEVER) if len(places) else None
        if self._lost is not None:
            self._lost[places] = lost
        self.__dict__.pop("after_opt_out", None)

    @cached_property
    def send_at(self) -> Array:
        """When its sends went out, in order; no whole numbers, for searches by such."""
        return np.asarray(self.at[self.sent].astype(float))

    @cached_property
    def after_opt_out(self) -> list[Row]:
        """Sends to chats that had opted out, in order of time."""
        return self._records(self.sent[self._out[self.sent]])

    @cached_property
    def out_at(self) -> Array:
        """When these went out."""
        return np.asarray(self.at[self.sent[self._out[self.sent]]])

    def _sent_in(self, since: float, t: float) -> Array:
        low, high = self.send_at.searchsorted((since, t), side="right").tolist()
        return np.asarray(self.sent[low:high])

    def sent_in(self, since: float, t: float) -> Sent:
        """Return the sends in (since, t]."""
        places = self._sent_in(since, t)
        lost = np.full(len(places), NEVER) if self._lost is None else self._lost[places]
        return Sent(self.at[places], lost, sorted({*self._service.of(places)}))

    def sends_in(self, since: float, t: float) -> list[Row]:
        """Return the same as records, in order of time and chat."""
        return self._records(self._sent_in(since, t))

    def _places(self, chat: str) -> slice:
        """Return where a chat's messages are."""
        number = self._numbers.get(chat)
        return slice(0, 0) if number is None else self.of_number(number)

    def of_number(self, number: int) -> slice:
        """Return where the messages of a chat are by its place among all, in order."""
        return slice(*self._begins[number : number + 2].tolist())

    def numbers_of(self, places: Array) -> Array:
        """Return of which chat the messages at places are."""
        return np.asarray(self._begins.searchsorted(places, side="right") - 1)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {chat: number for number, chat in enumerate(self._chats)}

    def of_chat(self, chat: str) -> list[Row]:
        """Return the messages of one chat, in order of time; made when asked for: all of a large line's would not fit into memory."""
        here = self._places(chat)
        return self._records(np.arange(here.start, here.stop))

    def arrays_of(self, chat: str) -> tuple[Array, ...]:
        """Return when the messages of one chat were, in order of time, which went out, and when they failed and had a receipt (else NEVER)."""
        here = self._places(chat)
        never = np.full(here.stop - here.start, NEVER)
        failed, receipt = (never if of is None else of[here] for of in (self._failed, self._receipt))
        return self.at[here], self.outbound[here], failed, receipt

    def times_in(self, since: float, until: float) -> list[tuple[str, int]]:
        """Return chat and time of every message in (since, until], either way, in order of chat and time."""
        places = ((self.at > since) & (self.at <= until)).nonzero()[0]
        return list(zip(self._chats_of(places), self.at[places].tolist(), strict=True))

    def _chats_of(self, places: Array) -> list[str]:
        names: list[str] = self._chats.gather(self.numbers_of(places)).to_list()
        return names

    def _records(self, places: Array) -> list[Row]:
        if not len(places):
            return []
        columns = zip(
            self._chats_of(places),
            self.at[places].tolist(),
            self.outbound[places].tolist(),
            _told(self._receipt, places),
            _told(self._failed, places),
            self._code.of(places),
            self._service.of(places),
            self._fingerprint.of(places),
            _told(self._lost, places),
            strict=True,
        )
        return list(map(Row._make, columns))


_SOON_MADE = ("send_at", "out_at", "after_opt_out", "_numbers")


class _Names:
    """Names that come again and again, as numbers; null where there is none."""

    def __init__(self, names: pl.Series) -> None:
        different = names.unique().drop_nulls().sort()
        self._all: list[Any] = [*different.to_list(), None]
        numbers = (
            names.cast(pl.Enum(different)).to_physical()
            if len(different)
            else pl.zeros(len(names), pl.UInt8, eager=True)
        )
        self._number = numbers.fill_null(len(different)).to_numpy()  # of as few bytes as there are names for

    @property
    def known(self) -> Array:
        """Which are there."""
        return np.asarray(self._number < len(self._all) - 1)

    def of(self, places: Array) -> list[Any]:
        """Return the names at places."""
        return [self._all[number] for number in self._number[places].tolist()]


def _times(times: pl.Series) -> Array | None:
    """Return times, NEVER where there is none; None where there are none at all."""
    return times.fill_null(NEVER).to_numpy() if times.null_count() < len(times) else None


def _told(times: Array | None, places: Array) -> list[int | None]:
    return [None] * len(places) if times is None else [None if at == NEVER else at for at in times[places].tolist()]
