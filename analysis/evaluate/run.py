"""Which fleets in, every figure of every hidden scorer out: fleets are made and explained on all cores, each with its own seed."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import polars as pl

from analysis.errors import UsageError
from analysis.evaluate.cases import OURS, cases_of
from analysis.evaluate.figures import figures
from analysis.evaluate.fleets import Fleet
from analysis.evaluate.learned import LABELLED, boosted
from analysis.evaluate.simple import METHODS


def all_cases(
    fleets: list[Fleet],
    *,
    peers: bool = True,
    processes: int | None = None,
    progress: Callable[[str, float, float], None] | None = None,
) -> pl.DataFrame:
    """Make and explain every fleet: CASES of all of them, in their order.

    Args:
        fleets: which.
        peers: also ask the simple methods.
        processes: how many at once; all cores where None.
        progress: called with (what, done, total).
    """
    count = min(processes or os.cpu_count() or 1, len(fleets))
    found: list[pl.DataFrame] = []
    if count <= 1:
        for done, fleet in enumerate(fleets):
            if progress:
                progress(f"{fleet.family}, {fleet.scorer}, seed {fleet.seed}", done, len(fleets))
            found.append(cases_of(fleet, peers=peers))
        return pl.concat(found)
    # new processes instead of forks: Polars' threads do not survive a fork
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(cases_of, fleet, peers=peers) for fleet in fleets]
        for done, (fleet, job) in enumerate(zip(fleets, jobs, strict=True)):
            if progress:
                progress(f"{fleet.family}, {fleet.scorer}, seed {fleet.seed}", done, len(fleets))
            found.append(job.result())
    return pl.concat(found)


def evaluated(cases: pl.DataFrame, *, labelled: bool = False) -> dict[str, Any]:
    """Return the figures of every scorer, and of the worst of them: {"scorers": {"family/scorer": …}, "worst": …}.

    Args:
        cases: CASES with the words of the simple methods.
        labelled: also train the peer that gets the true causes of other lines (extra ``evaluate``).

    Raises:
        UsageError: there is no case.
    """
    if cases.is_empty():
        raise UsageError("no line of these fleets got worse", where="evaluate", fix="ask for more lines or days")
    methods = (OURS, *METHODS, *((LABELLED,) if labelled else ()))
    scorers = {}
    for (family, scorer), part in cases.partition_by("family", "scorer", as_dict=True, maintain_order=True).items():
        told = boosted(part) if labelled else part
        scorers[f"{family}/{scorer}"] = figures(told, methods)
    return {"scorers": scorers, "worst": _worst(scorers)}


def _worst(scorers: dict[str, Any]) -> dict[str, Any]:
    """Return the least of every headline figure over the scorers: what holds on all of them."""
    of = {
        "right": lambda f: f["methods"][OURS]["right"]["value"],
        "planted": lambda f: f["methods"][OURS]["planted"]["value"],
        "macro": lambda f: f["methods"][OURS]["macro"]["value"],
        "ahead_of_largest_z_score": lambda f: f["paired"]["largest z-score"]["value"],
        "ahead_on_planted": lambda f: f["paired_planted"]["largest z-score"]["value"],
        "onset_within_6h": lambda f: f["onset"]["within_6h"]["value"],
    }
    worst = {
        name: min((take(f) for f in scorers.values() if take(f) is not None), default=None) for name, take in of.items()
    }
    worst["calibration_error"] = max((f["calibration_error"] for f in scorers.values()), default=None)
    return worst
