"""An open store in, what explanations rest on out: what all lines tell together, kept by line and day, and the histories of those that are asked for.

A line's history is built from all its messages where a change of it is explained. Of the other lines only the chats with anything lately are
read: for the rows of the last days (``tell_again``), and for quiet times (``StoreLines.since``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

import polars as pl

from analysis.explain.asks import asks_of, carried_by, placed_rows, rows_of, with_opt_outs
from analysis.explain.baseline import FleetSums
from analysis.explain.constants import CONSTANTS, DAY
from analysis.explain.histories import Built, gaps_of, histories_of
from analysis.explain.history import LineHistory
from analysis.explain.measure import AllLines
from analysis.explain.receipts import Counts, expected_of, lost_otherwise, reach_of, reaches, sends_of
from analysis.explain.running import Span
from analysis.explain.shelf import Shelf
from analysis.explain.together import Shared, Told, carried_of, firsts_in, shared, sums_of, tells_to, together
from analysis.explain.troubles import Troubles
from analysis.explain.words import milliseconds
from analysis.memory import give_back
from analysis.pipeline.shards import AT_ONCE, Group, grouped, side_by_side, whole_lines
from analysis.schema import INSTANT
from analysis.settings import Settings
from analysis.store import asked, read, read_counted
from analysis.store.since import SINCE

_TOGETHER = 250_000
"""Messages of the lines whose histories are built together."""
_TOLD = ("asked_line", "asked_day", "asked_service", "asked_hour")
"""Where what lines tell together (``together.Told``) is kept."""
_EXPECTED = pl.Schema({"line": pl.String, "at": INSTANT, "silent": pl.Boolean})
_MORE_DAYS = 2
"""Days that are read beyond those that quiet times use, for days that are cut."""


class Part(NamedTuple):
    """Some lines: all their rows (``asks.rows_of``), or those of the chats with anything since some day."""

    rows: pl.DataFrame
    chats: pl.DataFrame
    health: pl.DataFrame
    carried: pl.DataFrame
    """CARRIED."""


class StoreLines:
    """The lines of a store of which all is kept that they tell together; histories are read for those that are asked for.

    Args:
        con: a store open for writing.
        scratch: a folder for histories that do not fit into memory.
        lost: GAPS.
        troubles: unhealthy times of each line.
        settings: see Settings.
    """

    def __init__(
        self, con: Any, scratch: Path, lost: pl.DataFrame, troubles: Mapping[str, Troubles], settings: Settings
    ) -> None:
        self._con, self._scratch, self._lost = con, scratch, lost
        self._troubles, self._settings = troubles, settings

    @cached_property
    def firsts(self) -> dict[str, int]:
        """When each line's first message was (ms), in order of line."""
        return firsts_in(asked.lines(self._con))

    def names(self) -> list[str]:
        """Return all lines of which anything is kept."""
        return list(self.firsts)

    def together(self) -> Shared:
        """Return what all lines tell together."""
        return shared(self.sums(), asked.hours(self._con))

    def sums(self) -> FleetSums:
        """Return what pooled rates rest on."""
        return sums_of(asked.days(self._con), asked.services(self._con))

    def all(self) -> tuple[AllLines, Shelf]:
        """Return all lines, and their histories, which they hold; keep what they tell together."""
        con, told = self._con, list[Told]()
        asked.clear(con)
        found = Shelf(self._scratch)
        tells = tells_to(told, self._troubles, self._lost, self._settings)

        def built(group: Group) -> Built:
            chats, health, rows = group.chats, group.health, placed_rows(group.messages)
            large = group.size > _TOGETHER
            del group  # a large line's messages are larger than its rows
            if large:
                give_back()
            rows = with_opt_outs(rows, health)
            return histories_of(rows, chats, health, self._settings, self._gaps, seen=tells)

        groups = _with_room(whole_lines(con, read_counted.line_sizes(con), most=_TOGETHER), found)
        for part in side_by_side(groups, built, size=lambda group: group.size, most=AT_ONCE * _TOGETHER):
            asked.add(con, "expected_receipt", _expected(part.expected))
            for history in part.histories.values():
                found.put(history)
        found.lost_by(self._counted())
        whole = together(told)
        for table, frame in zip(_TOLD, whole, strict=True):
            asked.add(con, table, frame)
        return AllLines(found, whole), found

    def whole(self, lines: list[str]) -> Mapping[str, LineHistory]:
        """Return the histories of some lines."""
        found = Shelf(Path(mkdtemp(dir=self._scratch)))
        for part in self._whole(lines):
            for history in self._histories(part).values():
                found.put(history)
        return found

    def since(self, times: Mapping[str, int]) -> Mapping[str, LineHistory]:
        """Return histories of some lines that hold for quiet times from a time (ms) on."""
        s, k = self._settings, CONSTANTS
        back = s.explain_baseline_gap_days + s.explain_baseline_days + k.unhealthy_days + _MORE_DAYS
        # what is said of a young line rests on its first days
        young = max(s.young_line_days, k.short_life_days) * DAY
        begins = {line: at - back * DAY for line, at in times.items()}
        begins = {line: at if at > self.firsts[line] + young else 0 for line, at in begins.items()}
        return {line: history for part in self._parts(begins) for line, history in self._histories(part).items()}

    def tell_again(self, since: Mapping[str, float], begins: Mapping[str, float], last: float) -> dict[str, int]:
        """Keep again what lines tell together, of each line from a time (ms) on; 0: of all of it.

        Args:
            since: line to that time.
            begins: line to the time from which on anything of it may be otherwise anyway.
            last: when the last change is (ms): what is otherwise after it, nobody asks for.

        Returns:
            Other lines of which it is told otherwise now whether receipts were lost, and from when on (ms).
        """
        days = _since(self._days(since))
        was = asked.expected_of(self._con, days)
        late = self._keep(since)
        if late:  # runs of sends that began long before: seldom, so all of their lines
            whole = _since(dict.fromkeys(late, 0.0))
            stood = asked.expected_of(self._con, whole).join(
                days.select("line", pl.col("since").cast(pl.Int64)), on="line"
            )
            was = pl.concat([was, stood.filter(pl.col("at") < pl.col("since")).select(was.columns)])
            self._keep(dict.fromkeys(late, 0.0))
            days = pl.concat([days.join(whole, on="line", how="anti"), whole])
        return self._lost_otherwise(days, was, begins, last)

    def _lost_otherwise(
        self, days: pl.DataFrame, was: pl.DataFrame, begins: Mapping[str, float], last_change: float
    ) -> dict[str, int]:
        """Return lines of which receipts were lost by other lines' receipts then, or are now.

        Args:
            days: SINCE: what was kept again.
            was: what was expected of these lines since then before.
            begins: as ``tell_again``.
            last_change: its ``last``.
        """
        con, now = self._con, asked.expected_of(self._con, days)
        counts = (
            pl.concat([was.with_columns(by=-1), now.with_columns(by=1)])
            .group_by("line", "at", "silent")
            .agg(pl.col("by").sum())
        )
        unlike = counts.filter(pl.col("by") != 0)["at"]
        if unlike.is_empty():
            return {}
        first, last = reach_of(int(unlike.min()), int(unlike.max()))  # type: ignore[arg-type]
        others = [line for line in self.firsts if begins.get(line, math.inf) > first]
        if not others or first > last_change:
            return {}
        sends = asked.sends_between(con, first, last).filter(pl.col("line").is_in(others))
        around = first - max(before for before, _ in reaches()), last + max(after for _, after in reaches())
        expected = asked.expected_between(con, *around)
        told_again = days.select("line", pl.col("since").cast(pl.Int64))
        stood = expected.join(told_again, on="line", how="left").filter(
            pl.col("since").is_null() | (pl.col("at") < pl.col("since"))
        )
        return lost_otherwise(sends, pl.concat([stood.select(was.columns), was]), expected)

    def _keep(self, since: Mapping[str, float]) -> set[str]:
        """Do so, and return the lines with an ask that began on a day before, and went on after the time."""
        days, told, expected, late = self._days(since), list[Told](), [pl.DataFrame(schema=_EXPECTED)], set[str]()
        tell = tells_to(told, self._troubles, self._lost, self._settings)
        times = pl.DataFrame(
            [(line, at, days[line]) for line, at in since.items()], schema=["line", "at", "day"], orient="row"
        )
        for part in self._parts(days):
            expected.append(_expected(expected_of(sends_of(part.rows))))
            asks = asks_of(part.rows, part.chats, self._settings, part.carried)
            tell(asks, part.carried)
            over = asks.join(times, on="line").filter(pl.col("last") >= pl.col("at"), pl.col("first") < pl.col("day"))
            late |= set(over["line"])
        frames = dict(zip(_TOLD, together(told), strict=True)) | {"expected_receipt": pl.concat(expected)}
        asked.replace_since(self._con, _since(days), frames)
        self.__dict__.pop("firsts", None)
        return late

    def _days(self, since: Mapping[str, float]) -> dict[str, int]:
        """Return the begin of the day of each time (ms); 0 where that is not after the line's first message."""
        return {line: _day(at) if at > self.firsts.get(line, at) else 0 for line, at in since.items()}

    def _parts(self, since: Mapping[str, float]) -> Iterator[Part]:
        """Yield lines by the chats with anything since the begin of the day of a time (ms); whole ones where that is before their first message."""
        unnamed = set(asked.unnamed(self._con))
        days = {line: day for line, day in self._days(since).items() if day and line not in unnamed}
        if days:
            begins = _since(days)
            carried = carried_of(
                asked.lines(self._con), asked.days(self._con), begins.with_columns(pl.col("since").cast(pl.Int64))
            )
            for lines in grouped(asked.want(self._con, begins), most=_TOGETHER):
                messages, chats, health = asked.wanted(self._con, lines)
                yield Part(rows_of(messages, health), chats, health, carried.filter(pl.col("line").is_in(lines)))
            asked.done(self._con)
        yield from self._whole([line for line in since if line not in days])

    def _whole(self, lines: list[str]) -> Iterator[Part]:
        for group in grouped(read.message_counts(self._con, lines), most=_TOGETHER):
            messages, chats, health = asked.of_lines(self._con, group)
            rows = rows_of(messages, health)
            yield Part(rows, chats, health, carried_by(rows))

    def _histories(self, part: Part) -> dict[str, LineHistory]:
        rows, chats, health, carried = part
        built = histories_of(rows, chats, health, self._settings, self._gaps, carried=carried)
        return built.marked_by(self._receipts)

    @cached_property
    def _gaps(self) -> dict[str | None, list[Span]]:
        return gaps_of(self._lost)

    @cached_property
    def _receipts(self) -> Counts:
        return self._counted()

    def _counted(self) -> Counts:
        return Counts(asked.expected(self._con), asked.expected_size(self._con))


def _with_room(groups: Iterable[Group], found: Shelf) -> Iterator[Group]:
    """Yield groups, each with as much room for it as can be made by writing histories; those of the one before are put later."""
    for group in groups:
        found.make_room(group.size)
        if group.size > _TOGETHER:
            give_back()  # what was held there
        given = [group]
        del group
        yield given.pop()


def begins_of(
    told: Mapping[str, datetime],
    spells: Mapping[str, datetime],
    gaps: Mapping[str | None, datetime],
    lines: list[str],
    settings: Settings,
) -> dict[str, float]:
    """Return from when on (ms) what each line tells together may be otherwise.

    Args:
        told: line to the earliest instant of which anything is new.
        spells: line to the instant from which on its health or status is told otherwise.
        gaps: line (None: all) to the start of the earliest gap that was not there before, or is no more.
        lines: all that are kept.
        settings: the reply window.
    """
    window = timedelta(hours=settings.explain_reply_hours)
    found: dict[str, datetime] = {}
    for times, before in (
        (told, window),
        (spells, timedelta(days=CONSTANTS.before_spell_days)),  # a line's usual ends that long before a spell
        ({line: at for line, at in gaps.items() if line is not None}, window),
        (dict.fromkeys(lines, gaps[None]) if None in gaps else {}, window),
    ):
        for line, at in times.items():
            begin = at if at < datetime(1971, 1, 1) else at - before
            found[line] = min(begin, found.get(line, begin))
    return {line: float(max(milliseconds(at), 0)) for line, at in found.items()}


def _day(at: float) -> int:
    return int(at // DAY) * DAY


def _since(days: Mapping[str, float]) -> pl.DataFrame:
    return pl.DataFrame(list(days.items()), schema=["line", "since"], orient="row").cast(dict(SINCE))  # type: ignore[arg-type]


def _expected(told: pl.DataFrame) -> pl.DataFrame:
    return told.with_columns(pl.col("at").cast(INSTANT))
