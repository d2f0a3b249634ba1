"""Hours of every line in; for any line, time and length at once: what was counted before and after, and what is usual there, out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

Array = Any

MEASURES = ("replies", "failures", "chats", "followups", "openers")
"""What an action may change, in the order in which a verdict speaks of it."""
RATES = 3
"""The first so many measures are rates; the others are counts a day, compared as ratios."""
GOOD = np.array([1.0, -1.0, -1.0, -1.0, -1.0])
"""The direction in which each measure is better."""
WEEK = 7
"""Days compared: a week has every weekday once."""
USUAL_DAYS = 28
"""Days before the week before, of which the healthy ones are the usual."""
LEAST_USUAL_DAYS = 7
"""Fewer healthy days make no usual."""
HALF = 0.5
"""Added to counts whose ratio is taken, so that none is no infinity."""
_TOPS = ("replied", "failed", "chats_ill", "unanswered_turns", "new_conversations")
_BOTTOMS = ("mature", "outbound", "chats_active", None, None)
"""Of a count a day: the day itself."""
WHOLE = ""
"""The name of the row that holds the whole fleet's counts."""


@dataclass(frozen=True)
class Episodes:
    """Weeks around some moments of some lines; arrays are (episode, measure, day) for counts and (episode, measure) else."""

    line: Array
    hour: Array
    top_before: Array
    bottom_before: Array
    top_after: Array
    bottom_after: Array
    sends: Array
    """Sends of the days before, (episode,)."""
    usual: Array
    """Nan where there is no usual."""

    def __len__(self) -> int:
        return len(self.line)

    def level(self, when: str) -> Array:
        """Return each measure before or after: the rate, or the count a day."""
        top, bottom = (getattr(self, f"{side}_{when}").sum(axis=2) for side in ("top", "bottom"))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(bottom > 0, top / bottom, np.nan)

    def change(self) -> Array:
        """Return each measure's change: a difference of rates, or the logarithm of a ratio of counts."""
        return self._against(self.level("before"), self.level("after"))

    def gap(self) -> Array:
        """Return how far each measure before was from its usual, in the units of ``change``; 0 where there is no usual."""
        return np.nan_to_num(self._against(self.usual, self.level("before")))

    def _against(self, old: Array, new: Array) -> Array:
        small = HALF / self.top_before.shape[2]
        ratio = np.log((new + small) / (old + small))
        return np.where(np.arange(len(MEASURES)) < RATES, new - old, ratio)

    def variance(self) -> Array:
        """Return the variance of each change by chance: between days as they differ (as a bootstrap of days has it), at least that of counting."""
        return self._side("before") + self._side("after")

    def _side(self, when: str) -> Array:
        top, bottom = getattr(self, f"top_{when}"), getattr(self, f"bottom_{when}")
        days = top.shape[2]
        whole, total = bottom.sum(axis=2), top.sum(axis=2)
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = (total + HALF) / (whole + 2 * HALF)
            off = ((top - (total / whole)[:, :, None] * bottom) ** 2).sum(axis=2) * days / max(days - 1, 1)
            rates = np.maximum(off / whole**2, rate * (1 - rate) / whole)
            counts = np.maximum(off / (total + HALF) ** 2, 1 / (total + HALF))
        return np.where(np.arange(len(MEASURES)) < RATES, rates, counts)

    def take(self, rows: Array) -> Episodes:
        """Return some of the episodes."""
        return Episodes(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


class Grid:
    """Sums over the hours of every line, so that any week of any line is two look-ups; the last row is the whole fleet."""

    def __init__(self, hours: pl.DataFrame, spells: pl.DataFrame) -> None:
        """Take SIGNALS_HOUR and SPELLS (without any, a line's health is not known and counts as healthy)."""
        self.names: list[str] = [*hours["line"].unique().sort().to_list(), WHOLE]
        self.place = {name: i for i, name in enumerate(self.names)}
        self.begin: datetime = hours["hour"].min() if hours.height else datetime(1970, 1, 1)  # type: ignore[assignment]
        end: datetime = hours["hour"].max() if hours.height else self.begin  # type: ignore[assignment]
        self.hours = round((end - self.begin) / timedelta(hours=1)) + 1
        told = hours.with_columns(chats_ill=pl.col("chats_at_risk") + pl.col("chats_critical"))
        line = hours["line"].replace_strict(self.place, return_dtype=pl.Int64).to_numpy()
        hour = ((hours["hour"] - self.begin).dt.total_seconds() // 3600).to_numpy()
        columns = [*_TOPS, *_BOTTOMS, "outbound"]
        values = np.zeros((len(self.names), self.hours, len(columns)))
        for i, name in enumerate(columns):
            if name is None:
                values[:, :, i] = 1 / 24
            else:
                values[line, hour, i] = told[name].cast(pl.Float64).to_numpy()
                values[-1, :, i] = values[:-1, :, i].sum(axis=0)
        self.known = np.zeros((len(self.names), self.hours), dtype=bool)
        self.known[line, hour] = True
        self.known[-1] = True
        self.ill = self._ill(spells)
        calm = (self.known & ~self.ill)[:, :, None]
        self._sums, self._calm, self._hours, self._sick = (
            np.concatenate([np.zeros((len(self.names), 1, v.shape[2])), np.cumsum(v, axis=1)], axis=1)
            for v in (values, values * calm, calm.astype(float), self.ill[:, :, None].astype(float))
        )
        self.measured = values[:-1, :, : len(_TOPS)].sum(axis=(0, 1)) > 0
        """Whether anything was ever counted of a measure: without chat health in the export there are no chats at risk."""

    def _ill(self, spells: pl.DataFrame) -> Array:
        ill = np.zeros((len(self.names), self.hours), dtype=bool)
        sick = spells.filter(pl.col("kind") == "health", pl.col("state") != "HEALTHY")
        for line, start, end in sick.select("line", "start_at", "end_at").iter_rows():
            if line in self.place:
                a = 0 if start is None else max(0, self.at(start))
                b = self.hours if end is None else max(0, self.at(end) + 1)
                ill[self.place[line], a:b] = True
        return ill

    def at(self, when: datetime) -> int:
        """Return the number of the hour that holds a time."""
        return int((when - self.begin) // timedelta(hours=1))

    def time(self, hour: int) -> datetime:
        """Return when an hour begins."""
        return self.begin + timedelta(hours=int(hour))

    def inside(self, line: Array, hour: Array, days: int) -> Array:
        """Return which moments have a whole week before them and ``days`` after them in the data of their line."""
        line, hour = np.asarray(line), np.asarray(hour)
        fits = (hour >= 24 * WEEK) & (hour + 24 * days <= self.hours)
        first = self.known.argmax(axis=1)[line]
        return fits & (hour - 24 * WEEK >= first)

    def sick(self, line: Array, start: Array, end: Array) -> Array:
        """Return in how many hours of [start, end) each line was not healthy."""
        start, end = np.maximum(start, 0), np.minimum(np.maximum(end, 0), self.hours)
        return self._sick[line, end, 0] - self._sick[line, start, 0]

    def episodes(self, line: Iterable[int] | Array, hour: Iterable[int] | Array, days: int) -> Episodes:
        """Return the ``days`` from each moment on, the same weekdays of the week before, and the usual; moments must be ``inside``."""
        line, hour = np.asarray(line, dtype=np.int64), np.asarray(hour, dtype=np.int64)
        before, after = (self._days(line, hour + shift, days) for shift in (-24 * WEEK, 0))
        n = len(MEASURES)
        low = np.maximum(hour - 24 * (WEEK + USUAL_DAYS), 0)
        calm = self._calm[line, hour - 24 * WEEK] - self._calm[line, low]
        healthy = self._hours[line, hour - 24 * WEEK, 0] - self._hours[line, low, 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            usual = np.where(calm[:, n : 2 * n] > 0, calm[:, :n] / calm[:, n : 2 * n], np.nan)
        usual[healthy < 24 * LEAST_USUAL_DAYS] = np.nan
        return Episodes(
            line, hour, before[:, :n], before[:, n : 2 * n], after[:, :n], after[:, n : 2 * n],
            before[:, 2 * n].sum(axis=1), usual,
        )  # fmt: skip

    def _days(self, line: Array, hour: Array, days: int) -> Array:
        edges = hour[:, None] + 24 * np.arange(days + 1)[None, :]
        return np.diff(self._sums[line[:, None], edges], axis=1).transpose(0, 2, 1)
