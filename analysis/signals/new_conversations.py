"""Messages in, opening sends of new conversations out."""

from __future__ import annotations

from datetime import timedelta

import polars as pl


def openers(messages: pl.DataFrame, chats: pl.DataFrame, *, grace: timedelta) -> pl.DataFrame:
    """Return messages, in their order, with ``opener``: a chat's first message ever seen is ours, and the chat is not known to be older.

    A chat known to have been created more than ``grace`` before that message is not new; a failed opening send opens all the same.

    messages: as `volume.in_order` gives. chats: CHATS, key chat_id. Source: METHOD.md, ``new_conversations``.
    """
    opens = (pl.col("talk") != pl.col("talk").shift()).fill_null(True) & pl.col("outbound")
    known = chats.select("chat_id", "created_at")
    older = messages.filter(opens).join(known, on="chat_id").filter(pl.col("created_at") < pl.col("at") - grace)
    return messages.with_columns(opener=opens & ~pl.col("talk").is_in(older["talk"].implode()))
