"""Messages in, late unanswered turns out: follow-ups into silence."""

from __future__ import annotations

from datetime import timedelta

import polars as pl


def late_turns(messages: pl.DataFrame, *, gap: timedelta, late: int) -> pl.DataFrame:
    """Return messages with ``late_turn``: the first send of a turn that is number ``late`` or more since the chat's last inbound.

    A turn: sends in one chat, each at most ``gap`` after the one before, no inbound between. messages: MESSAGES in its order.
    Source: METHOD.md, ``unanswered_turns``.
    """
    outbound = pl.col("direction") == "outbound"
    new_chat = (pl.col("chat_id") != pl.col("chat_id").shift()).fill_null(True)
    after_inbound = (pl.col("direction").shift() == "inbound").fill_null(True)
    apart = (pl.col("at") - pl.col("at").shift() > gap).fill_null(True)
    begins = outbound & (new_chat | after_inbound | apart)
    silence = (new_chat | ~outbound).cum_sum()  # one number a stretch without an inbound; an inbound opens the next
    numbered = messages.with_columns(_begins=begins, _silence=silence).with_columns(_total=pl.col("_begins").cum_sum())
    base = numbered.group_by("_silence").agg(_base=pl.col("_total").first() - pl.col("_begins").first().cast(pl.UInt32))
    return (
        numbered.join(base, on="_silence", how="left", maintain_order="left")
        .with_columns(late_turn=pl.col("_begins") & (pl.col("_total") - pl.col("_base") >= late))
        .drop("_begins", "_silence", "_total", "_base")
    )
