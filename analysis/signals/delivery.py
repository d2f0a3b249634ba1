"""Judged sends and chats in; what became of the sends by line, day, who opened the chat, service and failure code, out."""

from __future__ import annotations

import polars as pl

from analysis.schema import DELIVERY_DAY
from analysis.settings import Settings
from analysis.signals.judged import Judged

ALSO = {
    "service": pl.col("service").cast(pl.Categorical),
    "failure_code": pl.when(pl.col("failed_at").is_not_null()).then("failure_code").cast(pl.Categorical),
    "told_failed": pl.col("failed_at").is_not_null(),
    "arrived": pl.col("delivered_at").is_not_null() | pl.col("read_at").is_not_null(),
}
"""Columns of MESSAGES that `delivery_day` needs carried through the judging."""
NO_CODE = "no code"
"""Stands for the code of a failure that came without one."""


def delivery_day(of: Judged, chats: pl.DataFrame, *, settings: Settings) -> pl.DataFrame:
    """Return sends with their outcomes: DELIVERY_DAY, in order of its key; nulls first.

    ``failed`` as everywhere: a delivery that follows a failure wins, and is counted in ``failed_then_delivered`` under the failure's code.

    of: as `judged.judge` gives, with the columns of ALSO. chats: CHAT_STATE of the same messages. Source: METHOD.md, Delivery.
    """
    if of.messages.is_empty():
        return pl.DataFrame(schema=DELIVERY_DAY)
    opened = of.talks.join(chats.select("line", "chat_id", "opened_by"), on=["line", "chat_id"]).select(
        "talk", pl.col("opened_by").cast(pl.Categorical)
    )
    buckets = of.calendar(settings.timezone, "day")
    sends = of.messages.filter("outbound")
    code = pl.when("told_failed").then(pl.col("failure_code").cast(pl.String).fill_null(NO_CODE))
    told = sends.select(
        "talk",
        "line_no",
        "service",
        code.cast(pl.Categorical).alias("failure_code"),
        "failed",
        "arrived",
        "mature",
        "replied",
        late=pl.col("told_failed") & pl.col("arrived"),
        bucket=buckets.bucket(sends["at"]),
    )
    key = ["line_no", "bucket", "opened_by", "service", "failure_code"]
    return (
        told.join(opened, on="talk")
        .group_by(key)
        .agg(
            sends=pl.len(),
            failed=pl.col("failed").sum(),
            delivered=pl.col("arrived").sum(),
            failed_then_delivered=pl.col("late").sum(),
            mature=pl.col("mature").sum(),
            replied=pl.col("replied").sum(),
        )
        .join(of.talks.select("line_no", "line").unique(), on="line_no")
        .join(buckets.table().select("bucket", "day"), on="bucket")
        .select(DELIVERY_DAY.names())
        .cast(DELIVERY_DAY)
        .sort("line", "day", "opened_by", "service", "failure_code")
    )
