"""What a fleet's own past shows: from which level on lines fall twice as often, and how long things take; kept at load, read by verbs."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import polars as pl

from analysis.ahead.lags import CAUSES, lags_of, sentences_of
from analysis.ahead.thresholds import THRESHOLDS
from analysis.pipeline.moments import instant
from analysis.pipeline.opened import Where, reading
from analysis.schema import Explanation
from analysis.store import marts, read

THRESHOLDS_KEPT, LAGS_KEPT = "thresholds", "lags"
"""The words under which a store keeps both."""


def keep_history(
    con: Any,
    levels: pl.DataFrame,
    past: pl.DataFrame,
    transitions: pl.DataFrame,
    explained: list[Explanation],
    *,
    until: datetime,
) -> None:
    """Measure how long things take on what was known up to a time, and keep it beside the levels.

    Args:
        con: a store open for writing.
        levels: THRESHOLDS.
        past: HOURLY every TICK_HOURS.
        transitions: TRANSITIONS.
        explained: explanations of the same.
        until: UTC; the last midnight, so that an hour more of data leaves both as they are.
    """
    marts.set_meta(con, THRESHOLDS_KEPT, json.dumps(levels.to_dicts(), ensure_ascii=False))
    marts.set_meta(con, LAGS_KEPT, json.dumps(lags_of(_causes(explained), transitions, past, until=until)))


def _causes(explained: list[Explanation]) -> pl.DataFrame:
    worse = {
        ("HEALTHY", "AT_RISK"),
        ("HEALTHY", "CRITICAL"),
        ("AT_RISK", "CRITICAL"),
        (None, "AT_RISK"),
        (None, "CRITICAL"),
    }
    rows = [
        (e.line, instant(e.at), e.drivers[0].driver, e.lead_hours)
        for e in explained
        if e.kind == "health" and (e.previous, e.new) in worse
    ]
    return pl.DataFrame(rows, schema=CAUSES, orient="row").sort("line", "at")


def thresholds(store: Where = None) -> pl.DataFrame:
    """Return from which level of openers, sends, late follow-ups and failures a day on lines fall at least twice as often: THRESHOLDS.

    Learned from this fleet's last 120 days up to the last UTC midnight; a row says "no level" or "not enough data" where that is so.

    Example:
        >>> lh.thresholds()["behaviour"].unique().sort().to_list()
        ['failures', 'follow_ups', 'openers', 'sends']
    """
    return pl.DataFrame(_kept(store, THRESHOLDS_KEPT) or [], schema=THRESHOLDS, orient="row")


def lags(store: Where = None) -> dict[str, Any]:
    """Return how long things take on this fleet: from onset to fall, from fall and from slowing down to healthy, and how often it falls again.

    See ``ahead.lags.lags_of`` for its parts; empty where nothing was measured.

    Example:
        >>> sorted(lh.lags())
        ['after_slowing', 'onset', 'recovery', 'relapse', 'until']
    """
    found: dict[str, Any] = _kept(store, LAGS_KEPT) or {}
    return found


def lag_sentences(times: dict[str, Any]) -> list[str]:
    """Return what ``lags`` gives in words, one sentence a fact."""
    return sentences_of(times)


def _kept(store: Where, key: str) -> Any:
    with reading(store) as con:
        kept = read.meta(con, key)
    return json.loads(kept) if kept else None
