"""Messages in, each send's fate out: is it old enough to have been answered, and was it answered in time."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl


def fates(messages: pl.DataFrame, *, window: timedelta, as_of: datetime) -> pl.DataFrame:
    """Return messages with ``mature`` and ``replied``.

    mature: outbound, not failed, at <= as_of - window. replied: mature, and its chat has an inbound at u, at < u <= at + window.
    An inbound at the very instant of a send answers earlier sends, not that one.

    messages: MESSAGES in its order. Source: METHOD.md, ``replied``.
    """
    inbound = pl.col("direction") == "inbound"
    # inbound first within an instant, so that the next inbound of a send is strictly later
    swapped = messages.with_row_index("_row").sort("chat_id", "at", "direction", "message_id")
    marked = swapped.with_columns(_next=pl.when(inbound).then("at"), _chat=pl.when(inbound).then("chat_id"))
    marked = marked.with_columns(pl.col("_next").backward_fill(), pl.col("_chat").backward_fill())
    mature = (pl.col("direction") == "outbound") & ~pl.col("failed") & (pl.col("at") <= as_of - window)
    answered = (pl.col("_chat") == pl.col("chat_id")) & (pl.col("_next") <= pl.col("at") + window)
    return (
        marked.with_columns(mature=mature, replied=mature & answered.fill_null(False))
        .sort("_row")
        .drop("_row", "_next", "_chat")
    )


def rate(replied: str, mature: str) -> pl.Expr:
    """Return replied / mature; null where nothing is mature."""
    return pl.when(pl.col(mature) > 0).then(pl.col(replied) / pl.col(mature))
