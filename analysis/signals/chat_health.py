"""Messages and chat health in; sends after opt-out, and how many active chats are in trouble, out."""

from __future__ import annotations

import polars as pl

from analysis.schema import CHAT_HEALTHS
from analysis.signals.calendar import Calendar


def worst_at_an_instant(chat_health: pl.DataFrame) -> pl.DataFrame:
    """Return chat health with one row a (chat_id, at): where two reports tell of one instant, the more severe."""
    rank = pl.col("health").replace_strict({h: i for i, h in enumerate(CHAT_HEALTHS)}, return_dtype=pl.Int8)
    ranked = chat_health.with_columns(_rank=rank).group_by("chat_id", "at").agg(pl.col("_rank").max())
    back = pl.col("_rank").replace_strict(dict(enumerate(CHAT_HEALTHS)), return_dtype=pl.String)
    return ranked.select("chat_id", "at", health=back).sort("chat_id", "at")


def after_opt_out(messages: pl.DataFrame, chat_health: pl.DataFrame) -> pl.DataFrame:
    """Return messages with ``after_opt_out``: a send in a chat whose latest health known by then is OPTED_OUT.

    messages: MESSAGES in its order. chat_health: one row a (chat_id, at). Source: METHOD.md, ``sends_after_opt_out``.
    """
    opted = chat_health.filter(pl.col("health") == "OPTED_OUT")["chat_id"].unique()
    if opted.is_empty():
        return messages.with_columns(after_opt_out=pl.lit(False))
    sends = messages.with_row_index("_row").filter(
        (pl.col("direction") == "outbound") & pl.col("chat_id").is_in(opted.implode())
    )
    known = chat_health.filter(pl.col("chat_id").is_in(opted.implode())).sort("at")
    found = sends.sort("at").join_asof(known, on="at", by="chat_id", strategy="backward", check_sortedness=False)
    rows = found.filter(pl.col("health") == "OPTED_OUT")["_row"]
    return messages.with_row_index("_row").with_columns(after_opt_out=pl.col("_row").is_in(rows.implode())).drop("_row")


def activity(messages: pl.DataFrame, chat_health: pl.DataFrame, *, calendar: Calendar, days: int) -> pl.DataFrame:
    """Return how many chats of a line are active, and in which health, after each bucket in which that changes.

    A chat is active in a bucket if it has a message in the ``days`` days up to the bucket's end. Columns ``line``, ``bucket``,
    ``chats_active``, ``chats_at_risk``, ``chats_critical``, ``chats_opted_out``; key (line, bucket); holds until the next row.

    messages: with ``bucket``. chat_health: one row a (chat_id, at). Source: METHOD.md, ``chats_active``.
    """
    length = calendar.length_of_days(days)
    seen = messages.select("line", "chat_id", "bucket").unique().sort("line", "chat_id", "bucket")
    same_before = (pl.col("chat_id") == pl.col("chat_id").shift()) & (pl.col("line") == pl.col("line").shift())
    same_after = (pl.col("chat_id") == pl.col("chat_id").shift(-1)) & (pl.col("line") == pl.col("line").shift(-1))
    starts = seen.filter(~(same_before & (pl.col("bucket") - pl.col("bucket").shift() <= length)).fill_null(False))
    ends = seen.filter(~(same_after & (pl.col("bucket").shift(-1) - pl.col("bucket") <= length)).fill_null(False))
    lines = seen.select("line", "chat_id").unique()
    told = chat_health.with_columns(bucket=calendar.bucket(pl.col("at"))).sort("chat_id", "at")
    told = (
        told.group_by("chat_id", "bucket", maintain_order=True).agg(pl.col("health").last()).join(lines, on="chat_id")
    )
    events = pl.concat(
        [
            starts.select(
                "line", "chat_id", "bucket", active=pl.lit(1, dtype=pl.Int64), health=pl.lit(None, dtype=pl.String)
            ),
            ends.select(
                "line",
                "chat_id",
                pl.col("bucket") + length,
                active=pl.lit(0, dtype=pl.Int64),
                health=pl.lit(None, dtype=pl.String),
            ),
            told.select("line", "chat_id", "bucket", active=pl.lit(None, dtype=pl.Int64), health="health"),
        ]
    )
    steps = (
        events.group_by("line", "chat_id", "bucket")
        .agg(pl.col("active").max(), pl.col("health").drop_nulls().first())
        .sort("line", "chat_id", "bucket")
    )
    chat = ["line", "chat_id"]
    steps = steps.with_columns(
        pl.col("active").forward_fill().over(chat).fill_null(0),
        pl.col("health").forward_fill().over(chat).fill_null("?"),
    )
    named = {
        "chats_active": None,
        "chats_at_risk": "AT_RISK",
        "chats_critical": "CRITICAL",
        "chats_opted_out": "OPTED_OUT",
    }
    counted = steps.with_columns(
        (pl.col("active") * (pl.lit(1) if word is None else (pl.col("health") == word).cast(pl.Int64))).alias(name)
        for name, word in named.items()
    )
    deltas = counted.with_columns((pl.col(n) - pl.col(n).shift(1, fill_value=0).over(chat)).alias(n) for n in named)
    return (
        deltas.group_by("line", "bucket")
        .agg(pl.col(n).sum() for n in named)
        .sort("line", "bucket")
        .with_columns(pl.col(n).cum_sum().over("line") for n in named)
    )
