"""Hourly signals written by hand, and a made-up fleet's: what forecasts and gates are tried on."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache

import polars as pl

from analysis.evaluate.fleets import Fleet
from analysis.schema import SIGNALS_HOUR, SPELLS, TRANSITIONS
from analysis.settings import Settings
from analysis.signals import health, panel

START = datetime(2026, 3, 1)
ZERO = dict.fromkeys((c for c, t in SIGNALS_HOUR.items() if t == pl.Int64), 0)
LINE = "+14155550101"


def hours(
    days: int, *, line: str = LINE, state: str | None = "HEALTHY", status: str | None = "ACTIVE", **counts
) -> pl.DataFrame:
    """A line's hours from START on; a count is a number for every hour, or a function of the hour's number."""
    rows = []
    for n in range(24 * days):
        own = {name: value(n) if callable(value) else value for name, value in counts.items()}
        own.setdefault("mature", own.get("outbound", 0))
        rows.append(
            {**ZERO, "line": line, "hour": START + timedelta(hours=n), "health": state, "status": status, **own}
        )
    return pl.DataFrame(rows, schema=SIGNALS_HOUR)


def changes(*rows: tuple[str, float, str, str]) -> pl.DataFrame:
    """TRANSITIONS of (line, day, previous, new) after START."""
    order = {"HEALTHY": 0, "AT_RISK": 1, "CRITICAL": 2}
    data = [(line, START + timedelta(days=day), "health", a, b, order[b] > order[a], False) for line, day, a, b in rows]
    return pl.DataFrame(data, schema=TRANSITIONS, orient="row")


NO_SPELLS = pl.DataFrame(schema=SPELLS)
NO_CHANGES = pl.DataFrame(schema=TRANSITIONS)


@cache
def fleet(family: str, scorer: str, seed: int, lines: int = 40, days: int = 56):
    """A made-up fleet as (hours, spells, transitions, as_of)."""
    frames = Fleet(family, scorer, seed, lines, days).frames()
    spells = health.spells(frames.changes)
    rows = panel.signals(
        frames.messages, frames.chats, frames.chat_health, spells, as_of=frames.as_of, settings=Settings(), grain="hour"
    )
    return rows, spells, health.transitions(frames.changes), frames.as_of
