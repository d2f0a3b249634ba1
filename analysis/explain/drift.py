"""Worsenings without pressure of their own, over the whole fleet, in; the time from which they came much oftener out."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from zoneinfo import ZoneInfo

import numpy as np

from analysis.explain.constants import CONSTANTS, DAY
from analysis.explain.words import count, day


@dataclass(frozen=True)
class ScoringChange:
    """Since when, and on how many lines of how many, worsenings without pressure of their own came oftener than before."""

    since: int
    lines: int
    of: int


def scoring_change(worsenings: list[tuple[int, str, float]], t: int, starts: dict[str, int]) -> ScoringChange | None:
    """Return the change that the vendor's scoring may have seen, as it shows at t; None where nothing stands out.

    Args:
        worsenings: (when, line, unexplained share) of all worsenings of the fleet; those after t are not read.
        t: ms.
        starts: first message of every line (ms).

    Returns:
        The start within the last ``drift_days`` that makes the distinct lines with an unexplained worsening since then most
        unlikely under the rate before it (Poisson); only where at least ``drift_lines`` lines and ``drift_share`` of the fleet
        are among them, at least ``drift_ratio`` times as many as expected. Own method: a change of scoring moves many lines
        at once, an organic change does not.
    """
    k = CONSTANTS
    told = sorted((at, line) for at, line, share in worsenings if at <= t and share >= k.drift_unexplained)
    active = [first for first in starts.values() if first <= t]
    if not active:
        return None
    best, found = k.drift_likelihood, None
    for since in sorted({at for at, _ in told if at >= t - k.drift_days * DAY}):
        lines = {line for at, line in told if at >= since}
        before = sum(at < since for at, _ in told)
        exposed = float(np.maximum(since - np.array(active), 0).sum()) / DAY
        rate = (before + 0.5) / (exposed + 30.0)
        expected = rate * len(active) * max((t - since) / DAY, 0.5)
        n = len(lines)
        if n < max(k.drift_lines, k.drift_share * len(active)) or n < k.drift_ratio * expected:
            continue
        score = n * log(n / expected) - (n - expected)
        if score > best:
            best, found = score, ScoringChange(since, n, len(active))
    return found


def scoring_changed(change: ScoringChange, zone: ZoneInfo) -> str:
    """Return the headline of a worsening that came with many others like it."""
    return (
        f"No cause in this line's own sends: {count(change.lines)} of {count(change.of)} lines worsened since {day(change.since, zone)} "
        "without pressure of their own. The vendor may have changed its scoring around then."
    )
