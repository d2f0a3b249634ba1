"""Messages in, each send's fate out: is it old enough to have been answered, and was it answered in time."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

_NEVER = 2**62
"""Stands for the place of an answer that does not come: farther than any window from every place."""


def fates(messages: pl.DataFrame, *, window: timedelta, as_of: datetime) -> pl.DataFrame:
    """Return messages, in their order, with ``mature`` and ``replied``.

    mature: outbound, not failed, at <= as_of - window. replied: mature, and its chat has an inbound at u, at < u <= at + window: strictly
    later, so an inbound at the very instant of a send answers earlier sends and not that one, nor does it hide a later inbound.

    messages: as `volume.in_order` gives. Source: METHOD.md, ``replied``.
    """
    # one number a message: its chat's place on a common axis, and its time; no window reaches from one chat into the next
    at, length = pl.col("at").to_physical(), int(window.total_seconds() * 1000)
    place = (pl.col("talk") * (at.max() - at.min() + length + 1) + at - at.min()).alias("_place")
    following = pl.when(~pl.col("outbound")).then("_place").backward_fill()
    # an inbound of the send's own instant stands after it and is no answer: what follows the instant's last message is looked at
    ends = (pl.col("_place") != pl.col("_place").shift(-1)).fill_null(True)
    mature = pl.col("outbound") & ~pl.col("failed") & (pl.col("at") <= as_of - window)
    return (
        messages.with_columns(place)
        .with_columns(_after=following.shift(-1))
        .with_columns(_next=pl.when(ends).then(pl.col("_after").fill_null(_NEVER)).backward_fill())
        .with_columns(mature=mature, replied=mature & (pl.col("_next") - pl.col("_place") <= length))
        .drop("_place", "_after", "_next")
    )


def rate(replied: str, mature: str) -> pl.Expr:
    """Return replied / mature; null where nothing is mature."""
    return pl.when(pl.col(mature) > 0).then(pl.col(replied) / pl.col(mature))
