"""Frames of whole lines in, one record per line out: lines are added some at a time and built together at the end."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import cast
from uuid import uuid4

import numpy as np
import polars as pl

from analysis.explain import shelf
from analysis.explain.asks import asks_of, carried_by, opt_outs_of, rows_of
from analysis.explain.constants import HOUR
from analysis.explain.history import LineHistory
from analysis.explain.receipts import Counts, expected_of, with_lost
from analysis.explain.running import NEVER, Span
from analysis.settings import Settings

Parts = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]
"""Of some whole lines: rows (``asks.rows_of``), when chats were created, CHAT_HEALTH."""
Spread = Callable[[Iterable[Parts], Callable[[Parts], list[LineHistory]]], Iterator[list[LineHistory]]]
"""Builds the histories of parts, in their order; as ``map`` does, the other way round."""


class Histories:
    """Lines added some at a time, so that a large fleet's messages are never all in memory; built one after the other at the end.

    Args:
        settings: see Settings.
        folder: where parts are kept that are more than ``most`` messages together, for their owner only; all are held where None.
        most: messages held in memory, ``shelf.HELD`` where None.
    """

    def __init__(self, settings: Settings, folder: Path | None = None, *, most: int | None = None) -> None:
        self._settings, self._folder, self._room = settings, folder, shelf.HELD if most is None else most
        self._parts = deque[Callable[[], Parts]]()

    def add(self, messages: pl.DataFrame, chats: pl.DataFrame, chat_health: pl.DataFrame) -> pl.DataFrame:
        """Add whole lines: all their MESSAGES, CHATS and CHAT_HEALTH, any order; several threads may, for each other line.

        Returns:
            What they tell of receipts (``receipts.expected_of``).
        """
        rows = rows_of(messages, chat_health)
        expected = expected_of(rows)
        self._parts.append(self._kept((rows, chats.select("chat_id", "created_at"), chat_health)))
        return expected

    def each(
        self,
        expected: Counts,
        gaps: pl.DataFrame | None = None,
        seen: Callable[[pl.DataFrame, pl.DataFrame], None] = lambda asks, carried: None,
        spread: Spread = lambda parts, build: map(build, parts),
    ) -> Iterator[LineHistory]:
        """Yield a LineHistory per line with messages, in any order; what was added is let go of.

        Args:
            expected: receipts of all lines.
            gaps: GAPS, any order; none where None.
            seen: is told the asks of each part, and CARRIED of its lines; by several threads, where ``spread`` has some.
            spread: builds parts one after the other where not given.
        """
        lost = gaps_of(gaps)

        def built(parts: Parts) -> list[LineHistory]:
            rows, chats, chat_health = parts
            return list(self._of(with_lost(rows, expected), chats, chat_health, lost, seen=seen).values())

        for found in spread(self._taken(), built):
            yield from found

    def _taken(self) -> Iterator[Parts]:
        while self._parts:  # first those that memory holds: they are gone by the time as many histories are held
            yield self._parts.popleft()()

    def _kept(self, parts: Parts) -> Callable[[], Parts]:
        """Return what gives some parts back: from memory, or from files where there are too many for it."""
        self._room -= parts[0].height
        if self._folder is None or self._room >= 0:
            return lambda: parts
        paths = [self._folder / f"{uuid4().hex}.part" for _ in parts]
        for part, path in zip(parts, paths, strict=True):
            part.write_ipc(path, compression="lz4")

        def _read() -> Parts:
            found = tuple(pl.read_ipc(path) for path in paths)
            for path in paths:
                path.unlink()
            return cast(Parts, found)

        return _read

    def of_rows(
        self,
        rows: pl.DataFrame,
        chats: pl.DataFrame,
        chat_health: pl.DataFrame,
        gaps: pl.DataFrame | None = None,
        carried: pl.DataFrame | None = None,
    ) -> dict[str, LineHistory]:
        """Return a LineHistory per line of some whole lines, in order of line; nothing that was added matters.

        Args:
            rows: of ``asks.rows_of``, with ``lost`` (of ``receipts``).
            chats: CHATS.
            chat_health: CHAT_HEALTH.
            gaps: GAPS, any order; none where None.
            carried: CARRIED, where these are no whole lines but their chats with anything since some day.
        """
        if not rows.height:
            return {}
        found = self._of(rows, chats.select("chat_id", "created_at"), chat_health, gaps_of(gaps), carried)
        return dict(sorted(found.items()))

    def _of(
        self,
        rows: pl.DataFrame,
        chats: pl.DataFrame,
        chat_health: pl.DataFrame,
        lost: dict[str | None, list[Span]],
        carried: pl.DataFrame | None = None,
        seen: Callable[[pl.DataFrame, pl.DataFrame], None] = lambda asks, carried: None,
    ) -> dict[str, LineHistory]:
        settings = self._settings
        carried = carried_by(rows) if carried is None else carried
        found = asks_of(rows, chats, settings, carried)
        seen(found, carried)
        asks, begun = found.partition_by("line", as_dict=True), _begun(carried)
        owner = rows.select("chat_id", "line").unique()
        states = chat_health.select("chat_id", pl.col("at").cast(pl.Int64), "health").join(owner, on="chat_id")
        states_of = states.sort("line", "chat_id", "at").partition_by("line", as_dict=True)
        outs = opt_outs_of(chat_health).join(owner, on="chat_id").sort("line", "at")
        outs_of = {line: part["at"].to_numpy() for (line,), part in outs.partition_by("line", as_dict=True).items()}
        none, empty = np.array([], dtype=np.int64), states.clear()
        no_asks = found.clear()
        return {
            str(line): LineHistory(
                str(line),
                asks.get((line,), no_asks),
                part,
                states=states_of.get((line,), empty),
                opt_outs=outs_of.get(line, none),
                gaps=sorted(lost.get(None, []) + lost.get(str(line), [])),
                window=settings.explain_reply_hours * HOUR,
                carried=begun.get(line),
            )
            for (line,), part in rows.partition_by("line", as_dict=True, maintain_order=True).items()
        }


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
    parts = Histories(settings)
    expected = parts.add(messages, chats, chat_health)
    return dict(sorted((history.line, history) for history in parts.each(Counts.of(expected.sort("at")), gaps, seen)))


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
