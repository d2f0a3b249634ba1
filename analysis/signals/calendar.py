"""Instants in, buckets out: the days or hours of the store's zone, numbered one after the other so that gaps can be counted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal

import numpy as np
import polars as pl

from analysis.schema import INSTANT
from analysis.signals.grid import Ints

Grain = Literal["day", "hour"]
_GRID = timedelta(minutes=15)
_GRID_MS = 900_000
"""Offsets of zones, and the changes of them since the year 2000, are whole quarters of an hour."""


@dataclass(frozen=True)
class Calendar:
    """Days or hours of one zone. A bucket is a number: 0 for the first one, and no number is left out.

    A day begins where the date of the zone changes, an hour where the zone's clock strikes or is put into another hour. So a day may have
    23 or 25 hours, an hour put back comes twice, and hours of a zone at a half offset begin at half past in UTC.

    Args:
        grain: day or hour.
        begins: the instant each bucket begins, ascending.
        dates: the date of the zone at that instant.
    """

    grain: Grain
    begins: pl.Series
    dates: pl.Series

    def bucket(self, at: pl.Series) -> pl.Series:
        """Return the bucket of each instant; -1 before the first."""
        return pl.Series(self.bucket_of(at.to_physical().to_numpy()))

    @cached_property
    def _quarters(self) -> tuple[int, Ints]:
        """The first quarter of an hour that has a bucket, and the bucket of it and of each one after: no bucket begins within a quarter."""
        begins = self.begins.to_physical().to_numpy() // _GRID_MS
        return int(begins[0]), np.repeat(np.arange(len(begins)), np.diff(begins, append=begins[-1] + 1))

    def bucket_of(self, at: Ints) -> Ints:
        """Return the bucket of each instant, given in ms since 1970; -1 before the first."""
        first, buckets = self._quarters
        place = at // _GRID_MS - first
        return np.where(place < 0, -1, buckets[np.clip(place, 0, len(buckets) - 1)])

    def table(self) -> pl.DataFrame:
        """Return ``bucket``, its key (``day``: date, or ``hour``: instant it begins), ``date``, and ``last``: its last instant."""
        key = self.dates if self.grain == "day" else self.begins
        return pl.DataFrame({self.grain: key, "date": self.dates, "last": self.begins.shift(-1)}).select(
            pl.int_range(pl.len(), dtype=pl.Int64).alias("bucket"), self.grain, "date", pl.col("last") - timedelta(milliseconds=1)
        )  # fmt: skip

    def length_of_days(self, days: int) -> int:
        """Return how many buckets so many days are: calendar days, or 24 hours for each."""
        return days if self.grain == "day" else 24 * days


def calendar(first: datetime, last: datetime, *, zone: str, grain: Grain) -> Calendar:
    """Return the calendar that holds every instant from ``first`` to ``last``, with one bucket or more to spare at both ends.

    Source: contract.md, section 2 (days and hours are cut in the store's zone). ``zone`` is an IANA name, checked by Settings.
    """
    step = _GRID if zone != "UTC" else timedelta(hours=1)
    midnight = datetime(first.year, first.month, first.day)
    grid = pl.datetime_range(midnight - timedelta(days=3), last + timedelta(days=3), step, eager=True, time_unit="ms")
    clock = grid.dt.replace_time_zone("UTC").dt.convert_time_zone(zone).dt.replace_time_zone(None)
    # a date, once begun, is not left again: a clock put back over midnight doesn't bring the day before back
    told = pl.DataFrame({"at": grid, "clock": clock}).with_columns(date=pl.col("clock").dt.date().cum_max())
    hour = pl.col("clock").dt.truncate("1h")
    begins = pl.col("date") if grain == "day" else hour
    strikes = pl.lit(False) if grain == "day" else pl.col("clock") == hour
    # the first point of the grid is no beginning: what went before it is not known
    told = told.filter((begins != begins.shift()) | (strikes & (pl.int_range(pl.len()) > 0)))
    return Calendar(grain, told["at"].cast(INSTANT), told["date"])
