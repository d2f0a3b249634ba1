"""Decisions per line and a number of new recipients in, how many go to which line on which day out: an allocation by HiGHS.

Healthy lines only; no line beyond what its gate leaves today, nor on later days beyond its own cap and what keeps its chance of turning
worse under ``gate_risk``; young lines ramp up. Among the plans that place most, the one that adds least risk in this model. Existing
chats are never moved: a plan speaks of people whom no line has written to yet.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from analysis.errors import UsageError
from analysis.schema import PLAN
from analysis.settings import Settings

MOST_DAYS, MOST_NEW = 60, 1_000_000
SEGMENTS = 5
"""Pieces of the curve of risk by new conversations that the allocation sees."""
_UNPLACED = 1_000.0
"""Cost of one recipient without a line, above any risk: placing comes first."""


@dataclass(frozen=True)
class Plan:
    """PLAN, what could not be placed, and the lines expected to turn worse within a day of the opening, in this model."""

    rows: pl.DataFrame
    asked: int
    placed: int
    worse_with: float
    """Summed over lines and days of the plan: chance within 24 h with the plan's openers, less that without."""
    worse_at_once: float
    """The same where all are opened today, evenly over the healthy lines."""
    lines: int
    """Healthy lines that may open."""


def plan_of(gate: pl.DataFrame, new: int, days: int, settings: Settings) -> Plan:
    """Return how many of ``new`` recipients go to which line on which of the next days, today first.

    Args:
        gate: GATE.
        new: recipients nobody has written to yet.
        days: how many days they may take, today included.
        settings: ``gate_*``.

    Returns:
        Plan; PLAN in order of day and line.

    Raises:
        UsageError: the number of recipients or days is out of range.
    """
    if not 1 <= days <= MOST_DAYS or not 0 <= new <= MOST_NEW:
        raise UsageError(
            "the plan is out of range",
            where="plan",
            fix=f"ask for 1 to {MOST_DAYS} days and at most {MOST_NEW:,} recipients",
        )
    able = gate.filter(pl.col("health") == "HEALTHY", pl.col("decision") != "pause", pl.col("bound") != "stale").sort(
        "line"
    )
    lines = list(able.iter_rows(named=True))
    curves = [_curve(row) for row in lines]
    caps = [[_cap(row, day, curve, settings) for day in range(days)] for row, curve in zip(lines, curves, strict=True)]
    found = _allocated(caps, curves, new)
    rows = [
        (day, row["line"], int(found[i][day]), caps[i][day], _chance(curves[i], found[i][day]))
        for day in range(days)
        for i, row in enumerate(lines)
        if found[i][day]
    ]
    added = sum(_chance(curves[i], n) - _chance(curves[i], 0) for i, of in enumerate(found) for n in of)
    share = -(-new // len(lines)) if lines else 0
    at_once = sum(_chance(curve, share) - _chance(curve, 0) for curve in curves)
    frame = pl.DataFrame(rows, schema=PLAN, orient="row")
    return Plan(frame, new, int(sum(map(sum, found))), float(added), float(at_once), len(lines))


def _curve(row: dict[str, Any]) -> np.ndarray[Any, Any]:
    """Return a line's chance within 24 h by new conversations beyond those it has; a week-old line's is not known: level."""
    return np.array(json.loads(row["risk_by_new"]), dtype=float)


def _chance(curve: np.ndarray[Any, Any], new: float) -> float:
    return float(np.interp(new, np.arange(len(curve)), curve))


def _cap(row: dict[str, Any], day: int, curve: np.ndarray[Any, Any], settings: Settings) -> int:
    """Return how many a line may open on a day of the plan: today what its gate leaves, later its own cap, which grows on a young line."""
    if day == 0:
        return int(row["new_recipients_left_today"])
    own = row["new_today"] + row["new_recipients_left_today"]
    if row["bound"] in ("young", "own") and own <= settings.gate_start:
        own = settings.gate_start * settings.gate_growth**day
    within = np.flatnonzero(curve <= settings.gate_risk)
    safe = int(within[-1]) if len(within) else 0
    return int(min(own, settings.gate_new_per_day, safe))


def _allocated(caps: list[list[int]], curves: list[np.ndarray[Any, Any]], new: int) -> list[list[int]]:
    """Return whole numbers by line and day: most placed first, then least added risk (a piecewise linear, convex cost)."""
    from scipy.optimize import (
        Bounds,
        LinearConstraint,
        milp,
    )  # when a plan is made: importing it takes as long as a page

    slopes, sizes, owner = [], [], []
    for i, (of, curve) in enumerate(zip(caps, curves, strict=True)):
        for day, cap in enumerate(of):
            edges = np.unique(np.linspace(0, cap, SEGMENTS + 1).round().astype(int))
            steps = [(_chance(curve, b) - _chance(curve, a)) / (b - a) for a, b in pairwise(edges)]
            slopes += list(np.maximum.accumulate(steps)) if steps else []
            sizes += list(np.diff(edges))
            owner += [(i, day)] * (len(edges) - 1)
    found = [[0] * len(of) for of in caps]
    if not slopes or not new:
        return found
    # a little more for later days: what can go out today does
    late = 1e-6 * np.array([day for _, day in owner])
    cost = np.append(np.array(slopes) + late, _UNPLACED)
    every = LinearConstraint(np.ones((1, len(cost))), new, new)
    best = milp(
        cost, constraints=every, bounds=Bounds(0, np.append(np.array(sizes), new)), integrality=np.ones(len(cost))
    )
    for n, (i, day) in zip(np.round(best.x[:-1]).astype(int), owner, strict=True):
        found[i][day] += int(n)
    return found
