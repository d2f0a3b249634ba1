"""Hourly signals and past changes in, for each line the chance of turning worse out, with the drivers behind it: START HERE."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from analysis.ahead.features import NAMES, known_by_hour
from analysis.ahead.model import (
    FEATURES,
    HORIZONS,
    LEAST_CHANGES,
    TICK,
    TICK_HOURS,
    YOUNG_DAYS,
    Array,
    Model,
    Taught,
    labelled,
    matrix,
)
from analysis.ahead.rows import midnight_of, up_to
from analysis.ahead.words import fact_of
from analysis.schema import FORECAST, INSTANT

TRAIN_DAYS = 120
"""Days of the past that teach; with the half-life of ``model`` older ones would hardly count."""
LEAST_SHARE = 0.05
"""Drivers that make less of the risk above the ordinary are not named."""


@dataclass(frozen=True)
class Ahead:
    """What is known and thought of every line at one time."""

    at: datetime
    known: pl.DataFrame
    """HOURLY at ``at``, a row a line."""
    models: dict[int, Model]
    rows: pl.DataFrame
    """FORECAST."""
    drivers: dict[str, list[dict[str, Any]]]
    """By line: what raises its chance, largest first."""
    transitions: pl.DataFrame
    """TRANSITIONS up to then."""
    past: pl.DataFrame
    """HOURLY every TICK_HOURS, and at ``at``: critical and young lines too; the last alone where the models were learned before."""
    learned_at: datetime
    """The last UTC midnight: the model learns once a day, so that an hour more of data leaves it as it is."""

    def ticks(self) -> pl.DataFrame:
        """Return the past that taught, of ``labelled`` with TICK; worked out anew: to hold it takes as much as ``past``."""
        return labelled(self.past.select(TICK), self.transitions)

    @property
    def basis(self) -> str:
        """What the weights rest on, in words."""
        n = self.models[HORIZONS[0]].worsenings
        if n < LEAST_CHANGES:
            return "a documented prior from made-up fleets: this fleet has too few changes of its own to learn from"
        return f"{n:,} changes for the worse of this fleet, drawn to a documented prior from made-up fleets"


def rests_after(at: datetime) -> datetime:
    """Return after when the hours are that a forecast at a time rests on: by the day alone, as all that is learned."""
    return midnight_of(at) - timedelta(days=TRAIN_DAYS)


def forecast_of(
    hours: pl.DataFrame,
    spells: pl.DataFrame,
    transitions: pl.DataFrame,
    *,
    at: datetime,
    models: dict[int, Model] | None = None,
) -> Ahead:
    """Return the chance of turning worse of every line at one time, from nothing later.

    Args:
        hours: SIGNALS_HOUR as known at ``at``.
        spells: SPELLS as known at ``at``.
        transitions: TRANSITIONS up to ``at``.
        at: UTC.
        models: by horizon, as learned at the last midnight; learned here where None.

    Returns:
        Ahead. A line known for less than a week has no probability and says so; a critical one cannot turn worse: 0.
    """
    told = transitions.filter(pl.col("at") <= at)
    midnight, past = midnight_of(at), up_to(hours, at, after=rests_after(at))
    whole = known_by_hour(past, spells, as_of=at, every=None if models else TICK_HOURS)
    if not models:
        taught = Taught.of(labelled(whole.select(TICK), told))
        models = {hours_: taught.learned(midnight, hours_) for hours_ in HORIZONS}
    known = whole.filter(pl.col("hour") == whole["hour"].max()) if whole.height else whole
    return Ahead(
        at, known, models, _rows(known, models, at), _drivers(known, models[HORIZONS[0]]), told, whole, midnight
    )


def _rows(known: pl.DataFrame, models: dict[int, Model], at: datetime) -> pl.DataFrame:
    x = matrix(known)
    young, critical = pl.col("known_days") < YOUNG_DAYS, pl.col("health") == "CRITICAL"
    rows = known.select("line", "health", "status", "known_days", at=pl.lit(at, dtype=INSTANT))
    for hours, model in models.items():
        low, high = model.interval(x)
        figures = {f"p_worse_{hours}h": model.chance(x), f"p_worse_{hours}h_low": low, f"p_worse_{hours}h_high": high}
        rows = rows.with_columns(
            pl.when(critical.fill_null(False)).then(0.0).when(~young).then(pl.Series(values)).alias(name)
            for name, values in figures.items()
        )
    note = (
        pl.when(critical.fill_null(False))
        .then(pl.lit("critical: it cannot turn worse"))
        .when(young)
        .then(pl.lit("not enough history: known for less than a week"))
    )
    for end in ("", "_low", "_high"):  # what comes within a day comes within three
        rows = rows.with_columns(pl.max_horizontal(f"p_worse_24h{end}", f"p_worse_72h{end}").alias(f"p_worse_72h{end}"))
    return rows.with_columns(note=note).select(FORECAST.names()).cast(dict(FORECAST)).sort("line")  # type: ignore[arg-type]


def _drivers(known: pl.DataFrame, model: Model) -> dict[str, list[dict[str, Any]]]:
    """Return by line what raises the chance above that of an ordinary day, with counts; shares of all that raises it."""
    ordinary = np.median(matrix(known), axis=0) if known.height else np.zeros(len(FEATURES))
    raised = (matrix(known) - np.minimum(ordinary, 0)) * model.weights[1:]
    return {row["line"]: _told(row, raised[i]) for i, row in enumerate(known.iter_rows(named=True))}


def _told(row: dict[str, Any], raised: Array) -> list[dict[str, Any]]:
    if row["known_days"] < YOUNG_DAYS:
        return []
    by_driver: dict[str, float] = {}
    for name, part in zip(FEATURES, raised, strict=True):
        by_driver[NAMES[name]] = by_driver.get(NAMES[name], 0.0) + float(part)
    up = {driver: part for driver, part in by_driver.items() if part > 0}
    whole = sum(up.values())
    found = []
    for driver, part in sorted(up.items(), key=lambda d: (-d[1], d[0])):
        fact = fact_of(driver, row)
        if fact and part >= LEAST_SHARE * whole:
            found.append({"driver": driver, "share": round(part / whole, 3), **fact})
    return found
