"""Pressures before worsenings and in quiet times in, one weight per driver out: how strongly each has come before a worsening."""

from __future__ import annotations

import numpy as np

from analysis.explain.constants import CONSTANTS
from analysis.explain.running import Array

_STEPS = 25
_DIGITS = 2
"""To which weights are told: what one worsening more or less moves in later digits says nothing."""


def learned(worse: Array, quiet: Array) -> Array:
    """Return the weights of the drivers as this fleet's own worsenings teach them, or 1 for all where they teach nothing.

    Args:
        worse: log pressures at worsenings, one a row, in order of time.
        quiet: log pressures in quiet times, one a row.

    Returns:
        Fitted weights where there are at least ``weight_worsenings``, and where weights fitted on the first two thirds of them
        tell the last third from quiet times better than equal weights do. Otherwise 1: a fleet too small, or a vendor
        whose reasons do not show, keeps the fixed scale.
    """
    k, n = CONSTANTS, worse.shape[1]
    if len(worse) < k.weight_worsenings or not len(quiet):
        return np.ones(n)
    cut = 2 * len(worse) // 3
    tried, even = fitted(worse[:cut], quiet), np.ones(n)
    if _told(worse[cut:], quiet, tried) <= _told(worse[cut:], quiet, even):
        return even
    return np.round(fitted(worse, quiet), _DIGITS)


def fitted(worse: Array, quiet: Array) -> Array:
    """Return a weight per column by a logistic regression with a normal prior of mean 1 on every weight.

    Args:
        worse: log pressures at worsenings, one a row.
        quiet: log pressures in quiet times, one a row.

    Returns:
        Weights of at least ``weight_least``; near 1 where there are few: the prior counts as much as ``weight_prior`` says.
        Newton's method on a concave likelihood. Source: method sheet, 2.6.
    """
    k, n = CONSTANTS, worse.shape[1]
    x, y = _stacked(worse, quiet)
    prior = np.diag([1e-3, *[k.weight_prior] * n])
    mean = np.concatenate(([0.0], np.ones(n)))
    beta = mean.copy()
    beta[0] = np.log(len(worse) / len(quiet)) - 1
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        slope = x.T @ (y - p) - prior @ (beta - mean)
        step = np.linalg.solve((x.T * (p * (1 - p))) @ x + prior, slope)
        beta = beta + np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-6:
            break
    return np.maximum(beta[1:], k.weight_least)


def _stacked(worse: Array, quiet: Array) -> tuple[Array, Array]:
    x = np.hstack((np.ones((len(worse) + len(quiet), 1)), np.vstack((worse, quiet))))
    return x, np.concatenate((np.ones(len(worse)), np.zeros(len(quiet))))


def _told(worse: Array, quiet: Array, weights: Array) -> float:
    """Return the share of pairs (worsening, quiet time) in which the worsening has the larger weighted pressure."""
    a, b = worse @ weights, np.sort(quiet @ weights)
    below = (np.searchsorted(b, a, side="left") + np.searchsorted(b, a, side="right")) / 2
    return float(below.mean() / len(b))
