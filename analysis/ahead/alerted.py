"""Past forecasts in, how right alerts from several levels would have been out: what a person sees before switching alerts on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from analysis.ahead.alerts import CALM
from analysis.ahead.backtest import ALARM_HOURS, LEAD_HOURS
from analysis.ahead.model import TICK_HOURS
from analysis.settings import Settings

OTHER_ODDS = (0.5, 2.0, 4.0)
"""The level in force is shown beside those of half, twice and four times its odds: always between 0 and 1, and never the same."""
_MONTH_DAYS = 30


def alerted_before(told: pl.DataFrame, *, level: float, settings: Settings) -> list[dict[str, Any]]:
    """Return how right alerts would have been from the level in force and from three others, lowest level first.

    Args:
        told: TRIED, in order of line and time.
        level: the one in force.
        settings: ``alert_again_hours``, ``alert_quiet`` and the zone.

    Returns:
        A dict a level: level, in_force, alerts, right (a worsening within 72 h), false, false_a_month (a line and month), worsenings, told
        (of these, 6 to 72 h ahead), lead_hours (median; None where none was told), precision, recall (None without alerts or worsenings).
    """
    odds = level / (1 - level) if level < 1 else np.inf
    levels = {level: True} | {odds * times / (1 + odds * times): False for times in OTHER_ODDS if odds < np.inf}
    return [_figures(told, at, force, settings) for at, force in sorted(levels.items())]


def _figures(told: pl.DataFrame, level: float, force: bool, settings: Settings) -> dict[str, Any]:
    lead = (pl.col("worse_at") - pl.col("at")).dt.total_seconds() / 3600
    ticks = told.select("line", "at", "worse_at", lead.alias("lead"), p="p_24")
    sent = sent_of(ticks, level, settings)
    right = sent.filter(pl.col("lead") <= ALARM_HOURS)
    ahead = right.filter(pl.col("lead") >= LEAD_HOURS).group_by("line", "worse_at").agg(pl.col("lead").max())
    whole = ticks.filter(pl.col("lead") <= ALARM_HOURS).select("line", "worse_at").n_unique()
    months = ticks.height * TICK_HOURS / 24 / _MONTH_DAYS
    median: Any = ahead["lead"].median() if ahead.height else None
    false = sent.height - right.height
    return {
        "level": float(level),
        "in_force": force,
        "alerts": sent.height,
        "right": right.height,
        "false": false,
        "false_a_month": false / months if months else 0.0,
        "worsenings": whole,
        "told": ahead.height,
        "lead_hours": None if median is None else float(median),
        "precision": right.height / sent.height if sent.height else None,
        "recall": ahead.height / whole if whole else None,
    }


def sent_of(ticks: pl.DataFrame, level: float, settings: Settings) -> pl.DataFrame:
    """Return the ticks at which an alert would have been sent: the rule of ``alerts.due`` without its drivers, of which past forecasts keep none.

    Args:
        ticks: line, at and p, in order of line and time.
        level: the chance from which to tell.
        settings: ``alert_again_hours``, ``alert_quiet`` and the zone.
    """
    calm = (pl.col("p") < CALM * level).cum_sum().over("line").alias("calm")
    over = ticks.with_columns(calm).filter(pl.col("p") >= level)
    if settings.quiet:
        begin, end = settings.quiet
        hour = pl.col("at").dt.replace_time_zone("UTC").dt.convert_time_zone(settings.timezone).dt.hour()
        loud = ~hour.is_between(begin, end - 1) if begin < end else hour.is_between(end, begin - 1)
        over = over.filter(loud)
    again, keep = timedelta(hours=settings.alert_again_hours), []
    line, last, seen = None, None, -1
    for of, at, calms in over.select("line", "at", "calm").iter_rows():
        new = of != line or calms != seen or last is None or at - last >= again
        if new:
            line, last, seen = of, at, calms
        keep.append(new)
    return over.filter(pl.Series(keep, dtype=pl.Boolean)).drop("calm")
