"""Explained falls, states and hourly signals in; how long things take on this fleet out: from behaviour to fall, back to healthy, to a relapse.

Times to an event are Kaplan and Meier's curves: a line that is not healthy yet at the end has waited at least so long. Under LEAST events
only counts are given.
"""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from analysis.ahead.model import Array
from analysis.ahead.rows import Lines, instants, keys_of, next_after, times_of
from analysis.explain.constants import HOUR
from analysis.explain.words import count, percent, plural
from analysis.schema import INSTANT

LEAST = 10
"""Events under which there are only counts (design sheet, section 6: no figure from a handful)."""
WITHIN_DAYS = (7, 30)
"""Days after a recovery in which a fall is a relapse."""
MOST_POINTS = 120
"""Steps of a curve that are kept: more can't be seen."""
Z = 1.959964
"""Standard deviations that hold 95 %."""
BACK = {
    "engagement": ("few_replies_2d", 1.0),
    "deliverability": ("failures", 1.0),
    "new_conversations": ("openers", 0.585),
    "recipient_spread": ("recipients", 0.0),
    "send_pace": ("volume", 0.585),
    "opt_outs": ("after_opt_out", 0.0),
    "flagged": ("flagged", 0.0),
}
"""A driver's signal is back within its usual where this feature (features.py) is at most so much: one standard deviation short of replies or
over in failures, 1.5 times the usual of openers or sends (log2), the largest of usual days, no send after an opt-out in three days, no flag."""

DRIVER_NOUNS = {
    "engagement": "Few replies",
    "deliverability": "Failed sends",
    "new_conversations": "New conversations",
    "recipient_spread": "Many recipients",
    "send_pace": "Send pace",
    "opt_outs": "Sends after opt-out",
    "flagged": "Carrier's flag",
    "repeated_content": "Repeated content",
}

CAUSES = pl.Schema({"line": pl.String, "at": INSTANT, "driver": pl.String, "lead_hours": pl.Float64})
"""Explained falls, key (line, at): main driver, and hours from its onset to the fall (null: not dated)."""


def lags_of(causes: pl.DataFrame, transitions: pl.DataFrame, past: pl.DataFrame, *, until: datetime) -> dict[str, Any]:
    """Return the times measured on this fleet.

    Args:
        causes: CAUSES, of falls of health.
        transitions: TRANSITIONS.
        past: HOURLY every TICK_HOURS.
        until: UTC; nothing later is looked at.

    Returns:
        {"until", "onset": [{"driver", "falls", "dated", "hours", "hours_low", "hours_high"}], "recovery": [{"state", "falls", "recovered",
        "days", "days_low", "days_high", "curve"}], "after_slowing": {the same, "not_before"}, "relapse": [{"days", "recoveries", "relapsed",
        "rate", "low", "high"}]}. A curve is [{"day", "healthy", "low", "high", "open"}]. Nulls where there are under LEAST events.
    """
    told = transitions.filter(pl.col("kind") == "health", pl.col("at") <= until).sort("line", "at")
    falls = _until_healthy(told, until)
    return {
        "until": until.isoformat(),
        "onset": _onset(causes.filter(pl.col("at") <= until)),
        "recovery": [
            {"state": state, **_times(falls.filter(pl.col("new") == state))} for state in ("AT_RISK", "CRITICAL")
        ],
        "after_slowing": _after_slowing(causes, falls, past.filter(pl.col("hour") < until)),
        "relapse": [_relapse(told, until, days) for days in WITHIN_DAYS],
    }


def _until_healthy(told: pl.DataFrame, until: datetime) -> pl.DataFrame:
    """Return each fall with the recovery to healthy that followed: line, at, new, healthy_at, and days to it or to the end."""
    healthy = told.filter(pl.col("new") == "HEALTHY").select("line", healthy_at="at").sort("healthy_at")
    falls = told.filter(pl.col("worsening")).sort("at")
    joined = falls.join_asof(
        healthy, left_on="at", right_on="healthy_at", by="line", strategy="forward", check_sortedness=False
    )
    end = pl.col("healthy_at").fill_null(pl.lit(until, dtype=INSTANT))
    return joined.select("line", "at", "new", "healthy_at", days=_days(end - pl.col("at"))).sort("line", "at")


def _days(span: pl.Expr) -> pl.Expr:
    return span.dt.total_seconds() / 86_400


def _onset(causes: pl.DataFrame) -> list[dict[str, Any]]:
    """Return by main driver how long before the fall it set in: median and quartiles."""
    rows = []
    for (driver,), mine in causes.group_by("driver"):
        dated = mine["lead_hours"].drop_nulls()
        cuts = [dated.quantile(q, interpolation="linear") if len(dated) >= LEAST else None for q in (0.5, 0.25, 0.75)]
        rows.append(
            {
                "driver": driver,
                "falls": mine.height,
                "dated": len(dated),
                "hours": cuts[0],
                "hours_low": cuts[1],
                "hours_high": cuts[2],
            }
        )
    return sorted(rows, key=lambda r: (-r["falls"], r["driver"]))


def _times(falls: pl.DataFrame) -> dict[str, Any]:
    """Return how long it takes until healthy: median with its interval, and the curve."""
    recovered = int(falls["healthy_at"].is_not_null().sum())
    head: dict[str, Any] = {"falls": falls.height, "recovered": recovered}
    if recovered < LEAST:
        return {**head, "days": None, "days_low": None, "days_high": None, "curve": []}
    curve = survival(falls["days"].to_numpy(), falls["healthy_at"].is_null().to_numpy())
    healthy, low, high = (np.array([c[name] for c in curve]) for name in ("healthy", "low", "high"))
    days = np.array([c["day"] for c in curve])
    median, early, late = (_first(days, of) for of in (healthy, high, low))
    return {**head, "days": median, "days_low": early, "days_high": late, "curve": _thinned(curve)}


def _first(days: Array, share: Array) -> float | None:
    """Return the first day by which half are healthy; None where half never are."""
    there = np.flatnonzero(share >= 0.5)
    return float(days[there[0]]) if len(there) else None


def _thinned(curve: list[dict[str, float]]) -> list[dict[str, float]]:
    keep = np.unique(np.linspace(0, len(curve) - 1, min(len(curve), MOST_POINTS)).round().astype(int))
    return [curve[i] for i in keep]


def survival(days: Array, open_: Array) -> list[dict[str, float]]:
    """Return the share healthy again by day, with its 95 % interval and how many were still waiting just before.

    Args:
        days: to the recovery, or to the end of the data.
        open_: whether the line had not recovered then.
    """
    from scipy.stats import CensoredData, ecdf  # when it is measured: importing it takes as long as a page

    found = ecdf(CensoredData.right_censored(days, open_)).sf
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", RuntimeWarning
        )  # the interval at the ends, 0 or all, is undefined: filled below
        inside = found.confidence_interval(confidence_level=0.95, method="log-log")
    waiting = [int((days >= at).sum()) for at in found.quantiles]
    rows = [{"day": 0.0, "healthy": 0.0, "low": 0.0, "high": 0.0, "open": float(len(days))}]
    low, high = 0.0, 0.0
    for at, left, a, b, n in zip(
        found.quantiles, found.probabilities, inside.low.probabilities, inside.high.probabilities, waiting, strict=True
    ):
        if np.isfinite(a) and np.isfinite(b):
            low, high = 1 - float(b), 1 - float(a)
        elif left <= 0:  # all are healthy: at least as many as just before
            high = 1.0
        rows.append({"day": float(at), "healthy": 1 - float(left), "low": low, "high": high, "open": float(n)})
    return rows


def _after_slowing(causes: pl.DataFrame, falls: pl.DataFrame, past: pl.DataFrame) -> dict[str, Any]:
    """Return how long it takes until healthy from when the main driver's signal was first back within its usual."""
    known = causes.join(falls, on=["line", "at"]).filter(pl.col("driver").is_in(list(BACK))).sort("at")
    lines = Lines.of(past)
    known = known.filter(pl.col("line").is_in(lines.names.implode()))
    at, back_at = keys_of(lines.numbers(known), times_of(known, "at")), np.full(known.height, -1)
    till = keys_of(lines.numbers(past), times_of(past, "hour") + HOUR)
    for driver, (name, most) in BACK.items():
        mine = (known["driver"] == driver).to_numpy()
        back = np.sort(till[(past[name] <= most).to_numpy()])
        back_at[mine] = next_after(back, at[mine] - 1)
    found = known.with_columns(instants(back_at).alias("back_at"))
    slowed = found.filter(
        pl.col("back_at").is_not_null(), pl.col("healthy_at").is_null() | (pl.col("back_at") < pl.col("healthy_at"))
    )
    slowed = slowed.with_columns(days=pl.col("days") - _days(pl.col("back_at") - pl.col("at")))
    return {**_times(slowed), "not_before": found.height - slowed.height}


def _relapse(told: pl.DataFrame, until: datetime, days: int) -> dict[str, Any]:
    """Return how many recoveries at least so many days old were followed by a fall within them, with Wilson's interval."""
    worse = told.filter(pl.col("worsening")).select("line", worse_at="at").sort("worse_at")
    healthy = told.filter(pl.col("new") == "HEALTHY", pl.col("at") <= until - timedelta(days=days)).sort("at")
    after = healthy.join_asof(
        worse, left_on="at", right_on="worse_at", by="line", strategy="forward", check_sortedness=False
    )
    relapsed = int((after["worse_at"] - after["at"] <= timedelta(days=days)).sum())
    n = healthy.height
    head = {"days": days, "recoveries": n, "relapsed": relapsed}
    if n < LEAST:
        return {**head, "rate": None, "low": None, "high": None}
    rate = relapsed / n
    middle = (rate + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * float(np.sqrt(rate * (1 - rate) / n + Z**2 / (4 * n**2)))
    return {**head, "rate": rate, "low": max(0.0, middle - half), "high": min(1.0, middle + half)}


def sentences_of(times: dict[str, Any]) -> list[str]:
    """Return what was measured in words: one sentence a fact, counts only under LEAST events."""
    if not times:
        return []
    found = [_onset_words(r) for r in times["onset"] if r["driver"] != "unexplained"]
    names = {"AT_RISK": "at risk", "CRITICAL": "critical"}
    found += [
        _recovery_words(f"From {names[r['state']]} to healthy", "fall", r) for r in times["recovery"] if r["falls"]
    ]
    slowed = times["after_slowing"]
    if slowed["falls"]:
        found.append(_recovery_words("From the main cause back in its usual to healthy", "fall", slowed))
    return found + [_relapse_words(r) for r in times["relapse"] if r["recoveries"]]


def _onset_words(r: dict[str, Any]) -> str:
    told = f"{DRIVER_NOUNS[r['driver']]}: {plural(r['falls'], 'fall')}, {count(r['dated'])} with a dated onset"
    if r["hours"] is None:
        return f"{told}."
    return f"{told}, {count(r['hours'])} h before at the median (half of them {count(r['hours_low'])} to {count(r['hours_high'])} h)."


def _recovery_words(what: str, noun: str, r: dict[str, Any]) -> str:
    told = f"{count(r['recovered'])} of {plural(r['falls'], noun)} so far"
    if r["days"] is None:
        return f"{what}: {told}."
    late = f"to {r['days_high']:.1f}" if r["days_high"] is not None else "or longer"
    return f"{what}: {r['days']:.1f} days at the median ({r['days_low']:.1f} {late}); {told}."


def _relapse_words(r: dict[str, Any]) -> str:
    told = f"{count(r['relapsed'])} of {plural(r['recoveries'], 'recovery', 'recoveries')}"
    if r["rate"] is None:
        return f"Fell again within {r['days']} days: {told}."
    return f"Fell again within {r['days']} days: {percent(r['rate'])} ({percent(r['low'])} to {percent(r['high'])}), {told}."
