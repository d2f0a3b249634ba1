"""Messages in, opening sends of new conversations out."""

from __future__ import annotations

from datetime import timedelta

import polars as pl


def openers(messages: pl.DataFrame, created: pl.DataFrame, *, grace: timedelta) -> pl.DataFrame:
    """Return messages, in their order, with ``opener``: a chat's first message ever seen is ours, and the chat is not known to be older.

    A chat known to have been created more than ``grace`` before that message is not new; a failed opening send opens all the same.

    messages: as `volume.in_order` gives. created: ``talk``, ``created_at``, key talk. Source: METHOD.md, ``new_conversations``.
    """
    opens = (pl.col("talk") != pl.col("talk").shift()).fill_null(True) & pl.col("outbound")
    older = messages.filter(opens).join(created, on="talk").filter(pl.col("created_at") < pl.col("at") - grace)
    return messages.with_columns(opener=opens & ~pl.col("talk").is_in(older["talk"].implode()))
