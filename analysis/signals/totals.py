"""Messages in; totals of each line, its opening sends and its failures by hour, out: what pages would else look for among all messages."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from analysis.schema import FAILURE_HOURS, LINE_TOTALS, OPENERS
from analysis.signals.judged import Judged

NO_CODE = "no code"
"""Stands for the code of a failure that came without one."""


def line_totals(messages: pl.DataFrame) -> pl.DataFrame:
    """Return how many messages each line has, from when to when, and how its sends were received: LINE_TOTALS, key line.

    messages: MESSAGES, any order. Source: METHOD.md, "How complete and how late the data is".
    """
    sent = pl.col("direction") == "outbound"
    told = pl.col("delivered_at").is_not_null() | pl.col("read_at").is_not_null()
    late = lambda hours: (sent & (pl.col("delivered_at") > pl.col("at") + timedelta(hours=hours))).sum()  # noqa: E731
    return (
        messages.group_by("line")
        .agg(
            messages=pl.len(),
            first_at=pl.col("at").min(),
            last_at=pl.col("at").max(),
            last_event_at=pl.max_horizontal("at", "delivered_at", "read_at", "failed_at").max(),
            sends=sent.sum(),
            failed=(sent & pl.col("failed")).sum(),
            received=(sent & ~pl.col("failed") & told).sum(),
            received_1h=late(1),
            received_24h=late(24),
        )
        .select(LINE_TOTALS.names())
        .cast(dict(LINE_TOTALS))  # type: ignore[arg-type]
        .sort("line")
    )


def opening_sends(of: Judged) -> pl.DataFrame:
    """Return the opening sends of new conversations, and whether they were answered: OPENERS, in order of line and time.

    of: as `judged.judge` gives. Source: METHOD.md, ``new_conversations``, ``new_replied``.
    """
    answered = pl.when("mature").then("replied")
    return (
        of.messages.filter("opener")
        .join(of.talks.select("talk", "line"), on="talk")
        .select("line", "chat_id", "at", answered=answered)
        .cast(dict(OPENERS))  # type: ignore[arg-type]
        .sort("line", "at", "chat_id")
    )


def failure_hours(messages: pl.DataFrame) -> pl.DataFrame:
    """Return failed sends by UTC hour and code: FAILURE_HOURS, in order of its key. messages: MESSAGES, any order."""
    return (
        messages.filter("failed")
        .group_by("line", hour=pl.col("at").dt.truncate("1h"), failure_code=pl.col("failure_code").fill_null(NO_CODE))
        .agg(failed=pl.len())
        .select(FAILURE_HOURS.names())
        .cast(dict(FAILURE_HOURS))  # type: ignore[arg-type]
        .sort("line", "hour", "failure_code")
    )
