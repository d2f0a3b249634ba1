"""Made-up traffic for tests of gaps: lines with hours, weekends, days that differ and sends in bursts; nothing of the product's formulas."""

from __future__ import annotations

import math
import random
from datetime import datetime, timedelta

import polars as pl

from analysis.schema import ACTIVITY

START = datetime(2026, 6, 1)  # a Monday


def events(seed: int, *, days: int, a_day: float, lines: int = 1) -> pl.DataFrame:
    """Messages of lines with a working-day rhythm: columns line, at. Days differ by a factor, sends come in bursts, replies trickle."""
    rng = random.Random(seed)
    rows = []
    for number in range(lines):
        line = f"+1415555{number:04d}"
        for day in range(days):
            busy = rng.lognormvariate(0, 0.4) * (0.4 if day % 7 >= 5 else 1.0)
            for _ in range(_poisson(rng, a_day * busy / 4)):
                hour = min(23.9, max(0.1, rng.gauss(14, 3.5)))
                at = START + timedelta(days=day, hours=hour)
                for _ in range(1 + _poisson(rng, 3)):
                    rows.append((line, at))
                    at += timedelta(seconds=rng.expovariate(1 / 40))
                if rng.random() < 0.4:
                    rows.append((line, at + timedelta(minutes=rng.expovariate(1 / 90))))
    end = START + timedelta(days=days)
    return (
        pl.DataFrame(rows, schema={"line": pl.String, "at": pl.Datetime("ms")}, orient="row")
        .filter(pl.col("at") < end)
        .sort("line", "at")
    )


def _poisson(rng: random.Random, mean: float) -> int:
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


def activity(told: pl.DataFrame) -> pl.DataFrame:
    """Slots of five minutes with an event, as the store gives them."""
    slots = told.group_by("line", slot=pl.col("at").dt.epoch("ms") // 300_000).agg(
        first_at=pl.col("at").min(), last_at=pl.col("at").max(), events=pl.len()
    )
    return slots.select(ACTIVITY.names()).cast(ACTIVITY).sort("line", "slot")


def without(told: pl.DataFrame, start: datetime, end: datetime, line: str | None = None) -> pl.DataFrame:
    """The same traffic with the deliveries of a time lost."""
    lost = pl.col("at").is_between(start, end)
    return told.filter(~(lost & (pl.col("line") == line) if line else lost))
