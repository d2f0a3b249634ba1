"""Messages of all lines in; out, which sends went out while receipts were lost on the other lines too."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl

from analysis.explain.constants import CONSTANTS, HOUR, MINUTE
from analysis.explain.grouped import Groups
from analysis.explain.numbers import as_enum
from analysis.explain.running import NEVER, Array


def sends_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the sends of rows: row, line, at, expected (a receipt was to be expected), silent (none came in time), in order of time.

    A receipt is expected of a send whose chat had had one on that service by then.

    Args:
        rows: of ``asks.rows_of``, in its order.
    """
    in_chats = Groups(as_enum(rows["service"]).to_physical().to_numpy(), rows["chat_no"].to_numpy())
    had = in_chats.least_before(rows["receipt"].fill_null(NEVER).to_numpy())
    return (
        rows.select("line", "at", "receipt", "failed", "outbound", had=pl.Series(had))
        .with_row_index("row")
        .filter("outbound")
        .with_columns(expected=(pl.col("had") <= pl.col("at")) & ~_soon("failed"), silent=_silent())
        .select("row", "line", "at", "expected", "silent")
        .sort("at", "row")
    )


def _soon(what: str) -> pl.Expr:
    """Say whether it came within the time in which nearly all receipts come."""
    return (pl.col(what) - pl.col("at") <= int(CONSTANTS.receipt_minutes * MINUTE)).fill_null(value=False)


def _silent() -> pl.Expr:
    return ~_soon("receipt") & ~_soon("failed")


def reach_of(first: int, last: int) -> tuple[int, int]:
    """Return from when to when sends went out (ms) of which receipts expected between two times may say that theirs were lost."""
    before, after = (max(ends) for ends in zip(*reaches(), strict=True))
    return first - after, last + before


def expected_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the sends of which a receipt was to be expected: line, at, silent; what is to be known of the other lines."""
    return sends_of(rows).filter("expected").select("line", "at", "silent")


def with_lost(rows: pl.DataFrame, expected: pl.DataFrame | Counts) -> pl.DataFrame:
    """Return rows with ``lost``: from when it is known that receipts were lost as a send went out (ms); null where they were not.

    They were where ``lost_share`` of the other lines' sends about then, of which a receipt was to be expected, have none
    ``receipt_minutes`` after they went out. Looked at are the half hour before and after a send, or, where fewer than ``lost_sends`` went
    out then, the ``lost_hours`` before it. Of one line alone this cannot be said. Own method: a receipts-only outage looks like a carrier's
    block, but on every line at once.

    Args:
        rows: of ``asks.rows_of``, in its order, of whole lines.
        expected: of ``expected_of`` over all lines, in order of time; added up (``Counts``) where several ask.
    """
    sends = sends_of(rows)
    at = sends.filter("silent")["at"].to_numpy()
    return marked(rows, sends.filter("silent")["row"], lost_at(at, within(at, expected), within_own(sends)))


def lost_otherwise(sends: pl.DataFrame, was: pl.DataFrame, now: pl.DataFrame) -> dict[str, int]:
    """Return the lines with a silent send that went out while receipts were lost by one of two accounts only, and the first of these (ms).

    Args:
        sends: line, at (ms), receipt, failed (ms or null): those in the time of ``reach_of``.
        was: of ``expected_of`` over all lines, any order, those within ``reaches`` of these sends at least.
        now: the same by the other account.
    """
    silent = sends.filter(_silent()).sort("line", "at")
    at, lost = silent["at"].to_numpy(), []
    for expected in (was, now):
        expected = expected.sort("at")
        lost.append(lost_at(at, within(at, expected), _within_of_line(silent, expected)))
    first = silent.filter(pl.Series(lost[0] != lost[1])).group_by("line").agg(pl.col("at").min())
    return dict(first.iter_rows())


def marked(rows: pl.DataFrame, places: pl.Series, lost: Array) -> pl.DataFrame:
    """Return rows with ``lost``: of those at some places as given (NEVER where not), null for all others."""
    known = np.full(rows.height, NEVER, dtype=np.int64)
    known[places.to_numpy()] = lost
    return rows.with_columns(lost=pl.Series(known).replace(NEVER, None))


def unmarked(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows with ``lost``: of none. For what whether receipts were lost does not change: pooled rates, and what was answered."""
    return rows.with_columns(lost=pl.lit(None, dtype=pl.Int64))


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
    return np.stack([np.stack(counts.within(at - a, at + b), axis=-1) for a, b in reaches()], axis=1)


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
    """Expected receipts (of ``expected_of``, in order of time) added up, and how many of them did not come.

    Args:
        parts: one after the other in time; of a large fleet not all need be in memory at once.
        most: rows of all parts together, or more.
    """

    def __init__(self, parts: Iterable[pl.DataFrame], most: int) -> None:
        self._times, self._silent = np.empty(most, dtype=np.int64), np.zeros(most + 1, dtype=np.int32)
        end = 0
        for part in parts:
            begin, end = end, end + part.height
            self._times[begin:end] = part["at"].to_numpy()
            np.cumsum(part["silent"].to_numpy(), out=self._silent[begin + 1 : end + 1])
            self._silent[begin + 1 : end + 1] += self._silent[begin]
        self._times = self._times[:end]

    @classmethod
    def of(cls, sends: pl.DataFrame) -> Counts:
        """Return those of one frame."""
        return cls([sends], sends.height)

    def within(self, after: Array, until: Array) -> tuple[Array, Array]:
        """Return for each period (after, until] how many were expected in it, and how many of these did not come."""
        low, high = (np.searchsorted(self._times, end, side="right") for end in (after, until))
        return high - low, self._silent[high] - self._silent[low]
