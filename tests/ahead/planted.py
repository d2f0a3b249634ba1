"""Hourly signals with a cause written in: lines fall as often as one behaviour of the day before says, and by chance else."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from analysis.schema import SIGNALS_HOUR, TRANSITIONS
from tests.ahead.made import START, ZERO

COLUMNS = {"openers": "new_conversations", "sends": "outbound", "failures": "failed", "follow_ups": "unanswered_turns"}
DAY = 24


def planted(
    seed: int,
    *,
    lines: int = 40,
    days: int = 70,
    by: str = "openers",
    level: float = 30,
    often: float = 0.25,
    else_: float = 0.03,
    only_silent: bool = False,
    steady: float = 0.0,
):
    """Return (hours, transitions, as_of): a line falls with chance ``often`` a day after more than ``level`` in 24 h, else with ``else_``.

    Lines differ in volume by a factor of ten, and days of a line too; after two days a line is healthy again. With ``only_silent`` the chance
    rises only where few were answered as well; ``steady`` makes it rise with a line's volume, whatever it did.
    """
    rng = np.random.default_rng(seed)
    n = days * DAY
    frames, changes = [], []
    for i in range(lines):
        line = f"+1415555{i:04d}"
        volume = 10 ** rng.uniform(0.6, 1.6)
        busy = np.repeat(volume * rng.lognormal(0, 0.6, days), DAY) / DAY
        # what a line does varies by itself: each behaviour has its own days
        own = {name: np.repeat(rng.lognormal(0, 0.5, days), DAY) for name in COLUMNS}
        sends = rng.poisson(busy * 6 * own["sends"])
        counts = {
            "outbound": sends,
            "new_conversations": rng.poisson(busy * own["openers"]),
            "failed": rng.binomial(sends, np.clip(0.03 * own["failures"], 0, 1)),
            "unanswered_turns": rng.poisson(busy * 0.3 * own["follow_ups"]),
        }
        answered = np.repeat(np.where(rng.random(days) < 0.3, 0.03, 0.4), DAY)
        counts["inbound"] = rng.binomial(sends, answered)
        done = np.convolve(counts[COLUMNS[by]], np.ones(DAY))[:n]
        risky = (done > level) & ((answered < 0.1) | (not only_silent))
        chance = np.where(risky, often, else_) * (1 + steady * volume / 10)
        fallen = rng.random(n) < chance / DAY
        state, until = np.full(n, "HEALTHY", dtype=object), 7 * DAY
        for hour in np.flatnonzero(fallen):
            if hour < until:
                continue
            until = hour + 2 * DAY
            state[hour:until] = "AT_RISK"
            changes.append(
                (line, START + timedelta(hours=int(hour), minutes=59), "health", "HEALTHY", "AT_RISK", True, False)
            )
            if until < n:
                changes.append(
                    (line, START + timedelta(hours=int(until)), "health", "AT_RISK", "HEALTHY", False, False)
                )
        frames.append(
            pl.DataFrame(
                {
                    **ZERO,
                    "line": line,
                    "hour": [START + timedelta(hours=h) for h in range(n)],
                    "health": state,
                    "status": "ACTIVE",
                    "mature": counts["outbound"],
                    "replied": counts["inbound"],
                    **counts,
                },
                schema_overrides={"health": pl.String},
            ).select(
                pl.col(c).cast(t)
                if c in {**ZERO, "line": 0, "hour": 0, "health": 0, "status": 0, **counts}
                else pl.lit(None, dtype=t).alias(c)
                for c, t in SIGNALS_HOUR.items()
            )
        )
    transitions = pl.DataFrame(changes, schema=TRANSITIONS, orient="row").sort("line", "at")
    return pl.concat(frames), transitions, START + timedelta(hours=n)
