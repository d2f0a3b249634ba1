"""Messages of all lines in; out, which sends went out while receipts were lost on the other lines too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import polars as pl

from analysis.explain.constants import CONSTANTS, HOUR, MINUTE
from analysis.explain.grouped import Groups
from analysis.explain.numbers import as_enum, stretches
from analysis.explain.running import NEVER, ROOM, Array


def sends_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the sends of rows that tell of receipts: row, line, at, expected (a receipt was to be expected), silent (none came in time).

    A receipt is expected of a send whose chat had had one on that service by then. In order of line (as rows are) and time.

    Args:
        rows: of ``asks.rows_of``, in its order.
    """
    outbound, soon = rows["outbound"].to_numpy(), int(CONSTANTS.receipt_minutes * MINUTE)
    some = (outbound | rows["receipt"].is_not_null().to_numpy()).nonzero()[0]
    service, chat = as_enum(rows["service"]).to_physical().to_numpy()[some], rows["chat_no"].to_numpy()[some]
    receipt, mine = rows["receipt"].fill_null(NEVER).to_numpy()[some], outbound[some]
    had = Groups(service, chat).least_before(receipt)[mine]
    sent, receipt = some[mine], receipt[mine]
    at, failed = rows["at"].to_numpy()[sent], rows["failed"].fill_null(NEVER).to_numpy()[sent]
    fails = failed - at <= soon
    expected, silent = (had <= at) & ~fails, ~fails & (receipt - at > soon)
    tells = (expected | silent).nonzero()[0]
    start = int(at.min()) if len(at) else 0
    line = rows["line"].rle_id().to_numpy()[sent[tells]].astype(np.int64)
    order = tells[(line * ROOM + (at[tells] - start)).argsort(kind="stable")]
    return pl.DataFrame(
        {
            "row": sent[order].astype(np.uint32),
            "line": rows["line"].gather(sent[order]),
            "at": at[order],
            "expected": expected[order],
            "silent": silent[order],
        }
    )


def reach_of(first: int, last: int) -> tuple[int, int]:
    """Return from when to when sends went out (ms) of which receipts expected between two times may say that theirs were lost."""
    before, after = (max(ends) for ends in zip(*reaches(), strict=True))
    return first - after, last + before


def expected_of(sends: pl.DataFrame) -> pl.DataFrame:
    """Return those of ``sends_of`` of which a receipt was to be expected, in its order: line, at, silent; what is to be known of the other lines."""
    return sends.filter("expected").select("line", "at", "silent")


class Silent(NamedTuple):
    """The sends of a line for which no receipt came, in order of time.

    Receipts were lost where ``lost_share`` of the other lines' sends about then, of which a receipt was to be expected, have none
    ``receipt_minutes`` after they went out. Looked at are the half hour before and after a send, or, where fewer than ``lost_sends`` went
    out then, the ``lost_hours`` before it. Of one line alone this cannot be said. Own method: a receipts-only outage looks like a carrier's
    block, but on every line at once.
    """

    rows: Array
    """Their places in the line's rows."""
    at: Array
    """ms."""
    own: Array
    """``within_own``."""

    def lost(self, counts: Counts) -> tuple[Array, Array]:
        """Return the places of those whose receipts were lost by the other lines', and from when that is known (ms)."""
        lost = lost_at(self.at, within(self.at, counts), self.own)
        some = np.flatnonzero(lost < NEVER)
        return self.rows[some], lost[some]


def silent_of(sends: pl.DataFrame, rows: pl.DataFrame) -> dict[str, Silent]:
    """Return the silent sends of each line that has any.

    Args:
        sends: of ``sends_of``.
        rows: that they are of; the rows of a line are one after the other.
    """
    silent = sends.filter("silent").select("line", "row", "at")
    own, found = within_own(sends), {}
    own = own.astype(np.min_scalar_type(int(own.max(initial=0))))  # of few bytes: they are kept with the history
    here = stretches(rows["line"])
    for (line,), part in silent.with_row_index("place").partition_by("line", as_dict=True).items():
        places = (part["row"].cast(pl.Int64) - here[str(line)].start).cast(pl.Int32)
        found[str(line)] = Silent(places.to_numpy(), part["at"].to_numpy(), own[part["place"].to_numpy()])
    return found


def lost_otherwise(sends: pl.DataFrame, was: pl.DataFrame, now: pl.DataFrame) -> dict[str, int]:
    """Return the lines with a silent send that went out while receipts were lost by one of two accounts only, and the first of these (ms).

    Args:
        sends: line, at (ms), receipt, failed (ms or null): those in the time of ``reach_of``.
        was: of ``expected_of`` over all lines, any order, those within ``reaches`` of these sends at least.
        now: the same by the other account.
    """
    soon = pl.min_horizontal("receipt", "failed") - pl.col("at") <= int(CONSTANTS.receipt_minutes * MINUTE)
    silent = sends.filter(~soon.fill_null(value=False)).sort("line", "at")
    at, lost = silent["at"].to_numpy(), []
    for expected in (was, now):
        expected = expected.sort("at")
        lost.append(lost_at(at, within(at, expected), _within_of_line(silent, expected)))
    first = silent.filter(pl.Series(lost[0] != lost[1])).group_by("line").agg(pl.col("at").min())
    return dict(first.iter_rows())


def reaches() -> tuple[tuple[int, int], ...]:
    """Return the periods around a send that are looked at (ms before it, ms after it): the two half hours, then the hours before."""
    half = int(CONSTANTS.receipt_minutes * MINUTE)
    return (half, 0), (half, half), (int(CONSTANTS.lost_hours * HOUR), 0)


def within(at: Array, expected: pl.DataFrame | Counts) -> Array:
    """Return for each time and each of ``reaches`` how many receipts were expected then, and how many of these did not come.

    Args:
        at: ms.
        expected: of ``expected_of``, in order of time.

    Returns:
        Whole numbers, of shape (times, reaches, 2).
    """
    counts = expected if isinstance(expected, Counts) else Counts.of(expected)
    until = {end: counts.until(at + end) for end in sorted({end for a, b in reaches() for end in (-a, b)})}
    return np.stack([until[b] - until[-a] for a, b in reaches()], axis=1)


def within_own(sends: pl.DataFrame) -> Array:
    """Return what ``within`` gives of its own line for every silent send, in order of ``sends_of``."""
    return _within_of_line(sends.filter("silent"), sends.filter("expected"))


def _within_of_line(silent: pl.DataFrame, expected: pl.DataFrame) -> Array:
    """Return what ``within`` gives of its own line for every silent send, in their order."""
    found = np.zeros((silent.height, len(reaches()), 2), dtype=np.int64)
    own = expected.partition_by("line", as_dict=True)
    for key, part in silent.with_row_index("place").partition_by("line", as_dict=True).items():
        if key in own:
            found[part["place"].to_numpy()] = within(part["at"].to_numpy(), own[key])
    return found


def lost_at(at: Array, whole: Array, own: Array) -> Array:
    """Return from when it is known that receipts were lost as silent sends went out (ms); NEVER where they were not.

    Args:
        at: when they went out.
        whole: ``within`` over all lines.
        own: ``within_own``; what is left are the other lines.
    """
    k, others = CONSTANTS, whole - own
    half = int(k.receipt_minutes * MINUTE)
    found, enough = np.full(len(at), NEVER, dtype=np.int64), np.zeros(len(at), dtype=bool)
    for i, (before, after) in enumerate(reaches()):
        n, silent = others[:, i, 0], others[:, i, 1]
        tells = (n >= k.lost_sends) & (~enough if before > half else True)
        lost = tells & (silent >= k.lost_share * n)
        found[lost] = np.minimum(found[lost], at[lost] + after + half)
        enough |= tells
    return found


class Counts:
    """Expected receipts (of ``expected_of``, in order of time), and how many of them did not come.

    Args:
        parts: one after the other in time; of a large fleet not all need be in memory at once.
        most: rows of all parts together, or more.
    """

    def __init__(self, parts: Iterable[pl.DataFrame], most: int) -> None:
        self._expected, silent = _Times(most), [np.array([], dtype=np.int64)]
        for part in parts:
            self._expected.add(part["at"].to_numpy())
            silent.append(part.filter("silent")["at"].to_numpy())
        self._silent = _Times(sum(map(len, silent)))
        for times in silent:
            self._silent.add(times)

    @classmethod
    def of(cls, sends: pl.DataFrame) -> Counts:
        """Return those of one frame."""
        return cls([sends], sends.height)

    def until(self, ends: Array) -> Array:
        """Return how many were expected up to each end, and how many of these did not come: of shape (ends, 2)."""
        return np.stack([times.until(ends) for times in (self._expected, self._silent)], axis=-1)


class _Times:
    """Times (ms) in order, four bytes each: how long after the begin of its block (2^32 ms, seven weeks) each is.

    Args:
        most: how many are added, or more.
    """

    def __init__(self, most: int) -> None:
        self._later, self._size = np.empty(most, dtype=np.uint32), 0
        self._begins: dict[int, int] = {}  # block to the place of its first time

    def add(self, times: Array) -> None:
        """Add times that are not before those added so far."""
        blocks, firsts = np.unique(times >> _BLOCK, return_index=True)
        for block, first in zip(blocks.tolist(), firsts.tolist(), strict=True):
            self._begins.setdefault(block, self._size + first)
        self._later[self._size : self._size + len(times)] = times & _WITHIN
        self._size += len(times)

    def until(self, ends: Array) -> Array:
        """Return how many are not after each end."""
        known, starts = list(self._begins), [*self._begins.values(), self._size]
        order = ends.argsort(kind="stable")  # mostly as they are: of a line they are in order
        asked = ends[order]
        cuts = [*np.searchsorted(asked >> _BLOCK, known).tolist(), len(asked)]
        found = np.zeros(len(asked), dtype=np.int64)
        for i, block in enumerate(known):
            in_it, begin, end = asked[cuts[i] : cuts[i + 1]], starts[i], starts[i + 1]
            over = int(np.searchsorted(in_it >> _BLOCK, block, side="right"))  # the others are in a block without any
            inside = self._later[begin:end].searchsorted((in_it[:over] & _WITHIN).astype(np.uint32), side="right")
            found[order[cuts[i] : cuts[i] + over]] = begin + inside
            found[order[cuts[i] + over : cuts[i + 1]]] = end
        return found


_BLOCK, _WITHIN = 32, (1 << 32) - 1
_NONE = np.array([], dtype=np.int64)
NO_SILENCE = Silent(_NONE, _NONE, np.zeros((0, len(reaches()), 2), dtype=np.int64))
"""Of a line with a receipt for each send."""
