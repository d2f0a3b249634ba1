"""A made-up fleet as the frames that explanations take, with its hidden truth beside them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from analysis.schema import INSTANT

TRUTH = pl.Schema(
    {
        "line": pl.String,
        "at": INSTANT,
        "kind": pl.String,
        "previous": pl.String,
        "new": pl.String,
        "driver": pl.String,
        "also_ok": pl.List(pl.String),
        "cause": pl.String,
        "planted": pl.Boolean,
        "onset": INSTANT,
        "line_type": pl.String,
    }
)
"""One row a change, key (line, at, kind)."""


@dataclass(frozen=True)
class Frames:
    """What a store would hand on of one fleet, and why each change really happened."""

    messages: pl.DataFrame
    chats: pl.DataFrame
    chat_health: pl.DataFrame
    changes: pl.DataFrame
    as_of: datetime
    truth: pl.DataFrame
