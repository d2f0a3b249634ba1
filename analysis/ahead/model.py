"""What was known at past hours and the changes that followed in; the chance of turning worse, with its uncertainty, out.

A logistic regression whose weights are drawn to a documented prior (``prior``): a fleet with few changes keeps the prior, one with many
teaches its own. The fit is a maximum a posteriori by scipy's trust-region Newton; the interval is Laplace's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from analysis.ahead.features import NAMES
from analysis.ahead.prior import PRIOR
from analysis.ahead.rows import Lines, instants, keys_of, next_after, times_of
from analysis.explain.constants import HOUR
from analysis.explain.words import milliseconds
from analysis.schema import INSTANT
from analysis.signals.grid import Bools, Ints

Array = np.ndarray[Any, Any]
FEATURES = tuple(NAMES)
TICK = ("line", "hour", "health", "known_days", *FEATURES)
"""The columns of HOURLY that a model learns from."""
HORIZONS = (24, 72)
"""Hours ahead (contract.md, section 8)."""
TICK_HOURS = 6
"""The past is looked at every so many hours; neighbouring ticks tell of the same changes, so each counts for its part of the horizon."""
PRECISION = 4.0
"""How strongly each weight is drawn to the prior: as by four changes (tried 1 to 40 on fleets kept apart, every scorer)."""
INTERCEPT_PRECISION = 0.5
"""The fleet's own rate of changes is learned sooner than what comes before them."""
HALF_LIFE_DAYS = 60.0
"""A change so long ago teaches half as much: a vendor's thresholds drift (method sheet, 4b)."""
YOUNG_DAYS = 7.0
"""Nothing is said of a line known for less: every chat looks new (contract.md, section 3, history_days)."""
LEAST_CHANGES = 3
"""With fewer worsenings the weights are the prior's in all but name (method sheet, 2.9)."""
_BLOCK, _CACHED = 256, 32
"""Rows of a block: times some 30 columns, under what OpenBLAS shares out; and blocks that fit into a core's cache."""
_DAY_OF_A_SECOND = 1 / 86_400
WITHIN = 1.2816
"""Standard deviations on either side that hold 80 %."""


@dataclass(frozen=True)
class Model:
    """The chance of turning worse within ``hours``: weights of an intercept and of FEATURES, and how sure they are."""

    hours: int
    weights: Array
    covariance: Array
    worsenings: int
    """Changes it learned from."""
    line_days: float
    """Line-days it learned from."""

    def logit(self, x: Array) -> Array:
        """Return the log odds for rows of FEATURES."""
        return np.asarray(self.weights[0] + x @ self.weights[1:])

    def chance(self, x: Array) -> Array:
        """Return the probability for rows of FEATURES."""
        return _sigmoid(self.logit(x))

    def interval(self, x: Array) -> tuple[Array, Array]:
        """Return the 80 % interval of the probability, by what the weights may be."""
        full = np.column_stack((np.ones(len(x)), x))
        sd = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", full, self.covariance, full), 0.0))
        z = self.logit(x)
        return _sigmoid(z - WITHIN * sd), _sigmoid(z + WITHIN * sd)

    def told(self) -> dict[str, float]:
        """Return the weights by name, to be shown."""
        return dict(zip(("intercept", *FEATURES), (round(float(w), 3) for w in self.weights), strict=True))


def _sigmoid(z: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -30, 30))))


def chances_of(x: Array, weights: Array) -> Array:
    """Return the probability for rows of FEATURES by each of many weights (a row each, intercept first): a column each."""
    return _sigmoid(weights[:, 0] + x @ weights[:, 1:].T)


def labelled(known: pl.DataFrame, transitions: pl.DataFrame) -> pl.DataFrame:
    """Return ticks from which health can get worse, each with its time and the next worsening of the line's health.

    Args:
        known: HOURLY or some of its columns, any hours.
        transitions: TRANSITIONS.

    Returns:
        The same with ``at`` (the end of the hour) and ``worse_at`` (null where none followed), in order of line and hour; ticks of critical
        or young lines left out.
    """
    lines = Lines.of(known)
    worse = lines.keys(transitions.filter(pl.col("kind") == "health", pl.col("worsening")), "at")
    ticks = known.filter(pl.col("health").fill_null("HEALTHY") != "CRITICAL", pl.col("known_days") >= YOUNG_DAYS)
    keys = keys_of(lines.numbers(ticks), times_of(ticks, "hour"))
    if not (keys[1:] > keys[:-1]).all():
        order = np.argsort(keys)
        ticks, keys = ticks[order], keys[order]
    at = (pl.col("hour") + timedelta(hours=1)).cast(INSTANT)
    return ticks.with_columns(at=at, worse_at=instants(next_after(worse, keys + HOUR)))


def matrix(ticks: pl.DataFrame) -> Array:
    """Return FEATURES as rows of numbers."""
    return ticks.select(FEATURES).to_numpy().reshape(-1, len(FEATURES))


def came(ticks: pl.DataFrame, hours: int) -> Array:
    """Return for each tick of ``labelled`` whether the line turned worse within so many hours."""
    inside = (pl.col("worse_at") - pl.col("at")) <= timedelta(hours=hours)
    return ticks.select(inside.fill_null(False)).to_series().to_numpy().astype(float)


@dataclass(frozen=True)
class Taught:
    """Ticks of ``labelled`` in arrays: what models learn from again and again."""

    rows: Array
    """1, for the intercept, and FEATURES."""
    at: Ints
    worse_at: Ints
    """Milliseconds since 1970; -1 where none followed."""
    line: Ints

    @classmethod
    def of(cls, ticks: pl.DataFrame) -> Taught:
        """Return the arrays of ticks, in their order."""
        rows = np.ones((ticks.height, 1 + len(FEATURES)))
        for place, name in enumerate(FEATURES, start=1):
            rows[:, place] = ticks[name].to_numpy()
        worse_at = times_of(ticks.select(pl.col("worse_at").fill_null(datetime(1970, 1, 1))), "worse_at")
        line = ticks["line"].rle_id().to_numpy().astype(np.int64)
        return cls(rows, times_of(ticks, "at"), np.where(worse_at > 0, worse_at, -1), line)

    def part(self, which: Bools) -> Taught:
        """Return some of the ticks."""
        return Taught(self.rows[which], self.at[which], self.worse_at[which], self.line[which])

    def until(self, at: datetime, *, hours: int) -> Bools:
        """Say of which ticks the horizon had ended by a time."""
        return self.at <= milliseconds(at) - hours * HOUR

    def came(self, hours: int) -> Bools:
        """Say of each tick whether the line turned worse within so many hours."""
        return (self.worse_at >= 0) & (self.worse_at - self.at <= hours * HOUR)

    def learned(self, at: datetime, hours: int, prior: dict[str, float] | None = None) -> Model:
        """See ``learned``."""
        past = self.until(at, hours=hours)
        age = (milliseconds(at) - self.at[past]) // 1000 * _DAY_OF_A_SECOND
        counts = TICK_HOURS / hours * 0.5 ** (age / HALF_LIFE_DAYS)
        known = past & (self.worse_at >= 0) & (self.worse_at <= milliseconds(at))
        told = keys_of(self.line[known], self.worse_at[known])  # ascending, as ticks are in order of line and time
        worsenings = len(told) and 1 + int(np.count_nonzero(told[1:] != told[:-1]))
        return _fitted(
            _Rows(self.rows, np.flatnonzero(past)),
            self.came(hours)[past].astype(float),
            counts,
            hours=hours,
            prior=prior or PRIOR[hours],
            worsenings=worsenings,
        )


def learned(ticks: pl.DataFrame, *, at: datetime, hours: int, prior: dict[str, float] | None = None) -> Model:
    """Learn from the ticks whose horizon had ended by ``at``.

    Args:
        ticks: of ``labelled``, every TICK_HOURS.
        at: UTC; changes later than this are not looked at.
        hours: the horizon.
        prior: weights to be drawn to, by feature and ``intercept``; PRIOR where None.
    """
    return Taught.of(ticks).learned(at, hours, prior)


class _Rows:
    """Rows of numbers in blocks so small that BLAS works on each on one core.

    It shares out anything larger to all cores, which takes up to 35 times as much processor time where other programs run too (measured on two
    cores), and makes the last digits depend on how many there are.
    """

    def __init__(self, rows: Array, which: Ints) -> None:
        self.count, width = len(which), rows.shape[1]
        blocks = -(-max(self.count, 1) // _BLOCK)
        padded = np.empty((blocks * _BLOCK, width))
        np.take(rows, which, axis=0, out=padded[: self.count], mode="clip")
        padded[self.count :] = 0
        self._blocks = padded.reshape(blocks, _BLOCK, width)

    def _spread(self, values: Array) -> Array:
        padded = np.zeros(len(self._blocks) * _BLOCK)
        padded[: self.count] = values
        return padded.reshape(len(self._blocks), 1, _BLOCK)

    def times(self, weights: Array) -> Array:
        """Return the sum of each row, its numbers times the weights."""
        return np.asarray((self._blocks @ weights).reshape(-1)[: self.count])

    def summed(self, values: Array) -> Array:
        """Return the sum of the rows, each times a value."""
        return np.asarray((self._spread(values) @ self._blocks).sum(axis=(0, 1)))

    def squared(self, values: Array) -> Array:
        """Return the sum of the products of each row with itself, each times a value; some blocks at once, so that they stay in the cache."""
        spread, (blocks, _, width) = self._spread(values).transpose(0, 2, 1), self._blocks.shape
        found, weighted = np.empty((blocks, width, width)), np.empty((_CACHED, _BLOCK, width))
        for first in range(0, blocks, _CACHED):
            some = slice(first, min(blocks, first + _CACHED))
            mine = weighted[: some.stop - first]
            np.multiply(self._blocks[some], spread[some], out=mine)
            np.matmul(mine.transpose(0, 2, 1), self._blocks[some], out=found[some])
        return np.asarray(found.sum(axis=0))


def fitted(
    x: Array,
    y: Array,
    counts: Array,
    *,
    hours: int,
    prior: dict[str, float],
    worsenings: int = 0,
    precision: float = PRECISION,
) -> Model:
    """Fit a logistic regression with a normal prior on every weight.

    Args:
        x: rows of FEATURES.
        y: 1 where the line turned worse, else 0.
        counts: how much each row counts.
        hours: the horizon.
        prior: mean of every weight, by feature, and ``intercept``.
        worsenings: changes behind the rows, to be told.
        precision: of every weight but the intercept's.
    """
    full = np.column_stack((np.ones(len(x)), x))
    rows = _Rows(full, np.arange(len(x)))
    return _fitted(rows, y, counts, hours=hours, prior=prior, worsenings=worsenings, precision=precision)


def _fitted(
    rows: _Rows,
    y: Array,
    counts: Array,
    *,
    hours: int,
    prior: dict[str, float],
    worsenings: int,
    precision: float = PRECISION,
) -> Model:
    from scipy.optimize import minimize  # when something is learned: importing it takes as long as a page

    mean = np.array([prior["intercept"], *(prior[name] for name in FEATURES)])
    strength = np.array([INTERCEPT_PRECISION, *[precision] * len(FEATURES)])
    kept: dict[str, Any] = {}

    def looked(weights: Array) -> dict[str, Any]:
        """Return what loss and curvature share where they are asked for the same weights in turn."""
        if kept.get("at") != weights.tobytes():
            z = rows.times(weights)
            kept.clear()
            kept.update(at=weights.tobytes(), z=z, p=_sigmoid(z))
        return kept

    def loss(weights: Array) -> tuple[float, Array]:
        z, p, off = looked(weights)["z"], looked(weights)["p"], weights - mean
        value = float((counts * (np.logaddexp(0, z) - y * z)).sum() + 0.5 * (strength * off**2).sum())
        return value, rows.summed(counts * (p - y)) + strength * off

    def curvature(weights: Array) -> Array:
        found = looked(weights)
        if "curvature" not in found:
            p = found["p"]
            found["curvature"] = np.asarray(rows.squared(counts * p * (1 - p)) + np.diag(strength))
        return np.asarray(found["curvature"])

    # the loss is convex and has a curvature: Newton's steps need 7 of these where L-BFGS needed 42 gradients, and end nearer
    told = minimize(loss, mean, jac=True, hess=curvature, method="trust-exact", options={"gtol": 1e-6, "maxiter": 200})
    weights = np.asarray(told.x)
    return Model(hours, weights, np.linalg.inv(curvature(weights)), worsenings, rows.count * TICK_HOURS / 24)
