"""CASES in, what an explainable boosting machine says that was taught labels the product never gets out: the strongest peer."""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl

from analysis.errors import UsageError
from analysis.evaluate.simple import SIGNALS

LABELLED = "boosting with labels"
_FOLDS = 5
_LEAST = 40


def boosted(cases: pl.DataFrame) -> pl.DataFrame:
    """Return the cases with a column LABELLED: cross-fitted by line, on the z-scores of the simple methods.

    Raises:
        UsageError: the extra is not installed.
    """
    try:
        from interpret.glassbox import ExplainableBoostingClassifier
    except ImportError:
        raise UsageError(
            "the labelled peer needs the extra `evaluate`",
            where="evaluate",
            fix="pip install -e '.[evaluate]', or leave --labelled out",
        ) from None
    x, y = np.array(cases["z"].to_list(), dtype=float), cases["driver"].to_numpy().astype(str)
    line = cases.select(pl.struct("family", "scorer", "seed", "line").rank("dense")).to_series().to_numpy()
    said = np.full(len(y), "unexplained", dtype=object)
    names = [*SIGNALS, "flagged"]
    for fold in range(_FOLDS):
        held = line % _FOLDS == fold
        known = np.unique(y[~held])
        if held.all() or len(known) < 2 or (~held).sum() < _LEAST:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            machine = ExplainableBoostingClassifier(
                feature_names=names, interactions=0, outer_bags=2, max_rounds=400, n_jobs=1, random_state=7
            )
            machine.fit(np.clip(x[~held], -5, 50), y[~held])
            said[held] = machine.predict(np.clip(x[held], -5, 50))
    return cases.with_columns(pl.Series(LABELLED, said.astype(str), dtype=pl.String))
