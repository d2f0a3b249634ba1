"""Forecast, gate and plan in; what the page Ahead says and draws out."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import polars as pl

from analysis import pipeline
from analysis.charts import OUTLOOK, RELIABILITY
from analysis.pages import _words as words
from analysis.pages._fleet import used
from analysis.pages._store import Here
from analysis.schema import SEVERITY

DECISIONS = {"send": "● Send", "slow": "▲ Slow", "pause": "◆ Pause"}
"""Shape and word, as for health."""
DRAWN = 12
"""Lines in the picture of what turns next; the table has all."""
LONGEST = 30
"""Days within which a place is looked for."""


def sentence(gate: pl.DataFrame) -> str:
    """Return the finding: who may open how many today."""
    counts = Counter(gate["decision"])
    left, able = int(gate["new_recipients_left_today"].sum()), int((gate["new_recipients_left_today"] > 0).sum())
    if not able:
        head = "No line may open a new conversation today."
    else:
        head = f"{words.plural(able, 'line')} may open {words.plural(left, 'more new conversation')} today."
    rest = [
        f"{counts[d]:,} {word}"
        for d, word in (
            ("slow", "slow down" if counts["slow"] != 1 else "slows down"),
            ("pause", "pause" if counts["pause"] != 1 else "pauses"),
        )
        if counts[d]
    ]
    return f"{head} {' and '.join(rest)}.".strip() if rest else head


def next_sentence(forecast: pl.DataFrame) -> str:
    """Return which line is likeliest to turn worse, and how likely."""
    known = forecast.filter(pl.col("p_worse_24h").is_not_null(), pl.col("health").fill_null("HEALTHY") != "CRITICAL")
    if known.is_empty():
        return "Nothing can be said yet of what turns next."
    r = known.sort("p_worse_72h", descending=True).row(0, named=True)
    return f"{words.line_name(r['line'])} is likeliest to turn worse: {chance(r['p_worse_72h'])} within 3 days"


def chance(p: float) -> str:
    """Return a probability as "13 in 100", or "under 1 in 100"."""
    return f"{round(100 * p)} in 100" if p >= 0.01 else "under 1 in 100"


def interval(r: dict[str, Any], hours: int) -> str:
    """Return "13 % (1–65)"; a dash where nothing can be said."""
    p = r[f"p_worse_{hours}h"]
    if p is None:
        return words.DASH
    low, high = (round(100 * r[f"p_worse_{hours}h_{end}"]) for end in ("low", "high"))
    return f"{words.percent(p)} ({low}–{high})"


def outlook(forecast: pl.DataFrame, here: Here) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    """Return OUTLOOK of the lines likeliest to turn worse, and their rows with drivers read."""
    known = forecast.filter(pl.col("p_worse_24h").is_not_null(), pl.col("health").fill_null("HEALTHY") != "CRITICAL")
    rows = [
        {**r, "drivers": json.loads(r["drivers"] or "[]")}
        for r in known.sort(["p_worse_72h", "line"], descending=[True, False]).head(DRAWN).iter_rows(named=True)
    ]
    data = [
        (
            words.line_name(r["line"]),
            r["p_worse_24h"],
            r["p_worse_24h_low"],
            r["p_worse_24h_high"],
            r["p_worse_72h"],
            words.line_key(r["line"]),
            f"{words.line_name(r['line'])}: within 24 h {interval(r, 24)}, within 3 days {interval(r, 72)}",
        )
        for r in rows
    ]
    return pl.DataFrame(data, schema=OUTLOOK, orient="row"), rows


def reasons(rows: list[dict[str, Any]]) -> list[tuple[str, str, str, str, str]]:
    """Return for each line: key, name, chances within a day and three, and what raises them."""
    found = []
    for r in rows:
        told = "; ".join(
            f"{words.DRIVER_WORDS[d['driver']]}: {d['summary']}" if d["driver"] != "unexplained" else d["summary"]
            for d in r["drivers"][:2]
        )
        found.append(
            (
                words.line_key(r["line"]),
                words.line_name(r["line"]),
                interval(r, 24),
                interval(r, 72),
                told or "nothing out of its usual",
            )
        )
    return found


def table(gate: pl.DataFrame, forecast: pl.DataFrame, *, show: list[str], find: str) -> pl.DataFrame:
    """Return the decisions as shown: most new conversations left first, then slow lines, then those that pause.

    Args:
        gate: GATE.
        forecast: FORECAST.
        show: decisions, all where empty.
        find: digits of a line.

    Returns:
        One row a line; ``line`` is its key of the address, not shown.
    """
    wanted = digits(find)
    told = {r["line"]: interval(r, 24) for r in forecast.iter_rows(named=True)}
    order = {"send": 0, "slow": 1, "pause": 2}
    rows = sorted(
        (r for r in gate.iter_rows(named=True) if (not show or r["decision"] in show) and wanted in r["line"]),
        key=lambda r: (
            order[r["decision"]],
            -r["new_recipients_left_today"],
            -SEVERITY.get(r["health"] or "", 0),
            r["line"],
        ),
    )
    data = [
        (
            words.line_key(r["line"]),
            DECISIONS[r["decision"]],
            words.line_name(r["line"]),
            words.state_word(r["status"] if r["status"] == "FLAGGED" else r["health"]),
            r["new_recipients_left_today"],
            used(r),
            r["new_left_this_hour"],
            r["sends_left_today"],
            words.DASH if r["health"] == "CRITICAL" else told.get(r["line"], words.DASH),
            r["why"],
        )
        for r in rows
    ]
    schema = {
        "line": pl.String, "May": pl.String, "Line": pl.String, "Health": pl.String, "New left": pl.Int64, "Used": pl.Float64,
        "This hour": pl.Int64, "Sends left": pl.Int64, "Worse in 24 h": pl.String, "Why": pl.String,
    }  # fmt: skip
    return pl.DataFrame(data, schema=schema, orient="row")


def digits(find: str) -> str:
    """Return what is looked for in lines: the digits of what was typed."""
    return "".join(c for c in find if c.isdigit())


def planned(here: Here, new: int, days: int) -> dict[str, Any]:
    """Return the plan: its table (a column a day), its finding, and what it does to the risk."""
    plan = pipeline.plan(here.store, new=new, days=days)
    begin = words.wall(here.as_of, here.zone)
    names = [f"{begin + timedelta(days=d):%a %-d %b}" for d in range(days)]
    wide = {(r["line"], r["day"]): r["new_recipients"] for r in plan.rows.iter_rows(named=True)}
    lines = sorted(
        {line for line, _ in wide}, key=lambda line: (-sum(wide.get((line, d), 0) for d in range(days)), line)
    )
    data = [
        [
            words.line_name(line),
            *(wide.get((line, d)) for d in range(days)),
            sum(wide.get((line, d), 0) for d in range(days)),
        ]
        for line in lines
    ]
    schema = {"Line": pl.String, **dict.fromkeys(names, pl.Int64), "In all": pl.Int64}
    return {
        "plan": plan,
        "table": pl.DataFrame(data, schema=schema, orient="row"),
        "title": _plan_title(here, plan, days),
        "risk": _risk_words(plan),
    }


def _plan_title(here: Here, plan: Any, days: int) -> str:
    span = words.plural(days, "day")
    if plan.placed == plan.asked:
        return f"All {plan.asked:,} fit into {span} on {words.plural(plan.lines, 'healthy line')}"
    if not plan.lines:
        return "No healthy line may open anything: nothing can be placed"
    need = next(
        (
            d
            for d in range(days + 1, LONGEST + 1)
            if pipeline.plan(here.store, new=plan.asked, days=d).placed == plan.asked
        ),
        None,
    )
    more = f"{need} days are enough" if need else f"{LONGEST} days are not enough either"
    return f"{plan.placed:,} of {plan.asked:,} fit into {span}; {more}"


def _risk_words(plan: Any) -> str:
    return (
        f"In this model the plan adds {_lines(plan.worse_with)} that turn worse within a day; "
        f"all {plan.asked:,} today, spread evenly over the healthy lines, {_lines(plan.worse_at_once)}. What a vendor does may differ."
    )


def _lines(n: float) -> str:
    return f"{n:.2f} lines" if n >= 0.005 else "less than 0.01 lines"


def reliability(record: dict[str, Any], hours: int) -> pl.DataFrame:
    """Return RELIABILITY of the past forecasts."""
    rows = [
        (
            b["told"],
            b["came"],
            float(b["n"]),
            f"told {words.percent(b['told'])}, came {words.percent(b['came'])} of {b['n']:,} forecasts",
        )
        for b in record["horizons"][str(hours)]["reliability"]
    ]
    return pl.DataFrame(rows, schema=RELIABILITY, orient="row")


def record_words(record: dict[str, Any]) -> tuple[str, str]:
    """Return how right past forecasts were: the finding, and its figures."""
    day, alarm = record["horizons"]["24"], record["alarm"]
    better = day["skill"]
    title = (
        "Forecasts have been better than the average day"
        if better > 0.02
        else "Forecasts have hardly been better than the average day"
    )
    if alarm and alarm["worsenings"]:
        title = f"It would have warned of {alarm['warned']} of {alarm['worsenings']} falls, 6 hours or more ahead"
    lead = f", {words.lasting(alarm['lead_hours'])} ahead at the median" if alarm and alarm["lead_hours"] else ""
    false = (
        f" at {alarm['false_a_month']:.1f} false alarms a line and month (from a chance of {words.percent(alarm['from_p'])} on){lead}"
        if alarm
        else ""
    )
    return title, (
        f"Each of the last weeks forecast from what came before it only: {words.plural(record['worsenings'], 'fall')}, {record['ticks']:,} forecasts. "
        f"Error {words.percent(max(0.0, better))} smaller than the average's; told and came differ by {100 * day['calibration_error']:.1f} points{';' + false if false else ''}."
    )
