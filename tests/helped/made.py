"""Fleets written by hand, a count a day at noon: what actions are judged on."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from analysis.helped.grid import Grid
from analysis.helped.judge import Helped, judged
from analysis.helped.near import STARTS
from analysis.schema import ACTIONS, SIGNALS_HOUR, SPELLS
from tests.ahead.made import START, hours

DAYS = 63
NONE = pl.DataFrame(schema=STARTS)


def line(n: int) -> str:
    return f"+1415555{1000 + n:04d}"


class Made:
    """A fleet of equal lines with chance of its own; days of single lines can be set."""

    def __init__(self, lines: int = 12, seed: int = 2, rate: float = 0.4, sends: float = 40.0) -> None:
        rng = np.random.default_rng(seed)
        self.outbound = rng.poisson(sends, (lines, DAYS))
        self.replied = rng.binomial(self.outbound, rate)
        self.failed = rng.binomial(self.outbound, 0.03)
        self.openers = rng.poisson(6, (lines, DAYS))
        self.late = rng.poisson(5, (lines, DAYS))
        self.rng = rng
        self.spells: list[tuple[str, str, str, datetime | None, datetime | None, bool]] = []

    def answered(self, n: int, days: slice, rate: float) -> None:
        self.replied[n, days] = self.rng.binomial(self.outbound[n, days], rate)

    def ill(self, n: int, start: float, end: float | None) -> None:
        a, b = START + timedelta(days=start), None if end is None else START + timedelta(days=end)
        self.spells += [
            (line(n), "health", "HEALTHY", None, a, True),
            (line(n), "health", "AT_RISK", a, b, True),
            *([(line(n), "health", "HEALTHY", b, None, True)] if b else []),
        ]

    def frames(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        def at_noon(counts):
            return lambda h: int(counts[h // 24]) if h % 24 == 12 else 0

        rows = [
            hours(
                DAYS, line=line(n), outbound=at_noon(self.outbound[n]), mature=at_noon(self.outbound[n]),
                replied=at_noon(self.replied[n]), failed=at_noon(self.failed[n]), new_conversations=at_noon(self.openers[n]),
                unanswered_turns=at_noon(self.late[n]),
            )
            for n in range(len(self.outbound))
        ]  # fmt: skip
        return pl.concat(rows).cast(SIGNALS_HOUR), pl.DataFrame(self.spells, schema=SPELLS, orient="row")

    def grid(self) -> Grid:
        return Grid(*self.frames())

    def judged(self, *actions: tuple[int | None, float, str]) -> list[Helped]:
        """Judge actions given as (line, day, kind)."""
        rows = [
            (f"a{i}", None if n is None else line(n), START + timedelta(days=day), kind, None, "hand")
            for i, (n, day, kind) in enumerate(actions)
        ]
        told = pl.DataFrame(rows, schema=ACTIONS, orient="row")
        return judged(told, self.grid(), self.frames()[1], NONE, NONE)
