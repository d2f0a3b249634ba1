"""Made-up fleets in, how often an action is said to have helped out: actions that did nothing, and ones that stopped something.

An action that did nothing (a placebo) stands at a random time, or within a day after a fall, when people act; one that did something takes
openers, or follow-ups to silent chats, out of everything its line sent later.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from math import sqrt
from multiprocessing import get_context
from typing import Any

import numpy as np
import polars as pl

from analysis.evaluate.fleets import Fleet
from analysis.helped.effect import Moment, effects_of
from analysis.helped.grid import MEASURES, WEEK, Grid
from analysis.helped.words import verdict_of
from analysis.settings import Settings
from analysis.signals import health, panel
from analysis.signals.judged import judge
from analysis.simulate.frames import Frames

PLACEBOS = 12
"""Actions without an effect a fleet, at random times, and as many at falls where there are so many."""
PLANTED = 4
"""Actions with an effect a fleet, of each kind, at random times and at falls."""
FIRST_DAY = 21
"""No action stands earlier: there is no usual yet."""
ENOUGH = 40
"""Openers, or follow-ups, in the week before that make an effect large enough to be asked for."""
TRIALS = pl.Schema(
    {
        "family": pl.String,
        "scorer": pl.String,
        "seed": pl.Int64,
        "when": pl.String,
        "stopped": pl.String,
        "verdict": pl.String,
    }
)
"""One row an action tried: when is "random" or "fall", stopped is "nothing", "openers" or "followups"."""


def trials_of(fleet: Fleet) -> pl.DataFrame:
    """Make a fleet and judge made-up actions on it: TRIALS."""
    frames, settings = fleet.frames(), Settings()
    spells = health.spells(frames.changes)
    hours = _hours(frames, frames.messages, spells, settings)
    grid = Grid(hours, spells)
    rng = np.random.default_rng(fleet.seed)
    told = health.transitions(frames.changes).filter(pl.col("kind") == "health", "worsening")
    at_falls = [
        (grid.place[line], grid.at(at) + 1 + int(rng.integers(0, 24))) for line, at in told.select("line", "at").rows()
    ]
    at_falls = [m for m in at_falls if 24 * FIRST_DAY <= m[1] <= grid.hours - 24 * WEEK]
    anywhere = [
        (int(rng.integers(len(grid.names) - 1)), int(rng.integers(24 * FIRST_DAY, grid.hours - 24 * WEEK)))
        for _ in range(10 * PLACEBOS)
    ]
    rows = []
    for when, of in (("random", anywhere), ("fall", [at_falls[i] for i in rng.permutation(len(at_falls))])):
        rows += [(when, "nothing", _verdict(grid, *m)) for m in of[:PLACEBOS]]
        for stopped in ("openers", "followups"):
            large = [m for m in of if _enough(grid, m[0], m[1], MEASURES.index(stopped))]
            for m in large[:PLANTED]:
                kept = _without(frames, grid.names[m[0]], grid.time(m[1]), stopped, settings)
                own = _hours(frames, kept, spells, settings)
                other = hours.filter(pl.col("line") != grid.names[m[0]])
                rows.append((when, stopped, _verdict(Grid(pl.concat([other, own]), spells), *m)))
    names = (fleet.family, fleet.scorer, fleet.seed)
    return pl.DataFrame([(*names, *row) for row in rows], schema=TRIALS, orient="row")


def _hours(frames: Frames, messages: pl.DataFrame, spells: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    return panel.signals(
        messages, frames.chats, frames.chat_health, spells, as_of=frames.as_of, settings=settings, grain="hour"
    )


def _enough(grid: Grid, line: int, hour: int, measure: int) -> bool:
    if not grid.inside([line], [hour], WEEK)[0]:
        return False
    return float(grid.episodes([line], [hour], WEEK).top_before[0, measure].sum()) >= ENOUGH


def _verdict(grid: Grid, line: int, hour: int) -> str:
    if not grid.inside([line], [hour], WEEK)[0]:
        return "no data"
    busy = np.zeros((len(grid.names), grid.hours), dtype=bool)
    busy[line, hour] = True
    return verdict_of(effects_of(grid, Moment(line, hour, WEEK), busy))[0]


def _without(frames: Frames, line: str, at: datetime, stopped: str, settings: Settings) -> pl.DataFrame:
    """Return the messages of a line without what was stopped from a time on."""
    own = frames.messages.filter(pl.col("line") == line)
    if stopped == "openers":
        begun = own.group_by("chat_id").agg(pl.col("at").min(), pl.col("direction").sort_by("at").first())
        gone = begun.filter(pl.col("at") >= at, pl.col("direction") == "outbound")["chat_id"]
        return own.filter(~pl.col("chat_id").is_in(gone.implode()))
    told = judge(
        own, frames.chats, frames.chat_health, as_of=frames.as_of, settings=settings, also={"id": pl.col("message_id")}
    )
    late = told.messages.filter("outbound", pl.col("unanswered") >= settings.late_turn, pl.col("at") >= at)["id"]
    return own.filter(~pl.col("message_id").is_in(late.implode()))


def all_trials(chosen: list[Fleet], *, progress: Callable[[str, float, float], None]) -> pl.DataFrame:
    """Return the trials of many fleets, made on all cores: TRIALS."""
    parts = []
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for n, part in enumerate(pool.map(trials_of, chosen)):
            parts.append(part)
            progress("trying actions", n + 1, len(chosen))
    return pl.concat(parts)


def helping_evaluated(trials: pl.DataFrame) -> list[dict[str, Any]]:
    """Return how often an action was said to have helped, by when and what it stopped, with 95 % intervals (Wilson)."""
    found = []
    for stopped in ("nothing", "openers", "followups"):
        for when in ("random", "fall"):
            own = trials.filter(pl.col("when") == when, pl.col("stopped") == stopped, pl.col("verdict") != "no data")
            if own.is_empty():
                continue
            n, counts = own.height, {v: own.filter(pl.col("verdict") == v).height for v in ("helped", "did not help")}
            low, high = _wilson(counts["helped"], n)
            found.append(
                {
                    "stopped": stopped,
                    "when": when,
                    "n": n,
                    "helped": counts["helped"],
                    "low": low,
                    "high": high,
                    "did_not": counts["did not help"],
                }
            )
    return found


def _wilson(k: int, n: int) -> tuple[float, float]:
    z, p = 1.96, k / n
    middle, half = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def helping_text(found: list[dict[str, Any]]) -> str:
    """Return the figures as a table for people."""
    head = "what it stopped   when     said to have helped           said not to"
    rows = [
        f"{r['stopped']:<16}  {r['when']:<7}  {r['helped']:>3} of {r['n']:<4} {r['helped'] / r['n']:>4.0%} ({r['low']:.0%} to {r['high']:.0%})  {r['did_not']:>3}"
        for r in found
    ]
    return "\n".join([head, *rows])
