"""Days of every line and its falls in, slow-downs that nobody recorded out: a lasting step down in sends or openers after a fall."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from analysis.helped.grid import Array
from analysis.schema import ACTIONS

SEARCH_DAYS = 14
"""A step is looked for in so many days after a fall."""
BEFORE_DAYS = 28
"""Days before the fall and up to the step that say what the level was, with its weekdays."""
LEAST_BEFORE = 14
"""Fewer days before a fall say nothing of weekdays."""
AFTER_DAYS = 7
"""Days from the step on that say what the level is."""
LASTS_DAYS = 3
"""A step that lasts less is none."""
STEP = 1 / 3
"""A level shift of less than this part is none."""
PAUSED = 0.1
"""What is left of the level in a pause, at most."""
LEAST_LEVEL = 3.0
"""A day: a line that sent or opened less has no level to step down from."""
LIKELIHOOD = 8.0
"""Log likelihood of a step against none, allowing for how much days differ: about one false step in a hundred falls (tests/helped)."""


@dataclass(frozen=True)
class Step:
    """The likeliest step down of a series: its first day, its level (of the weekday-true level before), and its likelihood."""

    day: int
    left: float
    clearness: float


def step_of(counts: Array, fall: int) -> Step | None:
    """Return the likeliest lasting step down after a fall, or None.

    Counts are divided by the weekday's mean before the fall; a step from c on is weighed as one change of a Poisson mean, with its log
    likelihood divided by how much days differ more than by chance.

    Args:
        counts: a count a day, without holes.
        fall: the day of the fall, a place in counts.
    """
    low = max(0, fall - BEFORE_DAYS)
    past = counts[low:fall].astype(float)
    if len(past) < LEAST_BEFORE or past.mean() < LEAST_LEVEL:
        return None
    weekday = np.arange(len(counts)) % 7
    mean = past.mean()
    usual = np.array([past[weekday[low:fall] == d].mean() for d in range(7)])
    usual = (2 * usual + mean) / 3  # a weekday is seen two to four times only
    expected = np.maximum(usual[weekday], 0.2 * mean)
    wild = max(1.0, float(((past - expected[low:fall]) ** 2 / expected[low:fall]).mean()))
    best: Step | None = None
    for c in range(fall + 1, min(fall + SEARCH_DAYS, len(counts) - LASTS_DAYS) + 1):
        early = slice(max(low, c - SEARCH_DAYS), c)
        late = slice(c, min(c + AFTER_DAYS, len(counts)))
        a, b = counts[early].sum() / expected[early].sum(), counts[late].sum() / expected[late].sum()
        three = counts[c : c + LASTS_DAYS] <= (1 - STEP) * a * expected[c : c + LASTS_DAYS]
        if a <= 0 or b > (1 - STEP) * a or not three.all():
            continue
        whole = counts[early.start : late.stop].sum() / expected[early.start : late.stop].sum()
        gain = sum(
            counts[part].sum() * np.log(max(level, 1e-9) / whole) - (level - whole) * expected[part].sum()
            for part, level in ((early, a), (late, b))
        )
        clear = float(gain / wild)
        if best is None or clear > best.clearness:
            best = Step(c, float(b / a), clear)
    return best if best is not None and best.clearness >= LIKELIHOOD else None


def found_actions(
    days: pl.DataFrame, transitions: pl.DataFrame, recorded: pl.DataFrame, *, as_of: datetime, zone: ZoneInfo
) -> pl.DataFrame:
    """Return slow-downs and pauses after falls that nobody recorded: ACTIONS with source "found", key (line, at).

    Args:
        days: SIGNALS_DAY.
        transitions: TRANSITIONS.
        recorded: ACTIONS; a step within three days of a recorded action of its line (or of the fleet) is that action.
        as_of: the newest data; its own day is not whole yet and is left out.
        zone: in which days are cut.
    """
    falls = transitions.filter(pl.col("kind") == "health", "worsening").sort("line", "at")
    whole = days.filter(pl.col("day") < _local(as_of, zone).date())
    by_line = {key[0]: rows.sort("day") for key, rows in whole.partition_by("line", as_dict=True).items()}
    rows: dict[tuple[str, datetime], dict[str, object]] = {}
    for line, at in falls.select("line", "at").iter_rows():
        own = by_line.get(line)
        if own is None:
            continue
        first, at_day = own["day"][0], _local(at, zone).date()
        fall = (at_day - first).days
        if not 0 <= fall < own.height:
            continue
        steps = [step for name in ("outbound", "new_conversations") if (step := step_of(own[name].to_numpy(), fall))]
        if not steps:
            continue
        step = max(steps, key=lambda s: s.clearness)
        began = _midnight(first + timedelta(days=step.day), zone)
        if _known(recorded, line, began) or any(
            known == line and abs(day - began) < timedelta(days=LASTS_DAYS) for known, day in rows
        ):
            continue
        name = sha256(f"found|{line}|{began.isoformat()}".encode()).hexdigest()[:8]
        kind = "pause" if step.left <= PAUSED else "slower"
        rows[(line, began)] = {
            "action_id": name, "line": line, "at": began, "kind": kind, "label": None, "source": "found",
        }  # fmt: skip
    return pl.DataFrame(list(rows.values()), schema=ACTIONS).sort("at", "line", "kind")


def _local(at: datetime, zone: ZoneInfo) -> datetime:
    return at.replace(tzinfo=UTC).astimezone(zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant at which a day of the zone begins."""
    return datetime.combine(day, time(), zone).astimezone(UTC).replace(tzinfo=None)


def _known(recorded: pl.DataFrame, line: str, began: datetime) -> bool:
    near = timedelta(days=LASTS_DAYS)
    same = recorded.filter(
        (pl.col("line") == line) | pl.col("line").is_null(), pl.col("at").is_between(began - near, began + near)
    )
    return same.height > 0
