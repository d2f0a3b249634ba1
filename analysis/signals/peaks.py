"""Sends in, sliding counts out: how many distinct chats, openers or sends fall into the window that ends at each send; exact."""

from __future__ import annotations

from datetime import timedelta

import polars as pl


def sliding(sends: pl.DataFrame, *, window: timedelta, by: str | None) -> pl.DataFrame:
    """Return ``line``, ``at`` and ``count``: distinct values of ``by`` (None: sends) with a send in (at - window, at].

    A value is present from a send until ``window`` after it; sends closer than that join into one presence. The count at an instant is
    the presences begun by then less those ended by then.

    sends: ``line``, ``at`` and the column ``by``, any order. One row an instant of a line, key (line, at).
    """
    if by is None:
        starts, ends = sends.select("line", "at"), sends.select("line", "at")
    else:
        ordered = sends.select("line", by, "at").sort("line", by, "at")
        same_before = (pl.col("line") == pl.col("line").shift()) & (pl.col(by) == pl.col(by).shift())
        same_after = (pl.col("line") == pl.col("line").shift(-1)) & (pl.col(by) == pl.col(by).shift(-1))
        joins_before = (same_before & (pl.col("at") - pl.col("at").shift() < window)).fill_null(False)
        joins_after = (same_after & (pl.col("at").shift(-1) - pl.col("at") < window)).fill_null(False)
        starts, ends = (
            ordered.filter(~joins_before).select("line", "at"),
            ordered.filter(~joins_after).select("line", "at"),
        )
    events = pl.concat(
        [
            starts.with_columns(step=pl.lit(1, dtype=pl.Int64), send=pl.lit(True)),
            ends.with_columns(pl.col("at") + window, step=pl.lit(-1, dtype=pl.Int64), send=pl.lit(False)),
            sends.select("line", "at").with_columns(step=pl.lit(0, dtype=pl.Int64), send=pl.lit(True)),
        ]
    )
    return (
        events.group_by("line", "at")
        .agg(pl.col("step").sum(), pl.col("send").any())
        .sort("line", "at")
        .with_columns(count=pl.col("step").cum_sum())  # every line's steps sum to zero, so the sum runs on over lines
        .filter("send")
        .select("line", "at", "count")
    )


def highest(sends: pl.DataFrame, counts: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the largest sliding count at a send of each bucket: ``line``, ``bucket``, ``name``."""
    keyed = sends.select("line", "at", "bucket").unique().join(counts, on=["line", "at"], how="left")
    return keyed.group_by("line", "bucket").agg(pl.col("count").max().alias(name))
