"""Pressures before worsenings and in quiet times in, one weight per driver out: how strongly each has come before a worsening."""

from __future__ import annotations

import numpy as np

from analysis.explain.constants import CONSTANTS
from analysis.explain.history import Array

_STEPS = 25


def fitted(worse: Array, quiet: Array) -> Array:
    """Return a weight per column by a logistic regression with a normal prior of mean 1 on every weight.

    Args:
        worse: pressures at worsenings, one a row.
        quiet: pressures in quiet times, one a row.

    Returns:
        Weights of at least ``weight_least``; all 1 where either side is empty, and near 1 where there are few: the prior
        counts as much as ``weight_prior`` says. Newton's method on a concave likelihood. Source: method sheet, 2.6.
    """
    k, n = CONSTANTS, worse.shape[1]
    if not len(worse) or not len(quiet):
        return np.ones(n)
    x = np.hstack((np.ones((len(worse) + len(quiet), 1)), np.vstack((worse, quiet))))
    y = np.concatenate((np.ones(len(worse)), np.zeros(len(quiet))))
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
