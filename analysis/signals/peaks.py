"""Sends in, sliding counts out: how many distinct chats, openers or sends fall into the window that ends at each send; exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from analysis.signals.calendar import Calendar
from analysis.signals.grid import Bools, Grid, Ints

_HOUR, _DAY, _MINUTE = 3_600_000, 86_400_000, 60_000
_ROOM = 2 * _DAY
"""Left between two lines (or chats) on a common axis, longer than any window, so that no window reaches into the next one. Milliseconds."""
_MARKS = 5
"""Bits behind each place that say what the send is: the five of ``sliding``."""


@dataclass(frozen=True)
class Sliding:
    """Counts at every instant at which a line sends: the sends of one instant share them.

    Args:
        line_no: the line, ascending.
        at: the instant (ms since 1970), ascending within the line.
        counts: ``peak_…`` to the count over the window that ends there.
    """

    line_no: Ints
    at: Ints
    counts: dict[str, Ints]

    def highest(self, grid: Grid, buckets: Calendar) -> dict[str, Ints]:
        """Return the largest count of every cell of a grid, by name; 0 where nothing was sent."""
        bucket = buckets.bucket_of(self.at)
        held = grid.holds(self.line_no, bucket)
        cells = grid.cell(self.line_no[held], bucket[held])
        return {name: grid.highest(cells, counts[held]) for name, counts in self.counts.items()}


def sliding(messages: pl.DataFrame) -> tuple[Sliding, Sliding]:
    """Return the sliding counts over sends (recipients in an hour and in a day, sends in a minute) and over opening sends.

    A chat is there from a send until the window's length after it, and sends closer than that make one presence. The count at t is the
    presences begun by t less those ended by t (an end is a presence's last send plus the length): two running numbers over the sends in
    order of time, so that no window is walked and no chat is looked up. One sort of whole numbers does it: place on a common axis of all
    lines, and behind it, in the lowest bits, whether the send begins or ends a presence and whether it opens a chat.

    messages: as `judged.judge` gives, in its order.
    """
    sends = messages.select("talk", "line_no", "at", "opener").filter(messages["outbound"])
    talk, line_no = sends["talk"].to_numpy(), sends["line_no"].to_numpy()
    at, opener = sends["at"].to_physical().to_numpy(), sends["opener"].to_numpy()
    zero = int(at.min()) if len(at) else 0
    length = (int(at.max()) - zero if len(at) else 0) + _ROOM
    marks = [*_presences(talk, at, _HOUR), *_presences(talk, at, _DAY), opener]
    key = line_no * length + (at - zero) << _MARKS
    for bit, mark in enumerate(marks):
        key |= mark.astype(np.int64) << bit
    key = np.sort(key)
    place = key >> _MARKS
    marked = [(key >> bit & 1).astype(bool) for bit in range(_MARKS)]
    whole = _at_instants(
        place,
        length,
        zero,
        {
            "peak_recipients_1h": (marked[0], place[marked[1]] + _HOUR),
            "peak_recipients_24h": (marked[2], place[marked[3]] + _DAY),
            "peak_sends_60s": (None, place + _MINUTE),
        },
    )
    opening = place[marked[4]]
    new = _at_instants(
        opening, length, zero, {"peak_new_1h": (None, opening + _HOUR), "peak_new_24h": (None, opening + _DAY)}
    )
    return whole, new


def _presences(talk: Ints, at: Ints, window: int) -> tuple[Bools, Bools]:
    """Return which sends begin a presence of their chat and which end one; sends in order of chat and time."""
    apart = (talk[1:] != talk[:-1]) | (at[1:] - at[:-1] >= window)
    edge = np.ones(min(len(at), 1), dtype=bool)
    return np.concatenate((edge, apart)), np.concatenate((apart, edge))


def _at_instants(place: Ints, length: int, zero: int, counted: dict[str, tuple[Bools | None, Ints]]) -> Sliding:
    """Return presences begun less presences ended at every instant. place: ascending; counted: name to which begin (None: all) and the ends, ascending."""
    last = np.flatnonzero(np.concatenate((place[1:] != place[:-1], np.ones(min(len(place), 1), dtype=bool))))
    instants = place[last]
    counts = {}
    for name, (begins, ends) in counted.items():
        begun = last + 1 if begins is None else np.cumsum(begins)[last]
        counts[name] = begun - np.searchsorted(ends, instants, side="right")
    line_no = instants // length
    return Sliding(line_no, instants - line_no * length + zero, counts)
