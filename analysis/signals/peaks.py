"""Sends in, sliding counts out: how many distinct chats, openers or sends fall into the window that ends at each send; exact."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

_ROOM = timedelta(days=2)
"""Left between two lines on the common axis, longer than any window, so that no window reaches into another line."""


def on_one_axis(sends: pl.DataFrame) -> pl.DataFrame:
    """Return sends with ``place``: milliseconds on one axis on which the lines follow one another."""
    ms = pl.col("at").to_physical()
    length = ms.max() - ms.min() + int(_ROOM.total_seconds() * 1000)
    return sends.with_columns(place=pl.col("line_no") * length + ms - ms.min())


def highest(sends: pl.DataFrame, *, window: timedelta, distinct: bool, name: str) -> pl.DataFrame:
    """Return the largest count over the windows (t - window, t] that end at a send t of each bucket.

    Sends at t itself all count. With ``distinct``, chats count, else sends. A chat is there from a send until ``window`` after it, and
    sends closer than that make one presence. The count at t is then the presences begun by t less those ended by t, both looked up in
    sorted lists: no window is walked.

    Args:
        sends: ``line_no``, ``bucket``, ``talk``, ``place`` in order of talk and time.
        window: its length, under two days.
        distinct: whether chats or sends count.
        name: of the column returned.

    Returns:
        ``line_no``, ``bucket``, ``name``; buckets without a send are absent.
    """
    length = int(window.total_seconds() * 1000)
    starts = ends = sends["place"]
    if distinct:
        same = pl.col("talk") == pl.col("talk").shift()
        joined = (same & (pl.col("place") - pl.col("place").shift() < length)).fill_null(False)
        marked = sends.select("place", joined=joined, goes_on=joined.shift(-1, fill_value=False))
        starts, ends = marked.filter(~pl.col("joined"))["place"], marked.filter(~pl.col("goes_on"))["place"]
    place = pl.col("place")
    begun, ended = (
        pl.lit(places.sort()).search_sorted(place, side="right").cast(pl.Int64) for places in (starts, ends + length)
    )
    counted = sends.select("line_no", "bucket", (begun - ended).alias(name))
    return counted.group_by("line_no", "bucket").agg(pl.col(name).max()).sort("line_no", "bucket")
