"""The store and the live world in, verbs out: gaps in the deliveries; pull, receive and audit meet the store only here."""

from __future__ import annotations

import polars as pl

from analysis.pipeline.moments import When, moment
from analysis.pipeline.opened import Where, reading
from analysis.store import read


def gaps(store: Where = None, *, line: str | None = None, since: When = None, until: When = None) -> pl.DataFrame:
    """Return silences in which deliveries were probably lost: GAPS, key (line, start_at); a null line is the whole fleet.

    With ``line``: its own and those of the whole fleet. ``since`` and ``until``: those that touch this period. Raises StoreError where
    there is no store.

    Example:
        >>> lh.gaps().columns[:3]
        ['line', 'start_at', 'end_at']
    """
    with reading(store) as con:
        return read.gaps(con, line=line, since=moment(since), until=moment(until))
