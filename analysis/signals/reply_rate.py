"""Messages in, each send's fate out: is it old enough to have been answered, and was it answered in time."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl


def fates(messages: pl.DataFrame, *, window: timedelta, as_of: datetime) -> pl.DataFrame:
    """Return messages, in their order, with ``mature`` and ``replied``.

    mature: outbound, not failed, at <= as_of - window. replied: mature, and its chat has an inbound at u, at < u <= at + window: strictly
    later, so an inbound at the very instant of a send answers earlier sends and not that one, nor does it hide a later inbound.

    messages: as `volume.in_order` gives. Source: METHOD.md, ``replied``.
    """
    # inbound first within an instant: the next inbound after a send is then strictly later
    swapped = messages.with_row_index("_row").sort("talk", "at", "outbound")
    inbound = ~pl.col("outbound")
    following = swapped.with_columns(
        _next=pl.when(inbound).then("at").backward_fill(), _talk=pl.when(inbound).then("talk").backward_fill()
    )
    mature = pl.col("outbound") & ~pl.col("failed") & (pl.col("at") <= as_of - window)
    answered = (pl.col("_talk") == pl.col("talk")) & (pl.col("_next") <= pl.col("at") + window)
    return (
        following.with_columns(mature=mature, replied=mature & answered.fill_null(False))
        .sort("_row")
        .drop("_row", "_next", "_talk")
    )


def rate(replied: str, mature: str) -> pl.Expr:
    """Return replied / mature; null where nothing is mature."""
    return pl.when(pl.col(mature) > 0).then(pl.col(replied) / pl.col(mature))
