"""The span of a line in, its episodes (bursts, reply collapses, failures) and the changes of health that follow them out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.simulate.rhythm import DAY, HOUR, MINUTE, SECOND

KINDS = ("burst", "ignored", "failures", "nagging", "blast", "flag", "nothing")
CHANCES = (0.27, 0.25, 0.14, 0.12, 0.1, 0.04, 0.08)
LASTS = {"burst": (2, 4), "ignored": (48, 120), "failures": (12, 48), "nagging": (72, 168), "blast": (0.6, 1.5), "flag": (18, 40), "nothing": (24, 48)}  # fmt: skip
"""Shortest and longest duration of an episode, hours."""
LAGS = {"burst": (3, 26), "ignored": (36, 100), "failures": (6, 36), "nagging": (48, 140), "blast": (2, 24), "flag": (0, 0.02), "nothing": (4, 30)}  # fmt: skip
"""From an episode's begin to the line's fall, hours."""
QUIET_DAYS = 10
"""Days at either end of the span in which no episode begins: a baseline before, a fall after."""
MOST = 3
UNPUNISHED = 1 / 6
"""Share of bursts and blasts that no fall follows, so that not every burst is a cause."""


@dataclass(frozen=True)
class Episode:
    """One stretch in which a line behaves otherwise, milliseconds."""

    kind: str
    start: int
    stop: int


@dataclass(frozen=True)
class Change:
    """One change of a line's health or status."""

    at: int
    previous_health: str
    new_health: str
    previous_status: str | None = None
    new_status: str | None = None


def episodes(rng: np.random.Generator, start: int, end: int) -> list[Episode]:
    """Return up to three episodes with at least eight days between their begins, in order of time; short spans have one or none."""
    room = (end - start) / DAY - 2 * QUIET_DAYS
    if room <= 0:
        return []
    count = min(int(rng.integers(1, MOST + 1)), max(1, int(room // 16)))
    slots = np.sort(rng.random(count)) * max(room - 8 * (count - 1), 1.0) + 8 * np.arange(count)
    planted = []
    for slot in slots:
        kind = str(rng.choice(KINDS, p=CHANCES))
        begins = start + int((QUIET_DAYS + int(slot)) * DAY) + int(rng.uniform(14, 19) * HOUR)
        planted.append(Episode(kind, begins, begins + int(rng.uniform(*LASTS[kind]) * HOUR)))
    return planted


def changes(rng: np.random.Generator, planted: list[Episode], end: int) -> list[Change]:
    """Return the falls and recoveries that follow; one burst or blast in six goes unpunished, and so does one while the line is down."""
    told: list[Change] = []
    for e in planted:
        if e.kind in ("burst", "blast") and rng.random() < UNPUNISHED:
            continue
        at = _second(e.start + int(rng.uniform(*LAGS[e.kind]) * HOUR))
        if told and at <= told[-1].at:
            continue
        worst = "AT_RISK"
        if e.kind == "flag":
            told.append(Change(at, "HEALTHY", "AT_RISK", "ACTIVE", "FLAGGED"))
        else:
            told.append(Change(at, "HEALTHY", "AT_RISK"))
            if rng.random() < 0.25:
                worst = "CRITICAL"
                at = _second(at + int(rng.uniform(8, 40) * HOUR))
                told.append(Change(at, "AT_RISK", worst))
        back = _second(max(at, e.stop) + int(rng.uniform(36, 130) * HOUR) + int(rng.uniform(0, 59) * MINUTE))
        flagged = ("FLAGGED", "ACTIVE") if e.kind == "flag" else (None, None)
        told.append(Change(back, worst, "HEALTHY", *flagged))
    return [c for c in told if c.at < end - HOUR]


def _second(at: int) -> int:
    return at - at % SECOND
