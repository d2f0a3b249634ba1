"""CASES in, how often each method was right out, with intervals by drawing lines anew; never a share without its count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from analysis.evaluate.cases import OURS
from analysis.schema import VENDOR_DRIVERS

DRAWS = 400
_LEVELS = (0.025, 0.975)


@dataclass(frozen=True)
class Share:
    """A share with its count and a 95 % interval; null where nothing was counted."""

    value: float | None
    n: int
    low: float | None = None
    high: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as `evaluate --json` prints it."""
        return {"value": self.value, "n": self.n, "low": self.low, "high": self.high}


class Lines:
    """Lines drawn anew, the same draws for every figure of a set of cases: shares of paired methods differ by pairs."""

    def __init__(self, cases: pl.DataFrame, seed: int = 0) -> None:
        keys = cases.select(pl.struct("family", "scorer", "seed", "line").rank("dense")).to_series().to_numpy() - 1
        self._line = keys.astype(np.int64)
        count = int(self._line.max()) + 1 if len(keys) else 0
        rng = np.random.default_rng(seed)
        self._weights = rng.multinomial(count, np.full(count, 1 / count), size=DRAWS) if count else np.zeros((DRAWS, 0))

    def share(self, values: np.ndarray, mask: np.ndarray | None = None) -> Share:
        """Return the mean of values (0/1, or differences) under a mask, with its interval."""
        mask = np.ones(len(values), dtype=bool) if mask is None else mask
        n = int(mask.sum())
        if not n:
            return Share(None, 0)
        weights = self._weights[:, self._line[mask]]
        weights = weights[weights.any(axis=1)]  # a draw without any of these lines says nothing of them
        means = (weights @ values[mask]) / weights.sum(axis=1)
        low, high = np.quantile(means, _LEVELS)
        return Share(round(float(values[mask].mean()), 4), n, round(float(low), 4), round(float(high), 4))

    def macro(self, values: np.ndarray, groups: np.ndarray) -> Share:
        """Return the mean over groups of the mean within each, with its interval."""
        names = np.unique(groups)
        if not len(names):
            return Share(None, 0)
        within = np.stack([groups == name for name in names])
        means = []
        for w in self._weights:
            of = w[self._line]
            sums, counts = within @ (of * values), within @ of
            means.append((sums / np.maximum(counts, 1e-9))[counts > 0].mean())
        value = float(np.mean([values[g].mean() for g in within]))
        low, high = np.quantile(means, _LEVELS)
        return Share(round(value, 4), len(values), round(float(low), 4), round(float(high), 4))


def right(cases: pl.DataFrame, method: str, *, lenient: bool = False, vendor: bool = False) -> np.ndarray:
    """Return 1 where a method named the true driver, else 0.

    Args:
        cases: CASES.
        method: one of its columns.
        lenient: a cause of similar size counts too.
        vendor: drivers that the vendor has one key for count as one.
    """
    keys = {d: VENDOR_DRIVERS[d] for d in ("recipient_spread", "send_pace")} if vendor else {}
    said = cases[method].replace(keys)
    found = (said == cases["driver"].replace(keys)).to_numpy()
    if lenient:
        found = (
            found
            | cases.select(pl.col("also_ok").list.contains(pl.col(method))).to_series().fill_null(False).to_numpy()
        )
    return found.astype(float)


def calibration_error(p: np.ndarray, hit: np.ndarray, bins: int = 10) -> float | None:
    """Return the expected calibration error: the mean distance of stated probability and share right, over ten bins of equal width."""
    if not len(p):
        return None
    place = np.minimum((p * bins).astype(int), bins - 1)
    parts = [(place == b) for b in range(bins) if (place == b).any()]
    return round(float(sum(abs(hit[m].mean() - p[m].mean()) * m.mean() for m in parts)), 4)


def figures(cases: pl.DataFrame, methods: tuple[str, ...]) -> dict[str, Any]:
    """Return every figure of a set of cases.

    Args:
        cases: CASES, not empty.
        methods: columns that hold a method's word; the first is ours.

    Returns:
        n, planted; methods: per method right (strict), planted, lenient, vendor_key, macro (over drivers); top3 (ours);
        per driver and per line type (ours, and the largest z-score); onset; calibration error and mean confidence;
        paired: ours minus each other method; paired_planted: the same over planted causes.
    """
    lines, planted = Lines(cases), cases["planted"].to_numpy()
    drivers = cases["driver"].to_numpy()
    hits = {m: right(cases, m) for m in methods}
    ours = hits[OURS]
    top3 = cases.select(pl.col("ranked").list.head(3).list.contains(pl.col("driver"))).to_series().to_numpy()
    dated = cases.select(
        has=pl.col("onset").is_not_null() & (pl.col("driver") != "unexplained"),
        error=pl.col("onset_error_h").abs().fill_null(float("inf")),
    )
    has, error = dated["has"].to_numpy(), dated["error"].to_numpy()
    seen = error[has & (ours > 0)]
    return {
        "n": cases.height,
        "planted": int(planted.sum()),
        "methods": {
            m: {
                "right": lines.share(hit).as_json(),
                "planted": lines.share(hit, planted).as_json(),
                "lenient": lines.share(right(cases, m, lenient=True)).as_json(),
                "vendor_key": lines.share(right(cases, m, vendor=True)).as_json(),
                "macro": lines.macro(hit, drivers).as_json(),
            }
            for m, hit in hits.items()
        },
        "paired": {m: lines.share(ours - hit).as_json() for m, hit in hits.items() if m != OURS},
        "paired_planted": {m: lines.share(ours - hit, planted).as_json() for m, hit in hits.items() if m != OURS},
        "top3": lines.share(top3.astype(float)).as_json(),
        "drivers": {str(d): {m: lines.share(hit, drivers == d).as_json() for m, hit in hits.items()} for d in np.unique(drivers)},
        "causes": _by(cases, "cause", lines, ours, error, has),
        "line_types": _by(cases, "line_type", lines, ours, error, has),
        "onset": {
            "within_6h": lines.share((error <= 6).astype(float), has).as_json(),
            "within_24h": lines.share((error <= 24).astype(float), has).as_json(),
            "median_h": _median(error[has]),
            "median_h_where_right": _median(seen),
        },
        "calibration_error": calibration_error(cases["confidence_p"].to_numpy(), ours),
        "mean_confidence": round(float(cases["confidence_p"].mean()), 4),  # type: ignore[arg-type]
    }  # fmt: skip


def _by(
    cases: pl.DataFrame, column: str, lines: Lines, ours: np.ndarray, error: np.ndarray, has: np.ndarray
) -> dict[str, Any]:
    of = cases[column].to_numpy()
    return {
        str(name): {
            **lines.share(ours, of == name).as_json(),
            "onset_median_h": _median(error[has & (of == name) & (ours > 0)]),
        }
        for name in np.unique(of)
    }


def _median(errors: np.ndarray) -> float | None:
    value = float(np.median(errors)) if len(errors) else float("inf")
    return round(value, 2) if np.isfinite(value) else None
