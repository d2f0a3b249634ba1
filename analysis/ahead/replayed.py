"""What was known of each hour before and after a rule in, and the model learned before; the change in risk with its uncertainty, out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from analysis.ahead.features import NAMES
from analysis.ahead.model import FEATURES, Array, Model, chances_of, matrix
from analysis.schema import INSTANT, REPLAY

AFTER_HOURS = 72
"""Hours after the period, and after the last conversation that was moved, that are looked at: what is put off must not fall out of sight."""
DRAWS = 400
"""Weights drawn from what they may be; the same for both sides."""
SEED = 20_260_301
ARRANGEMENTS = 7
"""Further orders in which the conversations of a day take their turns: which of them wait is arbitrary."""
LEAST, NEAR = 0.005, 0.03
"""A change of half a point in the chance, or of a 200th of a fall, is none; within three points either way it is slight."""
LOW, HIGH = 10, 90
"""Percentiles of the 80 % interval."""


@dataclass(frozen=True)
class Change:
    """A figure before and after, and the 80 % interval of the difference (after less before)."""

    before: float
    after: float
    low: float
    high: float

    @property
    def change(self) -> float:
        """Return after less before."""
        return self.after - self.before

    @property
    def tells(self) -> int:
        """Return -1 where the whole interval lies below 0, 1 where it lies above, 0 where it holds it (or a LEAST around it)."""
        return -1 if self.high <= -LEAST else 1 if self.low >= LEAST else 0

    @property
    def slight(self) -> bool:
        """Say whether the whole interval is near 0."""
        return self.low >= -NEAR and self.high <= NEAR

    def as_json(self) -> dict[str, float]:
        """Return it as a record keeps it."""
        figures = {
            "before": self.before,
            "after": self.after,
            "change": self.change,
            "low": self.low,
            "high": self.high,
        }
        return {k: round(v, 8) for k, v in figures.items()}


@dataclass(frozen=True)
class Most:
    """An hour of a line, its chance on both sides, and the driver through which they differ most."""

    hour: datetime
    before: float
    after: float
    driver: str


@dataclass(frozen=True)
class Replayed:
    """The chance hour by hour, and its change: REPLAY; falls expected over all lines; by line the worst hour."""

    rows: pl.DataFrame
    falls: Change
    """Worsenings expected over the hours looked at, all lines concerned: every hour counts for a 24th of its chance."""
    worst: dict[str, Change]
    """By line: the highest chance of any hour."""
    most: dict[str, Most]
    """By line: the hour in which the two sides differ most."""


def replayed(
    before: pl.DataFrame, after: Sequence[pl.DataFrame], model: Model, *, since: datetime, until: datetime
) -> Replayed:
    """Return how the chance of turning worse within 24 h changes.

    Args:
        before: HOURLY of the lines concerned, from the messages as they were.
        after: the same from the altered messages: as the rule is told first, then with conversations of a day in other orders.
        model: for 24 h, learned from nothing later than ``since``.
        since: UTC; hours from here are looked at.
        until: UTC; up to here, not part of it.
    """
    hours = pl.col("hour").is_between(since, until, closed="left")
    sides = [f.filter(hours).sort("line", "hour") for f in (before, *after)]
    lines = sides[0]["line"].to_numpy()
    critical = (sides[0]["health"].fill_null("HEALTHY") == "CRITICAL").to_numpy()
    told = [np.where(critical, 0.0, model.chance(matrix(side))) for side in sides]
    draws = np.random.default_rng(SEED).multivariate_normal(model.weights, model.covariance, size=DRAWS, method="eigh")
    drawn = [np.where(critical[:, None], 0.0, chances_of(matrix(side), draws)) for side in sides]
    mixed = drawn[1].copy()  # each draw of the weights with one of the orders
    for i in range(len(after)):
        mixed[:, i :: len(after)] = drawn[1 + i][:, i :: len(after)]
    rows = sides[0].select(
        "line",
        pl.col("hour").cast(INSTANT),
        p_before=pl.Series(told[0]),
        p_after=pl.Series(told[1]),
        change_low=pl.Series(np.percentile(mixed - drawn[0], LOW, axis=1)),
        change_high=pl.Series(np.percentile(mixed - drawn[0], HIGH, axis=1)),
    )
    worst, most = {}, {}
    moved = (matrix(sides[1]) - matrix(sides[0])) * model.weights[1:]
    for line in sides[0]["line"].unique(maintain_order=True):
        mine = lines == line
        at = int(np.argmax(np.where(mine, np.abs(told[1] - told[0]), -1.0)))
        most[line] = Most(sides[0]["hour"][at], told[0][at], told[1][at], _driver(moved[at], told[1][at] - told[0][at]))
        worst[line] = _change(told[0][mine].max(), told[1][mine].max(), mixed[mine].max(0) - drawn[0][mine].max(0))
    falls = _change(told[0].sum() / 24, told[1].sum() / 24, (mixed - drawn[0]).sum(0) / 24)
    return Replayed(rows.select(REPLAY.names()).cast(dict(REPLAY)), falls, worst, most)  # type: ignore[arg-type]


def _driver(moved: Array, change: float) -> str:
    """Return the driver whose features move the log odds most the way they changed."""
    by_driver: dict[str, float] = {}
    for name, part in zip(FEATURES, moved, strict=True):
        by_driver[NAMES[name]] = by_driver.get(NAMES[name], 0.0) + float(part) * (1 if change >= 0 else -1)
    return max(by_driver, key=lambda d: by_driver[d])


def _change(before: float, after: float, differences: Array) -> Change:
    low, high = np.percentile(differences, [LOW, HIGH])
    told = float(after) - float(before)
    return Change(float(before), float(after), min(float(low), told), max(float(high), told))


def held(spells: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """Return SPELLS as they stood at a time, each state going on: what was reported later is the outcome, not an input."""
    known = spells.filter(pl.col("start_at").is_null() | (pl.col("start_at") <= at))
    return known.with_columns(end_at=pl.when(pl.col("end_at") <= at).then("end_at"))


def looked_at(moved: pl.DataFrame, until: datetime, newest: datetime) -> datetime:
    """Return up to when hours are looked at: three days after the period, or after the last opener that was moved; no later than the data."""
    last: Any = moved["to_at"].max() if moved.height else None
    end = max(until, last or until) + timedelta(hours=AFTER_HOURS)
    return min(end, newest)
