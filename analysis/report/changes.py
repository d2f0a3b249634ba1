"""A state and a period in; what changed since the last report out: each line once, as new, worse, solved, better, or fallen and recovered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from analysis import pipeline
from analysis.pages import _words as words
from analysis.report.asof import AsOf
from analysis.report.period import Period
from analysis.schema import SEVERITY, Explanation

GROUPS = {
    "new": ("New", "well at the last report, not now"),
    "worse": ("Worse", "in trouble then, in worse now"),
    "solved": ("Solved", "in trouble then, well now"),
    "better": ("Better, not yet well", "in less trouble than then"),
    "passed": ("Fell and recovered", "well then and now"),
    "same": ("Fell again, as bad as then", "in the same trouble then and now"),
}
"""Each group: its heading and what it means, in the order in which it is told."""
ALWAYS = ("new", "worse", "solved")
"""Groups that are told even where nobody is in them."""
Level = tuple[int, int]


@dataclass(frozen=True)
class Change:
    """What became of one line in the period: its states at both ends, and the explained change that tells why."""

    line: str
    group: str
    before: str | None
    now: str | None
    why: Explanation
    others: list[Explanation]
    """Further changes of the line in the period, oldest first."""


def changes(state: AsOf, period: Period) -> list[Change]:
    """Return the lines with a change of health or status in the period, by group, in each the worst first."""
    then, now = _levels(state, period.start), _levels(state, period.end)
    own = words.by_line(e for e in state.explanations() if words.instant(e.at) >= period.start)
    found = []
    for line, told in own.items():
        before, after = then.get(line, ((0, 0), None)), now.get(line, ((0, 0), None))
        group = _group(before[0], after[0], told)
        why = _why(group, told)
        found.append(Change(line, group, before[1], after[1], why, [e for e in told if e is not why]))
    order = list(GROUPS)
    return sorted(found, key=lambda c: (order.index(c.group), -SEVERITY.get(c.now or "", 0), c.why.at, c.line))


def _levels(state: AsOf, at: datetime) -> dict[str, tuple[Level, str | None]]:
    """Return for each line how bad it stood at an instant (flag, health), and the state to show."""
    found: dict[str, dict[str, str]] = {}
    for line, kind, word in state.standing(at).select("line", "kind", "state").iter_rows():
        found.setdefault(line, {})[kind] = word
    told = {}
    for line, of in found.items():
        health, flagged = of.get("health"), of.get("status") == "FLAGGED"
        level = (SEVERITY.get(health or "", 0), int(flagged))
        told[line] = (level, "FLAGGED" if flagged and not level[0] else health)
    return told


def _group(then: Level, now: Level, told: list[Explanation]) -> str:
    if not any(now):
        return "solved" if any(then) else "passed"
    if not any(then):
        return "new"
    if now == then:
        return "same" if any(words.worsened(e) for e in told) else "better"
    return "worse" if now > then else "better"


def _why(group: str, told: list[Explanation]) -> Explanation:
    """Return the change that tells why: the last for the worse, but the last for the better of a line that is better off."""
    up = group not in ("solved", "better")
    return next((e for e in reversed(told) if words.worsened(e) == up), told[-1])


FIGURES = ("outbound", "mature", "replied", "failed", "new_conversations")


def figures(state: AsOf, period: Period) -> tuple[dict[str, int], dict[str, int]]:
    """Return the fleet's counts in the period and in the one before it: sums of SIGNALS_HOUR over whole hours."""
    hours: pl.DataFrame = state.read(pipeline.signals, grain="hour", since=period.before, until=period.end)

    def total(start: datetime, end: datetime) -> dict[str, int]:
        own = hours.filter(pl.col("hour") >= start, pl.col("hour") < end)
        return {name: int(own[name].sum()) for name in FIGURES}

    return total(period.start, period.end), total(period.before, period.start)
