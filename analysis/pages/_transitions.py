"""Changes of health and status in; the log, the spells of trouble, time in each state and the sentence over them out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

import polars as pl

from analysis import pipeline
from analysis.charts import TROUBLES
from analysis.pages import _words as words
from analysis.pages._store import Here
from analysis.schema import SEVERITY, Explanation

PERIODS = {"7 days": 7, "30 days": 30, "90 days": 90, "All": None}
"""Choices of the period, in days up to the newest data; None is all there is."""
SHOWN = ("Falls", "Recoveries")
RELAPSE_DAYS = 7
"""A fall so soon after a return to healthy is a relapse: Linq's help centre gives better days 3 to 7 to show."""
LEAST_MEDIAN = 3
"""Of fewer spells no median is drawn."""
STATES = ("HEALTHY", "AT_RISK", "CRITICAL", None)
LOG = pl.Schema(
    {
        "at": pl.String,
        "line": pl.String,
        "change": pl.String,
        "cause": pl.String,
        "share": pl.Float64,
        "why": pl.String,
        "confidence": pl.String,
    }
)
"""The log as it is shown, newest first; share in percent of the main cause, null where nothing is claimed."""


@dataclass(frozen=True)
class Trouble:
    """One spell of trouble of one line: from its fall from healthy to its return; not over where ``end`` is None."""

    line: str
    start: datetime
    end: datetime | None
    worst: str
    cause: str
    """The main cause of the fall."""
    key: str
    """Of the fall, as addresses have it."""
    relapse: bool
    """The line had been healthy again for no more than RELAPSE_DAYS."""

    @property
    def days(self) -> float | None:
        """How long it took; None while it lasts."""
        return (self.end - self.start) / timedelta(days=1) if self.end is not None else None


def begin(here: Here, period: str) -> datetime | None:
    """Return the start of a period up to the newest data."""
    days = PERIODS[period]
    return here.as_of - timedelta(days=days) if days else None


def troubles(found: list[Explanation]) -> list[Trouble]:
    """Return the spells of trouble in health, by their start.

    A report that says the line was healthy before, while a spell is open, ends that spell at an unknown time: it is left out.

    Args:
        found: why each transition happened, oldest first.
    """
    told: list[Trouble] = []
    for mine in words.by_line(found).values():
        keys = {id(e): key for key, e in words.change_keys(mine).items()}
        fall: Explanation | None = None
        worst, back = "AT_RISK", None
        for e in mine:
            if e.kind != "health":
                continue
            at = words.instant(e.at)
            if e.previous == "HEALTHY" and e.new in ("AT_RISK", "CRITICAL"):
                fall, worst = e, e.new
            elif fall is not None and SEVERITY.get(e.new, 0) > SEVERITY[worst]:
                worst = e.new
            if e.new == "HEALTHY":
                if fall is not None:
                    told.append(_trouble(fall, at, worst, keys, back))
                fall, back = None, at
        if fall is not None:
            told.append(_trouble(fall, None, worst, keys, back))
    return sorted(told, key=lambda t: (t.start, t.line))


def _trouble(
    fall: Explanation, end: datetime | None, worst: str, keys: dict[int, str], back: datetime | None
) -> Trouble:
    start = words.instant(fall.at)
    soon = back is not None and start - back <= timedelta(days=RELAPSE_DAYS)
    return Trouble(fall.line, start, end, worst, fall.drivers[0].driver, keys[id(fall)], soon)


def since(of: list[Trouble], start: datetime | None) -> list[Trouble]:
    """Return the spells that began in the period."""
    return [t for t in of if start is None or t.start >= start]


def sentence(of: list[Trouble], lines: int, period: str) -> str:
    """Return the headline: how many falls, on how many lines, and how long they took to pass."""
    over = "in all the data" if PERIODS[period] is None else f"in {period}"
    if not of:
        return (
            f"None of your {words.plural(lines, 'line')} fell {over}."
            if lines > 1
            else f"Your line did not fall {over}."
        )
    hit = len({t.line for t in of})
    begun = f"{words.plural(len(of), 'fall')} on {hit} of {words.plural(lines, 'line')} {over}"
    took = [t.days for t in of if t.days is not None]
    if not took:
        return f"{begun}; none is over yet."
    return f"{begun}; half of those that are over took {words.lasting(24 * median(took))} or less."


def as_text(of: list[Trouble], here: Here, period: str) -> str:
    """Return the page's finding as text: its sentence, and the figures under it."""
    told = [f"- {name}: {figure} ({small})" for name, figure, small in tiles(of)]
    sentence_ = sentence(of, here.lines().height, period)
    return "\n".join([sentence_, *told, f"Data to {words.moment(here.as_of, here.zone, year=True)}."])


def tiles(of: list[Trouble]) -> list[tuple[str, str, str]]:
    """Return what stands over the log: name, figure and small print of falls, recoveries, time to recover and relapses."""
    took = sorted(t.days for t in of if t.days is not None)
    relapses = sum(t.relapse for t in of)
    worst = sum(t.worst == "CRITICAL" for t in of)
    return [
        ("Falls from healthy", words.count(len(of)), f"{words.count(worst)} of them to critical"),
        ("Over", words.count(len(took)), f"{words.count(len(of) - len(took))} not yet"),
        ("Time to recover", words.lasting(24 * median(took)) if took else words.DASH, f"median; longest {words.lasting(24 * took[-1])}" if took else "no fall is over yet"),
        ("Relapses", words.count(relapses), f"fell again within {RELAPSE_DAYS} days of being healthy"),
    ]  # fmt: skip


def recovery_frame(of: list[Trouble], here: Here) -> tuple[pl.DataFrame, list[str]]:
    """Return TROUBLES of the spells that are over, and their causes, the most frequent first."""
    rows: dict[str, list[Trouble]] = {}
    for t in of:
        if t.days is not None:
            rows.setdefault(words.DRIVER_WORDS[t.cause], []).append(t)
    order = sorted(rows, key=lambda c: (-len(rows[c]), c))
    told = []
    for cause in order:
        took = [t.days for t in rows[cause] if t.days is not None]
        middle = median(took) if len(took) >= LEAST_MEDIAN else None
        for t in rows[cause]:
            tip = f"{words.line_name(t.line)}, {words.moment(t.start, here.zone)}: {words.lasting(24 * (t.days or 0))}, {words.plain_state(t.worst).lower()}"
            told.append(
                (f"{cause} ({len(rows[cause])})", t.days, t.worst, middle, f"{words.line_key(t.line)} {t.key}", tip)
            )
    return pl.DataFrame(told, schema=TROUBLES, orient="row"), [f"{cause} ({len(rows[cause])})" for cause in order]


def held(spells: pl.DataFrame, start: datetime | None, end: datetime) -> list[tuple[str | None, float, int]]:
    """Return the time that lines spent in each state of health within a period: state, line-days, lines; known starts only.

    Args:
        spells: SPELLS.
        start: from when; the first known start where None.
        end: the newest data.
    """
    health = spells.filter(pl.col("kind") == "health", pl.col("start_at").is_not_null())
    inside = health.with_columns(
        a=pl.max_horizontal("start_at", pl.lit(start)) if start is not None else pl.col("start_at"),
        b=pl.min_horizontal(pl.col("end_at").fill_null(end), pl.lit(end)),
    ).filter(pl.col("b") > pl.col("a"))
    by_state = inside.group_by("state").agg(
        days=(pl.col("b") - pl.col("a")).sum().dt.total_seconds() / 86_400, lines=pl.col("line").n_unique()
    )
    known = {row["state"]: (row["days"], row["lines"]) for row in by_state.iter_rows(named=True)}
    return [(state, *known[state]) for state in STATES if state in known]


def log(
    found: list[Explanation], *, start: datetime | None, show: list[str], cause: str, find: str
) -> list[Explanation]:
    """Return the changes that the filters leave, newest first."""
    digits = "".join(c for c in find if c.isdigit())
    kept = []
    for e in reversed(found):
        if start is not None and words.instant(e.at) < start:
            continue
        if show and ("Falls" if words.worsened(e) else "Recoveries") not in show:
            continue
        if cause and words.DRIVER_WORDS[e.drivers[0].driver] != cause:
            continue
        if digits in e.line:
            kept.append(e)
    return kept


def log_frame(rows: list[Explanation], here: Here) -> pl.DataFrame:
    """Return LOG of changes."""
    told = [
        (
            words.moment(words.instant(e.at), here.zone, weekday=False),
            words.line_name(e.line),
            f"{words.state_word(e.previous)} → {words.state_word(e.new)}",
            words.DRIVER_WORDS[e.drivers[0].driver],
            round(100 * e.drivers[0].share),
            e.headline,
            e.confidence,
        )
        for e in rows
    ]
    return pl.DataFrame(told, schema=LOG, orient="row")


def audits_by_month(here: Here) -> list[tuple[str, str, int, int, int, int, int]]:
    """Return, newest month first, the vendor's drivers that either of us named: month, driver in words, agree, differ, cannot tell, and who named it."""
    named = (pl.col("vendor_named") > 0) | (pl.col("we_named") > 0)
    found: pl.DataFrame = (
        here.read(pipeline.agreement, monthly=True).filter(named).sort("month", descending=True, maintain_order=True)
    )
    return [(month, driver.replace("_", " "), *counts) for month, driver, *counts in found.iter_rows()]
