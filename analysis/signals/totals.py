"""Judged messages in; opening sends and failures by hour out: what pages would else look for among all messages."""

from __future__ import annotations

import polars as pl

from analysis.schema import FAILURE_HOURS, OPENERS
from analysis.signals.judged import Judged

NO_CODE = "no code"
"""Stands for the code of a failure that came without one."""


def opening_sends(of: Judged) -> pl.DataFrame:
    """Return the opening sends of new conversations, and whether they were answered: OPENERS, in order of line and time.

    of: as `judged.judge` gives. Source: METHOD.md, ``new_conversations``, ``new_replied``.
    """
    answered = pl.when("mature").then("replied")
    return (
        of.messages.select("talk", "opener", "at", answered=answered)
        .filter("opener")
        .join(of.talks, on="talk")
        .sort("line_no", "at", "chat_id")
        .select(OPENERS.names())
        .cast(dict(OPENERS))  # type: ignore[arg-type]
    )


def failure_hours(messages: pl.DataFrame) -> pl.DataFrame:
    """Return failed sends by UTC hour and code: FAILURE_HOURS, in order of its key. messages: MESSAGES, any order."""
    return (
        messages.select("line", "at", "failed", "failure_code")
        .filter("failed")
        .group_by("line", hour=pl.col("at").dt.truncate("1h"), failure_code=pl.col("failure_code").fill_null(NO_CODE))
        .agg(failed=pl.len())
        .select(FAILURE_HOURS.names())
        .cast(dict(FAILURE_HOURS))  # type: ignore[arg-type]
        .sort("line", "hour", "failure_code")
    )
