"""Judged sends and chats in; what became of the sends by line, day, who opened the chat, service and failure code, out."""

from __future__ import annotations

import polars as pl

from analysis.schema import DELIVERY_DAY, OPENED_BY
from analysis.settings import Settings
from analysis.signals.judged import Judged

NO_CODE = "no code"
"""Stands for the code of a failure that came without one."""
ALSO = {
    "service": pl.col("service").cast(pl.Categorical),
    "failure_code": pl.when(pl.col("failed_at").is_not_null())
    .then(pl.col("failure_code").fill_null(NO_CODE))
    .cast(pl.Categorical),
    "told_failed": pl.col("failed_at").is_not_null(),
    "arrived": pl.col("delivered_at").is_not_null() | pl.col("read_at").is_not_null(),
}
"""Columns of MESSAGES that `delivery_day` needs carried through the judging."""


def delivery_day(of: Judged, chats: pl.DataFrame, *, settings: Settings) -> pl.DataFrame:
    """Return sends with their outcomes: DELIVERY_DAY, in order of its key; nulls first.

    ``failed`` as everywhere: a delivery that follows a failure wins, and is counted in ``failed_then_delivered`` under the failure's code.

    of: as `judged.judge` gives, with the columns of ALSO. chats: CHAT_STATE of the same messages. Source: METHOD.md, Delivery.
    """
    if of.messages.is_empty():
        return pl.DataFrame(schema=DELIVERY_DAY)
    # both are in order of line and chat: a talk's number is its chat's place
    opened = chats["opened_by"].cast(pl.Enum(OPENED_BY))
    buckets = of.calendar(settings.timezone, "day")
    sends = (
        of.messages.lazy()
        .filter("outbound")
        .select("talk", "line_no", "at", "failed", "mature", "replied", *ALSO)
        .collect()
    )
    told = sends.with_columns(
        opened.gather(sends["talk"]),
        late=pl.col("told_failed") & pl.col("arrived"),
        bucket=buckets.bucket(sends["at"]),
    )
    key = ["line_no", "bucket", "opened_by", "service", "failure_code"]
    return (
        told.group_by(key)
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
