"""Bursts, falls in replies and an action in; whether one began within a day of it, and how often that comes by itself, out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from analysis.schema import INSTANT, Explanation
from analysis.signals.bursts import DAY, runs, stretch, with_usual

NEAR = timedelta(hours=24)
"""What begins within this time of an action may have to do with it."""
NAMED_SHARE = 0.25
"""A cause with less of the risk than this is not named beside an action (design sheet, headline 11)."""
STARTS = pl.Schema({"line": pl.String, "start": INSTANT})
"""When something began on a line, key (line, start)."""


@dataclass(frozen=True)
class Beside:
    """What began within NEAR of an action: None where nothing did; and in which part of all hours something stands so near."""

    at: datetime | None
    line: str | None
    by_chance: float


def burst_starts(hours: pl.DataFrame, lines: pl.DataFrame, *, young: int, first_at: datetime) -> pl.DataFrame:
    """Return when each burst of new conversations began: STARTS. Arguments as `signals.bursts.with_usual`."""
    marked = with_usual(hours, lines, young=young, first_at=first_at)
    by_line = {key[0]: rows for key, rows in marked.partition_by("line", as_dict=True).items()}
    found = []
    for run in runs(marked):
        line, top, last = run["line"][0], run["hour"][0], run["hour"][-1]
        extent = by_line[line].filter(pl.col("hour") > top - DAY, pl.col("hour") <= last)
        low, _ = stretch(extent["new_conversations"].to_list(), run["least"][0] / 24)
        found.append((line, extent["hour"][low]))
    return pl.DataFrame(found, schema=STARTS, orient="row").sort("line", "start")


def reply_falls(explanations: Iterable[Explanation]) -> pl.DataFrame:
    """Return when fewer replies, as a cause of a worsening, began: STARTS."""
    found = set()
    for e in explanations:
        for i, driver in enumerate(e.drivers):
            onset = driver.onset or (e.onset if i == 0 else None)
            if driver.driver == "engagement" and driver.share >= NAMED_SHARE and onset:
                found.add((e.line, datetime.fromisoformat(onset).replace(tzinfo=None)))
    return pl.DataFrame(sorted(found), schema=STARTS, orient="row")


def beside(at: datetime, line: str | None, starts: pl.DataFrame, span: timedelta) -> Beside:
    """Return the beginning nearest to an action, if one is within NEAR.

    Args:
        at: of the action.
        line: whose; any line's beginning counts where None.
        starts: STARTS.
        span: how long the data is, to say how often a beginning stands so near by itself.
    """
    own = starts if line is None else starts.filter(pl.col("line") == line)
    times = own["start"].sort().to_list()
    covered, end = timedelta(0), None
    for start in times:  # hours within NEAR of a beginning, those near two counted once
        low = start - NEAR if end is None else max(end, start - NEAR)
        end = start + NEAR
        covered += end - low
    chance = min(1.0, covered / span) if span > timedelta(0) else 0.0
    close = own.filter((pl.col("start") - at).abs() <= NEAR).sort((pl.col("start") - at).abs(), "line")
    if close.is_empty():
        return Beside(None, None, chance)
    return Beside(close["start"][0], close["line"][0], chance)
