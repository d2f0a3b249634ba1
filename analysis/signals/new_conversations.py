"""Messages in, opening sends of new conversations out."""

from __future__ import annotations

from datetime import timedelta

import polars as pl


def openers(messages: pl.DataFrame, chats: pl.DataFrame, *, grace: timedelta) -> pl.DataFrame:
    """Return messages with ``opener``: the first message ever seen of its chat, ours, and the chat not known to be older.

    A chat known to have been created more than ``grace`` before its first message is not new. messages: MESSAGES in its order.
    Source: METHOD.md, ``new_conversations``.
    """
    first = (pl.col("chat_id") != pl.col("chat_id").shift()).fill_null(True)
    known = chats.select("chat_id", _created="created_at")
    joined = messages.with_columns(_first=first).join(known, on="chat_id", how="left", maintain_order="left")
    older = (pl.col("_created") < pl.col("at") - grace).fill_null(False)
    return joined.with_columns(opener=pl.col("_first") & (pl.col("direction") == "outbound") & ~older).drop(
        "_first", "_created"
    )
