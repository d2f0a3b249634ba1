"""Actions and the fleet's hours in, one verdict an action out: its effects, its sentence, health since, and what began beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

import numpy as np
import polars as pl

from analysis.explain.words import lasting, plural
from analysis.helped.effect import LEAST_DAYS, Effect, Moment, effects_of
from analysis.helped.grid import MEASURES, WEEK, WHOLE, Array, Grid
from analysis.helped.near import Beside, beside
from analysis.helped.words import UNKNOWN, verdict_of

LEAST_RECOVERIES = 3
"""Fewer falls left alone say nothing of how long that takes."""
TOGETHER = timedelta(hours=24)
"""Actions so near to each other cannot be told apart: the later one does not end the time after the first."""
_FOUND_BY = ("followups", "openers")
"""Measures by which a slow-down is found, or that go with them: its effect on these says nothing."""


@dataclass(frozen=True)
class Helped:
    """One action and what became of it."""

    action_id: str
    line: str | None
    at: datetime
    kind: str
    label: str | None
    source: str
    days: int
    """Whole days after it that could be looked at, at most seven."""
    verdict: str
    sentence: str
    effects: tuple[Effect, ...]
    health: str
    """When the line was healthy again, beside the falls left alone; empty where it was not in trouble."""
    burst: Beside
    replies: Beside


def judged(
    actions: pl.DataFrame, grid: Grid, spells: pl.DataFrame, bursts: pl.DataFrame, falls: pl.DataFrame
) -> list[Helped]:
    """Return a verdict for each action, in their order.

    Args:
        actions: ACTIONS, recorded and found.
        grid: the fleet.
        spells: SPELLS.
        bursts: STARTS of bursts.
        falls: STARTS of falls in replies.
    """
    rows = actions.rows(named=True)
    busy = _busy(rows, grid)
    spans = troubles(spells)
    length = timedelta(hours=grid.hours)
    found = []
    for row in rows:
        days = _days(row, rows, grid)
        verdict, sentence, effects = _verdict(row, days, busy, grid)
        near = [beside(row["at"], row["line"], starts, length) for starts in (bursts, falls)]
        found.append(
            Helped(
                row["action_id"], row["line"], row["at"], row["kind"], row["label"], row["source"], days,
                verdict, sentence + _with(row, rows), tuple(effects), _health(row, rows, spans, grid), *near,
            )
        )  # fmt: skip
    return found


def _first_hour(at: datetime, grid: Grid) -> int:
    """Return the first whole hour after an action."""
    return grid.at(at - timedelta(milliseconds=1)) + 1


def _busy(rows: list[dict[str, object]], grid: Grid) -> Array:
    """Return in which hours of which lines an action was recorded; what was found is none: it was chosen by what came after."""
    busy = np.zeros((len(grid.names), grid.hours), dtype=bool)
    for row in rows:
        hour = grid.at(row["at"])  # type: ignore[arg-type]
        if row["source"] != "found" and 0 <= hour < grid.hours:
            if row["line"] is None:
                busy[:, hour] = True
            elif row["line"] in grid.place:
                busy[grid.place[str(row["line"])], hour] = True
    return busy


def _days(row: dict[str, object], rows: list[dict[str, object]], grid: Grid) -> int:
    """Return the whole days after an action up to the next one of its line, or the data's end; at most a week."""
    at: datetime = row["at"]  # type: ignore[assignment]
    ends = [grid.time(grid.hours)]
    for other in rows:
        later: datetime = other["at"]  # type: ignore[assignment]
        shared = row["line"] is None or other["line"] in (None, row["line"])
        if shared and later - at > TOGETHER and (row["line"] is not None or other["line"] is None):
            ends.append(later)
    whole = int((min(ends) - grid.time(_first_hour(at, grid))) / timedelta(days=1))
    return max(0, min(WEEK, whole))


def _verdict(row: dict[str, object], days: int, busy: Array, grid: Grid) -> tuple[str, str, list[Effect]]:
    line = WHOLE if row["line"] is None else str(row["line"])
    if line not in grid.place:
        return UNKNOWN, "Can't tell: there is no message of this line.", []
    if days < LEAST_DAYS:
        return UNKNOWN, f"Can't tell yet: {plural(days, 'whole day')} after it, {LEAST_DAYS} are needed.", []
    moment = Moment(grid.place[line], _first_hour(row["at"], grid), days)  # type: ignore[arg-type]
    if not grid.inside([moment.line], [moment.hour], days)[0]:
        return UNKNOWN, "Can't tell: the data has no whole week before it.", []
    measures = tuple(m for m in MEASURES if row["source"] != "found" or m not in _FOUND_BY)
    effects = effects_of(grid, moment, busy, measures=measures)
    return *verdict_of(effects), effects


def _with(row: dict[str, object], rows: list[dict[str, object]]) -> str:
    """Return what was done at the same time: its effect cannot be told apart."""
    same = [
        other for other in rows
        if other is not row and other["source"] != "found" and other["line"] in (None, row["line"])
        and abs(other["at"] - row["at"]) <= TOGETHER  # type: ignore[operator]
    ]  # fmt: skip
    return f" {plural(len(same), 'other action')} within a day of it cannot be told apart." if same else ""


def troubles(spells: pl.DataFrame) -> dict[str, list[tuple[datetime, datetime | None]]]:
    """Return for each line the times it was not healthy, from a known start to its return; not over where the end is None."""
    sick = spells.filter(pl.col("kind") == "health", pl.col("state") != "HEALTHY", pl.col("start_at").is_not_null())
    found: dict[str, list[tuple[datetime, datetime | None]]] = {}
    for line, start, end in sick.sort("line", "start_at").select("line", "start_at", "end_at").iter_rows():
        own = found.setdefault(line, [])
        if own and own[-1][1] == start:
            own[-1] = (own[-1][0], end)
        else:
            own.append((start, end))
    return found


def _health(
    row: dict[str, object],
    rows: list[dict[str, object]],
    spans: dict[str, list[tuple[datetime, datetime | None]]],
    grid: Grid,
) -> str:
    at: datetime = row["at"]  # type: ignore[assignment]
    mine = next((s for s in spans.get(str(row["line"]), []) if s[0] <= at and (s[1] is None or at < s[1])), None)
    if row["line"] is None or mine is None:
        return ""
    end = grid.time(grid.hours)
    since, left = at - mine[0], mine[1] - at if mine[1] is not None else None
    told = f"Healthy again {_span(left)} later" if left is not None else f"Not healthy again in {_span(end - at)}"
    acted = [(r["line"], r["at"]) for r in rows if r["source"] != "found"]
    others = []
    for line, of in spans.items():
        for start, stop in of:
            alone = not any(who in (None, line) and start <= when <= (stop or end) for who, when in acted)  # type: ignore[operator]
            if alone and (line, start) != (row["line"], mine[0]) and (stop or end) - start > since:
                others.append((stop - start - since) / timedelta(days=1) if stop is not None else float("inf"))
    if len(others) < LEAST_RECOVERIES:
        return f"{told}; too few falls were left alone to say how long that takes."
    middle = median(others)
    took = f"half took {_span(timedelta(days=middle))} or less" if np.isfinite(middle) else "most are not over yet"
    return f"{told}; of {len(others)} falls left alone that had lasted as long, {took} from there."


def _span(of: timedelta) -> str:
    return lasting(of.total_seconds() * 1000)
