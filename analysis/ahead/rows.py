"""Hourly signals in, a row for every hour of every line in arrays out: what was summed or largest over a window, at the rows asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from analysis.explain.constants import HOUR
from analysis.explain.words import milliseconds
from analysis.schema import INSTANT
from analysis.signals.grid import Bools, Ints

_TIME_BITS = 44
"""A key is the line's number before the milliseconds since 1970: these take 41 bits until 2039."""
BATCH = 100
"""Lines worked on at once: keeps memory flat on a large fleet."""


@dataclass(frozen=True)
class Lines:
    """Lines by number, in order of their names, so that line and time are one number: what is in order is searched, not joined."""

    names: pl.Series

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Lines:
        """Return the lines that a frame has rows of."""
        return cls(frame["line"].unique().sort())

    def numbers(self, frame: pl.DataFrame) -> Ints:
        """Return the number of each row's line, which must be one of these."""
        return frame["line"].cast(pl.Enum(self.names)).to_physical().to_numpy().astype(np.int64)

    def keys(self, frame: pl.DataFrame, column: str) -> Ints:
        """Return line and time of each row as one number, lines that are none of these left out; ascending."""
        mine = frame.filter(pl.col("line").is_in(self.names.implode()), pl.col(column).is_not_null())
        return np.sort(keys_of(self.numbers(mine), times_of(mine, column)))


def keys_of(numbers: Ints, times: Ints) -> Ints:
    """Return line and time as one number."""
    return (numbers << _TIME_BITS) | times


def times_of(frame: pl.DataFrame, column: str) -> Ints:
    """Return a column of times as milliseconds since 1970."""
    return frame[column].cast(INSTANT).to_physical().to_numpy().astype(np.int64, copy=False)


def last_by(keys: Ints, at: Ints) -> Ints:
    """Return for each key of ``at`` the time of the last of ``keys`` (ascending) of its line that is not later; -1 where there is none."""
    return _found(keys, np.searchsorted(keys, at, side="right") - 1, at)


def next_after(keys: Ints, at: Ints) -> Ints:
    """Return for each key of ``at`` the time of the first of ``keys`` (ascending) of its line that is later; -1 where there is none."""
    return _found(keys, np.searchsorted(keys, at, side="right"), at)


def _found(keys: Ints, place: Ints, at: Ints) -> Ints:
    inside = (place >= 0) & (place < len(keys))
    found = keys[np.where(inside, place, 0)] if len(keys) else np.zeros_like(at)
    same = inside & (found >> _TIME_BITS == at >> _TIME_BITS)
    return np.where(same, found & ((1 << _TIME_BITS) - 1), -1)


def instants(times: Ints) -> pl.Series:
    """Return milliseconds since 1970 as times; null where negative."""
    return pl.Series(np.where(times >= 0, times, np.iinfo(np.int64).min).view("datetime64[ms]")).cast(INSTANT)


def midnight_of(at: datetime) -> datetime:
    """Return when the UTC day of a time began."""
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def up_to(frame: pl.DataFrame, end: datetime, *, after: datetime | None = None) -> pl.DataFrame:
    """Return the rows of hours up to a time, after another where one is told; the frame itself, not a copy, where these are all."""
    inside = frame["hour"] <= end
    if after is not None:
        inside &= frame["hour"] > after
    return frame if inside.all() else frame.filter(inside)


def by_lines(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield the rows of BATCH lines at a time, in order of line: without a copy where those of a line follow each other."""
    if frame.is_empty():
        return
    if not frame["line"].is_sorted():
        frame = frame.sort("line", maintain_order=True)
    begins = np.flatnonzero(frame["line"].is_first_distinct().to_numpy())[::BATCH].tolist()
    yield from (frame[a:b] for a, b in zip(begins, [*begins[1:], frame.height], strict=True))


@dataclass(frozen=True)
class Rows:
    """Hourly signals line after line: every hour up to the end, after a line's last message as of one that sends nothing and stays as it was.

    Args:
        lines: in order.
        number: of each row's line.
        begin: the row at which each row's line begins.
        hour: milliseconds since 1970.
    """

    lines: Lines
    number: Ints
    begin: Ints
    hour: Ints
    _frame: pl.DataFrame
    _source: Ints
    """The row of ``_frame`` behind each row: its line's last one after it."""
    _told: Bools | None
    """Whether there is a row of that hour; None: of every."""

    @classmethod
    def of(cls, frame: pl.DataFrame, end: datetime) -> Rows:
        """Return the rows of SIGNALS_HOUR (any order, hours of a line without a hole, at least one, none later) up to the end."""
        lines = Lines.of(frame)
        number, hour = lines.numbers(frame), times_of(frame, "hour")
        key = keys_of(number, hour)
        if not (key[1:] > key[:-1]).all():
            order = np.argsort(key, kind="stable")
            frame, number, hour = frame[order], number[order], hour[order]
        many = np.bincount(number, minlength=len(lines.names))
        first = np.concatenate(([0], np.cumsum(many)[:-1]))
        more = (milliseconds(end) - hour[first + many - 1]) // HOUR
        source, told = np.arange(len(hour)), None
        begin = first
        if more.any():
            whole = many + more
            begin = np.concatenate(([0], np.cumsum(whole)[:-1]))
            number = np.repeat(np.arange(len(whole)), whole)
            place = np.arange(len(number)) - begin[number]
            over = place - (many - 1)[number]
            told, source = over <= 0, first[number] + np.minimum(place, (many - 1)[number])
            hour = hour[source] + np.maximum(over, 0) * HOUR
        return cls(lines, number, begin[number], hour, frame, source, told)

    def count(self, name: str) -> Ints:
        """Return a count of every row: 0 after the last message."""
        found = self.state(name)
        return found if self._told is None else found * self._told

    def state(self, name: str) -> Ints:
        """Return a number of every row, after the last message as it was; 0 for one that the signals do not have."""
        if name not in self._frame.columns:
            return np.zeros(len(self.hour), dtype=np.int64)
        values = self._frame[name].fill_null(0).to_numpy()
        return values if self._told is None else values[self._source]

    def is_state(self, name: str, word: str, *, unknown: bool) -> Bools:
        """Say of every row whether the last known state is a word; ``unknown`` where none is known yet."""
        place = self._known(name)
        found = (self._frame[name] == word).fill_null(value=False).to_numpy()
        return np.where(place >= 0, found[place], unknown)

    def words(self, name: str, rows: Ints) -> pl.Series:
        """Return the last known state at some rows."""
        place = self._known(name)[rows]
        return self._frame[name].gather(pl.select(pl.when(pl.Series(place) >= 0).then(pl.Series(place))).to_series())

    def _known(self, name: str) -> Ints:
        """Return the row of the frame that has the last known state of each row; -1 where none has."""
        if not self._frame[name].null_count():
            return self._source
        known = self._frame[name].is_not_null().to_numpy()
        last = np.maximum.accumulate(np.where(known, np.arange(len(known)), -1))[self._source]
        return np.where(last >= self._source[self.begin], last, -1)

    def every(self, hours: int | None) -> Ints:
        """Return the rows of hours that end at a multiple of so many hours of the UTC day, and each line's last row; None: this one only."""
        last = np.append(self.number[1:] != self.number[:-1], True)
        return np.flatnonzero(last if hours is None else last | ((self.hour // HOUR + 1) % hours == 0))

    def shifted(self, values: Any, by: int) -> Any:
        """Return what stood so many rows before each row of the same line; 0 before its first."""
        place = np.arange(len(values))
        return np.where(place - by >= self.begin, values[np.maximum(place - by, 0)], 0)

    def summed(self, values: Any, hours: int, rows: Ints, *, until: int = 0) -> Any:
        """Return the sums of so many rows up to ``until`` rows before each of ``rows``, of the same line."""
        running = np.concatenate(([0], np.cumsum(values)))
        begin, end = self.begin[rows], rows + 1 - until
        return running[np.maximum(end, begin)] - running[np.maximum(end - hours, begin)]

    def largest(self, values: Any, hours: int, rows: Ints) -> Any:
        """Return the largest of so many rows up to each of ``rows``, of the same line."""
        begin, found = self.begin[rows], values[rows]
        for back in range(1, hours):
            found = np.maximum(found, values[np.maximum(rows - back, begin)])
        return found
