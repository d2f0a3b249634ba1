"""Instants in, buckets out: the days or hours of the store's zone as consecutive integers, so that gaps can be counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from analysis.schema import INSTANT

Grain = Literal["day", "hour"]
_HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Calendar:
    """Days or hours of one zone. A bucket is an integer: days since 1970-01-01 of that zone, or hours since 1970 of its clock.

    Hours begin where the zone's clock strikes; zones whose offset is no whole number of hours begin theirs at that minute.
    """

    grain: Grain
    zone: str

    def bucket(self, at: pl.Expr) -> pl.Expr:
        """Return the bucket of an instant."""
        if self.grain == "day":
            local = at if self.zone == "UTC" else at.dt.replace_time_zone("UTC").dt.convert_time_zone(self.zone)
            return local.dt.date().to_physical().cast(pl.Int64)
        return ((at.to_physical() + self._offset_ms(at)) // _HOUR_MS).cast(pl.Int64)

    def _offset_ms(self, at: pl.Expr) -> pl.Expr:
        if self.zone == "UTC":
            return pl.lit(0, dtype=pl.Int64)
        local = at.dt.replace_time_zone("UTC").dt.convert_time_zone(self.zone)
        minutes = (local.dt.base_utc_offset() + local.dt.dst_offset()).dt.total_minutes()
        return (minutes % 60) * 60_000

    def key(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return a frame with a column ``bucket`` with the day (local date) or hour (UTC instant of its begin) in its place."""
        if self.grain == "day":
            return frame.with_columns(pl.col("bucket").cast(pl.Int32).cast(pl.Date).alias("day"))
        return frame.with_columns(self._hour_begin().alias("hour"))

    def _hour_begin(self) -> pl.Expr:
        begin = (pl.col("bucket") * _HOUR_MS).cast(INSTANT)
        return begin if self.zone == "UTC" else (begin.to_physical() - self._offset_ms(begin)).cast(INSTANT)

    def end(self) -> pl.Expr:
        """Return the last instant of ``bucket``: one millisecond before the next begins."""
        if self.grain == "hour":
            following = pl.col("bucket") + 1
            begin = (following * _HOUR_MS).cast(INSTANT)
            start = begin if self.zone == "UTC" else (begin.to_physical() - self._offset_ms(begin)).cast(INSTANT)
            return start - pl.duration(milliseconds=1)
        midnight = (pl.col("bucket") + 1).cast(pl.Int32).cast(pl.Date).cast(INSTANT)
        if self.zone != "UTC":
            local = midnight.dt.replace_time_zone(self.zone, ambiguous="earliest", non_existent="null")
            # a zone may skip midnight itself: its day then begins an hour later
            later = (midnight + pl.duration(hours=1)).dt.replace_time_zone(
                self.zone, ambiguous="earliest", non_existent="null"
            )
            midnight = pl.coalesce(local, later).dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return midnight - pl.duration(milliseconds=1)

    def length_of_days(self, days: int) -> int:
        """Return how many buckets so many days are."""
        return days if self.grain == "day" else 24 * days


def spine(messages: pl.DataFrame) -> pl.DataFrame:
    """Return every bucket between each line's first and last message (``line``, ``bucket``), key (line, bucket)."""
    ends = messages.group_by("line").agg(first=pl.col("bucket").min(), last=pl.col("bucket").max())
    return (
        ends.select("line", bucket=pl.int_ranges("first", pl.col("last") + 1, dtype=pl.Int64))
        .explode("bucket", empty_as_null=False, keep_nulls=False)
        .sort("line", "bucket")
    )
