"""Frames of a fleet in, what simple methods would name out: a fixed order, the last signal to cross, the largest z-score.

These are the peers of the product's explanations, so they get a fair chance: every signal of the last 24 hours is held against
the same 24 hours of each of the 28 days before (5 days apart), with the same time for replies to come.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from analysis.schema import DRIVERS
from analysis.simulate.frames import Frames

HOUR = 3_600_000
DAY = 24 * HOUR
_BACK, _GAP, _DAYS, _SIGMA, _FLAG = 4, 5, 28, 3.0, 48 * HOUR
SIGNALS = (
    "engagement",
    "deliverability",
    "new_conversations",
    "recipient_spread",
    "send_pace",
    "opt_outs",
)
"""Drivers with a signal of their own, in the order of contract.md: also the prior order."""
METHODS = ("prior order", "last to cross", "largest z-score")
_LEAST_SD = {
    "engagement": 0.03,
    "deliverability": 0.01,
    "new_conversations": 1.0,
    "recipient_spread": 2.0,
    "send_pace": 4.0,
    "opt_outs": 0.5,
}


@dataclass(frozen=True)
class _Line:
    """Instants of one line in ms, each kind in order of time."""

    sends: np.ndarray
    chat: np.ndarray  # of each send
    answer: np.ndarray  # first inbound after each send
    failed: np.ndarray  # when each send failed; far future where it did not
    openers: np.ndarray
    after_stop: np.ndarray
    flags: np.ndarray


_NEVER = 2**62


def _lines(frames: Frames) -> dict[str, _Line]:
    rows = frames.messages.select(
        "line",
        "chat_id",
        pl.col("at").cast(pl.Int64),
        out=pl.col("direction") == "outbound",
        failed=pl.when("failed").then(pl.coalesce("failed_at", "at").cast(pl.Int64)),
    ).sort("line", "chat_id", "at", pl.col("out").not_())
    rows = rows.with_columns(
        answer=pl.when(pl.col("out").not_()).then("at").backward_fill().over("line", "chat_id"),
        opener=pl.col("out") & (pl.int_range(pl.len()).over("line", "chat_id") == 0),
    )
    stops = frames.chat_health.select("chat_id", pl.col("at").cast(pl.Int64), gone=pl.col("health") == "OPTED_OUT")
    rows = rows.sort("at").join_asof(stops.sort("at"), on="at", by="chat_id", check_sortedness=False)
    flags = frames.changes.filter(
        pl.col("new_status") == "FLAGGED", pl.col("previous_status").ne_missing(pl.lit("FLAGGED"))
    ).select("line", pl.col("changed_at").cast(pl.Int64))
    found = {}
    for (line,), part in rows.filter("out").partition_by("line", as_dict=True).items():
        mine = part.sort("at")
        found[str(line)] = _Line(
            mine["at"].to_numpy(),
            mine["chat_id"].to_physical().rank("dense").to_numpy(),
            mine["answer"].fill_null(_NEVER).to_numpy(),
            mine["failed"].fill_null(_NEVER).to_numpy(),
            mine.filter("opener")["at"].to_numpy(),
            mine.filter(pl.col("gone").fill_null(False))["at"].to_numpy(),
            np.sort(flags.filter(pl.col("line") == line)["changed_at"].to_numpy()),
        )
    return found


def _day(line: _Line, t: int) -> np.ndarray:
    """Return the signals of the 24 hours up to t, as seen at t."""
    low, high = np.searchsorted(line.sends, (t - DAY, t), side="right")
    n = int(high - low)
    answered = int((line.answer[low:high] <= t).sum())
    failed = int((line.failed[low:high] <= t).sum())
    opened = np.searchsorted(line.openers, (t - DAY, t), side="right")
    gone = np.searchsorted(line.after_stop, (t - DAY, t), side="right")
    return np.array(
        [
            1 - answered / n if n >= 5 else np.nan,
            failed / n if n >= 5 else np.nan,
            opened[1] - opened[0],
            len(np.unique(line.chat[low:high])),
            n,
            gone[1] - gone[0],
        ],
        dtype=float,
    )


def _z(line: _Line, t: int) -> np.ndarray:
    """Return by how many deviations each signal of the last 24 hours is above the days before."""
    first = int(line.sends[0]) if len(line.sends) else t
    days = [t - k * DAY for k in range(_GAP, _GAP + _DAYS) if t - (k + 1) * DAY >= first]
    if len(days) < 3:
        return np.zeros(len(SIGNALS))
    before, now = np.array([_day(line, at) for at in days]), _day(line, t)
    known = ~np.isnan(before)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, before, 0).sum(axis=0) / count
    sd = np.sqrt((np.where(known, before - mean, 0) ** 2).sum(axis=0) / count)
    z = (now - mean) / np.maximum(sd, np.array([_LEAST_SD[s] for s in SIGNALS]))
    return np.where(np.isnan(z), 0.0, z)


def simple_guesses(frames: Frames, changes: pl.DataFrame) -> pl.DataFrame:
    """Return what each simple method names for every change, and the z-scores behind it.

    Args:
        frames: a fleet; nothing later than a change is used for it.
        changes: line, at (the changes to explain).

    Returns:
        line, at, one column per METHODS, and ``z`` (a list in the order of SIGNALS, then the flag); in the order given.
    """
    lines = _lines(frames)
    rows = []
    for line, at in changes.select("line", pl.col("at").cast(pl.Int64)).iter_rows():
        mine = lines.get(line)
        z = _z(mine, at) if mine is not None else np.zeros(len(SIGNALS))
        flagged = mine is not None and bool(((mine.flags > at - _FLAG) & (mine.flags <= at)).any())
        over = [s for s, value in zip(SIGNALS, z, strict=True) if value >= _SIGMA]
        largest = SIGNALS[int(np.argmax(z))] if over else "unexplained"
        last = _last_to_cross(mine, at) if mine is not None else "unexplained"
        prior = over[0] if over else "unexplained"
        guesses = ["flagged"] * 3 if flagged else [prior, last, largest]
        rows.append([*guesses, [*z.tolist(), float(flagged)]])
    schema = dict.fromkeys(METHODS, pl.String) | {"z": pl.List(pl.Float64)}
    told = pl.DataFrame(rows, schema=schema, orient="row")
    return changes.select("line", "at").with_columns(told)


def _last_to_cross(line: _Line, t: int) -> str:
    """Return the signal that crossed three deviations last, looking every six hours over four days."""
    above = np.array([_z(line, t - k * 6 * HOUR) >= _SIGMA for k in range(_BACK * 4, -1, -1)])
    best, name = -1, "unexplained"
    for i, signal in enumerate(SIGNALS):
        if not above[-1, i]:
            continue
        below = np.flatnonzero(~above[:, i])
        crossed = int(below[-1]) + 1 if len(below) else 0
        if crossed > best:
            best, name = crossed, signal
    return name


assert set(SIGNALS) < set(DRIVERS)
