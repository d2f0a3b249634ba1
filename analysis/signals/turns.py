"""Messages in, unanswered turns out: follow-ups into silence."""

from __future__ import annotations

from datetime import timedelta

import polars as pl


def late_turns(messages: pl.DataFrame, *, gap: timedelta, late: int) -> pl.DataFrame:
    """Return messages, in their order, with ``unanswered``, turns in a row up to and with each, and ``late_turn``, whether it begins a late one.

    A turn: sends in one chat, each at most ``gap`` after the one before, no inbound between; failed sends count. A silence begins with the
    chat, and again with each inbound, at which ``unanswered`` is 0. Late is the first send of a turn that is number ``late`` or more of its
    silence.

    messages: as `volume.in_order` gives. Source: METHOD.md, ``unanswered_turns``.
    """
    outbound = pl.col("outbound")
    new_chat = (pl.col("talk") != pl.col("talk").shift()).fill_null(True)
    apart = (pl.col("at") - pl.col("at").shift() > gap) | ~outbound.shift()
    begins = outbound & (new_chat | apart)
    numbered = messages.with_columns(
        _begins=begins, _silence=new_chat | ~outbound, _turn=begins.cum_sum().cast(pl.Int64)
    )
    before = pl.when("_silence").then(pl.col("_turn") - pl.col("_begins")).forward_fill()
    return (
        numbered.with_columns(unanswered=pl.col("_turn") - before)
        .with_columns(late_turn=pl.col("_begins") & (pl.col("unanswered") >= late))
        .drop("_begins", "_silence", "_turn")
    )
