"""Frames of whole lines in, one record per line out; which receipts were lost is told once what all lines expected is known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from analysis.explain.asks import asks_of, carried_by, chats_in, opt_outs_of, reports_of, rows_of
from analysis.explain.constants import HOUR
from analysis.explain.history import LineHistory
from analysis.explain.numbers import stretches
from analysis.explain.receipts import NO_SILENCE, Counts, expected_of, sends_of, silent_of
from analysis.explain.running import NEVER, Span
from analysis.settings import Settings


class Built(NamedTuple):
    """Some lines."""

    histories: dict[str, LineHistory]
    """By line, in order of line; that receipts were lost is not known yet."""
    expected: pl.DataFrame
    """``receipts.expected_of``."""

    def marked_by(self, counts: Counts) -> dict[str, LineHistory]:
        """Let the histories know of the receipts that were lost, by those of all lines, and return them."""
        for history in self.histories.values():
            history.mark(*history.silent.lost(counts))
        return self.histories


def histories_of(
    rows: pl.DataFrame,
    chats: pl.DataFrame,
    chat_health: pl.DataFrame,
    settings: Settings,
    gaps: Mapping[str | None, list[Span]],
    *,
    carried: pl.DataFrame | None = None,
    seen: Callable[[pl.DataFrame, pl.DataFrame], None] = lambda asks, carried: None,
) -> Built:
    """Return a LineHistory per line of some whole lines.

    Args:
        rows: of ``asks.rows_of``.
        chats: CHATS, any order.
        chat_health: CHAT_HEALTH, any order.
        settings: see Settings.
        gaps: times in which deliveries were probably lost, of each line and of all (None).
        carried: CARRIED, where these are no whole lines but their chats with anything since some day.
        seen: is told the asks, and CARRIED of their lines.
    """
    if not rows.height:
        return Built({}, expected_of(sends_of(rows)))
    carried = carried_by(rows) if carried is None else carried
    sends = sends_of(rows)
    expected, silent = expected_of(sends), silent_of(sends, rows)
    del sends  # of a large line, as all here
    found = asks_of(rows, chats, settings, carried)
    seen(found, carried)
    asks, begun = _by_line(found), _begun(carried)
    owner = chats_in(rows).drop("chat_no")
    reports = reports_of(chat_health)
    states = reports.join(owner, on="chat_id")
    states_of = states.sort("line", "chat_id", "at").partition_by("line", as_dict=True)
    outs = opt_outs_of(reports).join(owner, on="chat_id").sort("line", "at")
    outs_of = {line: part["at"].to_numpy() for (line,), part in outs.partition_by("line", as_dict=True).items()}
    none, empty = np.array([], dtype=np.int64), states.clear()
    no_asks = found.clear()
    made = {
        line: LineHistory(
            line,
            asks.get(line, no_asks),
            part,
            states=states_of.get((line,), empty),
            opt_outs=outs_of.get(line, none),
            silent=silent.get(line, NO_SILENCE),
            gaps=sorted(gaps.get(None, []) + gaps.get(line, [])),
            window=settings.explain_reply_hours * HOUR,
            carried=begun.get(line),
        )
        for line, part in _by_line(rows).items()
    }
    return Built(made, expected)


def histories(
    messages: pl.DataFrame,
    chats: pl.DataFrame,
    chat_health: pl.DataFrame,
    settings: Settings,
    gaps: pl.DataFrame | None = None,
    seen: Callable[[pl.DataFrame, pl.DataFrame], None] = lambda asks, carried: None,
) -> dict[str, LineHistory]:
    """Return a LineHistory per line with messages, in order of line; of all lines at once.

    Args:
        messages: MESSAGES, any order.
        chats: CHATS, any order.
        chat_health: CHAT_HEALTH, any order.
        settings: see Settings.
        gaps: GAPS, any order; none where None.
        seen: is told the asks, and CARRIED of the lines.
    """
    rows = rows_of(messages, chat_health)
    built = histories_of(rows, chats, chat_health, settings, gaps_of(gaps), seen=seen)
    return built.marked_by(Counts.of(built.expected.sort("at")))


def _by_line(frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return each line's part of a frame in which the rows of a line are one after the other."""
    return {line: frame[here] for line, here in stretches(frame["line"]).items()}


def _begun(carried: pl.DataFrame) -> dict[str, tuple[int, int]]:
    """Return first message (ms) and day of the first ask of lines (CARRIED) that had an ask before what is here."""
    known = carried.filter(pl.col("first_day").is_not_null()).select("line", "line_first", "first_day")
    return {line: (first_at, day) for line, first_at, day in known.iter_rows()}


def gaps_of(gaps: pl.DataFrame | None) -> dict[str | None, list[Span]]:
    """Return the gaps of each line, and of the whole fleet (None)."""
    found: dict[str | None, list[Span]] = defaultdict(list)
    if gaps is not None:
        rows = gaps.select("line", pl.col("start_at").cast(pl.Int64), pl.col("end_at").cast(pl.Int64))
        for line, start, end in rows.iter_rows():
            found[line].append((float(start), float(end) if end is not None else float(NEVER)))
    return found
