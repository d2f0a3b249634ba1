"""SPELLS in, the unhealthy and flagged times of each line out, as they were known at any time."""

from __future__ import annotations

from collections import defaultdict

import polars as pl

from analysis.explain.constants import CONSTANTS, DAY, HOUR
from analysis.explain.running import Span


class Troubles:
    """Unhealthy and flagged times of one line, from SPELLS; and how its health stood at any time."""

    def __init__(self, spells: list[tuple[str, str, float, float]]) -> None:
        self.spells = sorted((a, b, kind, state) for kind, state, a, b in spells)
        self.bad = [(a, b) for a, b, _, state in self.spells if state in ("AT_RISK", "CRITICAL", "FLAGGED")]

    def flagged_since(self, t: int) -> int | None:
        """Return when the status last became FLAGGED in the 48 h up to t, where that is known."""
        starts = [a for a, _, _, state in self.spells if state == "FLAGGED" and a <= t]
        within = starts and starts[-1] >= t - CONSTANTS.flag_hours * HOUR
        return int(starts[-1]) if within else None

    def usual_spans(self, a: float, b: float, t: float) -> list[Span]:
        """Return [a, b) without unhealthy spells and the day before each, as far as they are known at t."""
        spans, at = [], a
        for start, end in self.bad:
            if start > t:
                break
            low, high = start - CONSTANTS.before_spell_days * DAY, end if end <= t else float("inf")
            if low > at and low > a:
                spans.append((at, min(low, b)))
            at = max(at, high)
        spans.append((at, b))
        return [(x, y) for x, y in spans if y > x]

    def quiet_at(self, t: int) -> bool:
        """Say whether no unhealthy or flagged spell lies within 7 days of t."""
        reach = CONSTANTS.quiet_days * DAY
        return all(b < t - reach or a > t + reach for a, b in self.bad)


def troubles(spells: pl.DataFrame) -> dict[str, Troubles]:
    """Return the Troubles of each line in SPELLS."""
    found: dict[str, list[tuple[str, str, float, float]]] = defaultdict(list)
    inf = float("inf")
    columns = spells.select("line", "kind", "state", pl.col("start_at").cast(pl.Int64), pl.col("end_at").cast(pl.Int64))
    for line, kind, state, start, end in columns.iter_rows():
        found[line].append((kind, state, -inf if start is None else start, inf if end is None else end))
    return {line: Troubles(items) for line, items in found.items()}
