"""Made-up fleets in, how right forecasts are on them out: beside the base rate, "as yesterday" and the best single signal.

Every week of a fleet is forecast from what came before it only (``ahead.backtest``). The documented prior was fitted on other seeds of
the same scorers: a vendor unlike all of them starts from a worse one.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from typing import Any, TypeVar

import numpy as np
import polars as pl

from analysis.ahead.backtest import (
    LEAD_HOURS,
    TRIED,
    alarm_of,
    calibration_error,
    precision_recall_area,
    reliability,
    skill,
    tried,
)
from analysis.ahead.features import known_by_hour
from analysis.ahead.model import FEATURES, HORIZONS, TICK_HOURS, Array, came, fitted, labelled, matrix
from analysis.ahead.rows import midnight_of
from analysis.errors import UsageError
from analysis.evaluate.fleets import Fleet
from analysis.settings import Settings
from analysis.signals import gaps, health, panel
from analysis.simulate.frames import Frames

PRIOR_PRECISION = 1.0
"""The documented prior itself is drawn to nothing by one change a weight."""
DRAWS = 300
"""Bootstrap samples of lines behind every interval (90 %)."""
TICKS = pl.Schema(
    [
        ("family", pl.String()),
        ("scorer", pl.String()),
        ("seed", pl.Int64()),
        ("planted", pl.Boolean()),
        ("in_time", pl.Boolean()),
        *TRIED.items(),
    ]
)
"""TRIED of many fleets; planted: the next worsening has a cause in the data; in_time: which began LEAD_HOURS or more before it."""

Said = TypeVar("Said")
Told = tuple[pl.DataFrame, pl.DataFrame]
"""Of one fleet: its labelled ticks with ``until`` (its end), and TICKS."""


def ticks_of(fleet: Fleet, priors: dict[int, dict[str, float]] | None = None) -> Told:
    """Make a fleet and forecast its past; arguments as ``tried``."""
    return ticks_of_frames(fleet.frames(), fleet, priors)


def ticks_of_frames(frames: Frames, fleet: Fleet, priors: dict[int, dict[str, float]] | None = None) -> Told:
    """Forecast the past of frames under a fleet's name: its own, or some that were made of them."""
    settings = Settings()
    spells = health.spells(frames.changes)
    hours = panel.signals(
        frames.messages, frames.chats, frames.chat_health, spells, as_of=frames.as_of, settings=settings, grain="hour"
    )
    lost = gaps.gaps(gaps.activity_of(frames.messages), as_of=frames.as_of, settings=settings)
    hours = gaps.seen(hours, lost, within=timedelta(hours=settings.reply_window_hours))
    known = known_by_hour(hours, spells, as_of=frames.as_of, every=TICK_HOURS)
    ticks = labelled(known, health.transitions(frames.changes))
    midnight = midnight_of(frames.as_of)
    causes = frames.truth.filter(pl.col("planted")).select(
        "line",
        worse_at="at",
        planted=pl.lit(value=True),
        in_time=(pl.col("at") - pl.col("onset") >= timedelta(hours=LEAD_HOURS)).fill_null(value=False),
    )
    told = tried(ticks, at=midnight, priors=priors).join(causes, on=["line", "worse_at"], how="left")
    names = {"family": fleet.family, "scorer": fleet.scorer, "seed": fleet.seed}
    told = told.with_columns(
        pl.col("planted", "in_time").fill_null(value=False), **{k: pl.lit(v) for k, v in names.items()}
    )
    whole = ticks.with_columns(until=pl.lit(frames.as_of), **{k: pl.lit(v) for k, v in names.items()})
    return whole, told.select(TICKS.names()).cast(dict(TICKS))  # type: ignore[arg-type]


def all_ticks(
    fleets: list[Fleet],
    *,
    processes: int = 2,
    priors: dict[int, dict[str, float]] | None = None,
    progress: Callable[[str, float, float], None] | None = None,
) -> Told:
    """Return both frames of all fleets, in their order; on several cores."""
    found = on_cores(partial(ticks_of, priors=priors), fleets, processes=processes, progress=progress)
    return pl.concat([a for a, _ in found]), pl.concat([b for _, b in found])


def on_cores(
    verb: Callable[[Fleet], Said],
    fleets: list[Fleet],
    *,
    processes: int,
    progress: Callable[[str, float, float], None] | None = None,
) -> list[Said]:
    """Return what a verb (of a module: it goes to other processes) says of every fleet, in their order."""
    if processes <= 1 or len(fleets) == 1:
        return [verb(fleet) for fleet in fleets]
    found = []
    with ProcessPoolExecutor(min(processes, len(fleets)), mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(verb, fleet) for fleet in fleets]
        for done, (fleet, job) in enumerate(zip(fleets, jobs, strict=True)):
            if progress:
                progress(f"{fleet.family}, {fleet.scorer}, seed {fleet.seed}", done, len(fleets))
            found.append(job.result())
    return found


def forecasts_evaluated(told: pl.DataFrame) -> dict[str, Any]:
    """Return the figures of every scorer, each with its 90 % interval over lines; "worst" is the least of them.

    Args:
        told: TICKS.

    Raises:
        UsageError: no line got worse.
    """
    if not told["came_72"].sum():
        raise UsageError("no line of these fleets got worse", where="evaluate", fix="ask for more lines or days")
    scorers = {
        f"{family}/{scorer}": figures_of(part)
        for (family, scorer), part in told.partition_by("family", "scorer", as_dict=True, maintain_order=True).items()
    }
    least = {
        name: min(f[name]["value"] for f in scorers.values()) for name in ("skill_24", "skill_72", "warned_planted")
    }
    most = max(f["calibration_error_24"]["value"] for f in scorers.values())
    return {"scorers": scorers, "worst": {**least, "calibration_error_24": most}}


def worsenings(told: pl.DataFrame) -> int:
    """Return how many worsenings came within 72 h of a tick of TICKS."""
    return told.filter(pl.col("came_72") > 0).select("seed", "line", "worse_at").n_unique()


def figures_of(part: pl.DataFrame) -> dict[str, Any]:
    """Return the figures of one scorer's TICKS, among which a worsening came."""
    p, y, base, yesterday, single = (part[c].to_numpy() for c in ("p_24", "came_24", "base_24", "yesterday", "single"))
    p72, y72, base72 = (part[c].to_numpy() for c in ("p_72", "came_72", "base_72"))
    alarm = alarm_of(part.with_columns(line=pl.format("{}/{}", "seed", "line")).select(TRIED.names()))
    caught, in_time = _caught(part, alarm.from_p if alarm else 2.0)
    whole, timely = len(caught), caught[in_time]
    better = lambda other: lambda i: skill(p[i], y[i], other[i])  # noqa: E731
    owner = part.select(pl.struct("seed", "line").rank("dense")).to_series().to_numpy() - 1
    return {
        "worsenings": worsenings(part),
        "ticks": part.height,
        "base_24": float(y.mean()),
        "skill_24": _with_interval(lambda i: skill(p[i], y[i], base[i]), owner),
        "skill_72": _with_interval(lambda i: skill(p72[i], y72[i], base72[i]), owner),
        "ahead_of_yesterday": _with_interval(better(yesterday), owner),
        "ahead_of_single": _with_interval(better(single), owner),
        "calibration_error_24": _with_interval(lambda i: calibration_error(p[i], y[i]), owner),
        "calibration_error_72": _with_interval(lambda i: calibration_error(p72[i], y72[i]), owner),
        "precision_recall_area_24": {"value": precision_recall_area(p, y), "base": float(y.mean())},
        "warned": {"value": alarm.warned / alarm.worsenings if alarm and alarm.worsenings else 0.0},
        "warned_planted": {"value": float(caught.mean()) if len(caught) else 0.0, "n": whole},
        "warned_in_time": {"value": float(timely.mean()) if len(timely) else 0.0, "n": len(timely)},
        "alarm": alarm.__dict__ if alarm else None,
        "reliability_24": reliability(p, y),
    }


def _caught(part: pl.DataFrame, from_p: float) -> tuple[Array, Array]:
    """Return of each worsening with a planted cause whether an alarm stood 6 to 72 h before it, and whether its cause had begun by then.

    Of a burst that fells a line within hours nobody can know 6 h before: the second tells what can be warned of at all.
    """
    lead = (pl.col("worse_at") - pl.col("at")).dt.total_seconds() / 3600
    due = part.filter(pl.col("planted")).with_columns(lead=lead).filter(pl.col("lead") <= 72)
    each = due.group_by("seed", "line", "worse_at").agg(
        caught=((pl.col("p_24") >= from_p) & (pl.col("lead") >= LEAD_HOURS)).any(), in_time=pl.col("in_time").first()
    )
    return each["caught"].to_numpy(), each["in_time"].to_numpy()


def _with_interval(figure: Callable[[Array], float], owner: Array) -> dict[str, float]:
    """Return a figure and its 90 % interval by drawing lines with replacement."""
    rng = np.random.default_rng(7)
    order = np.argsort(owner, kind="stable")
    starts = np.searchsorted(owner[order], np.arange(owner.max() + 2))
    rows = [order[a:b] for a, b in pairwise(starts)]
    drawn = [figure(np.concatenate([rows[k] for k in rng.integers(0, len(rows), len(rows))])) for _ in range(DRAWS)]
    low, high = np.quantile(drawn, [0.05, 0.95])
    return {"value": figure(np.arange(len(owner))), "low": float(low), "high": float(high)}


def prior_of(ticks: pl.DataFrame) -> dict[int, dict[str, float]]:
    """Return the weights that fit many fleets together: what ``ahead.prior.PRIOR`` holds.

    Args:
        ticks: labelled ticks with ``until``.
    """
    zero = dict.fromkeys(("intercept", *FEATURES), 0.0)
    found = {}
    for hours in HORIZONS:
        past = ticks.filter(pl.col("at") <= pl.col("until") - pl.duration(hours=hours))
        counts = np.full(past.height, TICK_HOURS / hours)
        model = fitted(matrix(past), came(past, hours), counts, hours=hours, prior=zero, precision=PRIOR_PRECISION)
        found[hours] = {name: round(weight, 2) for name, weight in model.told().items()}
    return found


HEADS = (
    "skill 24 h", "skill 72 h", "ahead of yesterday", "of best signal", "calibration", "warned, planted", "of those begun in time", "false",
)  # fmt: skip
"""Of the cells that ``figure_cells`` returns."""


def figure_cells(f: dict[str, Any]) -> tuple[str, ...]:
    """Return the figures of ``figures_of`` as words, in the order of HEADS."""
    span = lambda k: f"{f[k]['value']:+.3f} [{f[k]['low']:+.3f}, {f[k]['high']:+.3f}]"  # noqa: E731
    alarm = f["alarm"] or {"false_a_month": 0.0}
    return (
        *(span(k) for k in ("skill_24", "skill_72", "ahead_of_yesterday", "ahead_of_single")),
        f"{f['calibration_error_24']['value']:.3f}",
        f"{f['warned_planted']['value']:.2f} of {f['warned_planted']['n']}",
        f"{f['warned_in_time']['value']:.2f} of {f['warned_in_time']['n']}",
        f"{alarm['false_a_month']:.2f} a line and month",
    )


def forecasts_text(told: dict[str, Any]) -> str:
    """Return the figures as a table."""
    rows = [(name, f"{f['worsenings']:,}", *figure_cells(f)) for name, f in told["scorers"].items()]
    return aligned([("scorer", "worsenings", *HEADS), *rows])


def aligned(rows: list[tuple[str, ...]]) -> str:
    """Return rows as lines of text whose columns stand below one another; a row may end early."""
    wide = [max(len(row[i]) for row in rows if len(row) > i) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, wide, strict=False)).rstrip() for row in rows)


def prior_text(prior: dict[int, dict[str, float]]) -> str:
    """Return weights as they stand in ``ahead/prior.py``."""
    return "\n".join(f"{hours}: {weights}" for hours, weights in prior.items())
