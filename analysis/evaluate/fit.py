"""CASES in, the constants of the shares that make the truth likeliest out: `linehealth evaluate --fit`."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from analysis.errors import UsageError
from analysis.explain.attribution import bounded
from analysis.explain.constants import CONSTANTS
from analysis.explain.quiet import SCALED

UNITS = {
    "engagement": "unit_engagement",
    "deliverability": "unit_deliverability",
    "new_conversations": "unit_new",
    "recipient_spread": "unit_spread",
    "send_pace": "unit_pace",
    "opt_outs": "unit_opt_outs",
    "repeated_content": "unit_repeated",
}
OTHERS = ("sharpness", "ordinary", "amount_power", "unit_seen")
_ORGANIC = 0.18
"""Share of worsenings without a cause that the fit is weighed to, on every scorer."""
_PULL = 0.002
"""How firmly constants are held at their present values, per unit of squared log."""


def _start() -> np.ndarray:
    values = [getattr(CONSTANTS, UNITS[d]) for d in SCALED] + [getattr(CONSTANTS, name) for name in OTHERS]
    return np.log(np.array(values, dtype=float))


def _logits(theta: np.ndarray, x: np.ndarray, amount: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Return the log of each driver's power of pressure, and 0 for unexplained (attribution.pressures in logs)."""
    n = len(SCALED)
    sharpness, ordinary, power, seen = np.exp(theta[n:])
    z = x / (np.exp(theta[:n]) + seen * reach)
    z = bounded(z)
    much = (np.maximum(amount, 0) + CONSTANTS.amount_floor) / (1 + CONSTANTS.amount_floor)
    pressure = np.log(np.maximum(z, 1e-6)) + power * np.log(much) - np.log(ordinary)
    return np.hstack((sharpness * pressure, np.zeros((len(x), 1))))


def fitted(cases: pl.DataFrame) -> dict[str, Any]:
    """Return the constants under which the true drivers are likeliest, with the fit's own check on the families left out.

    Args:
        cases: CASES of several families and scorers; flags are left out (they have no size).

    Returns:
        constants: name to value; loss before and after; crossed: per family, the loss on it of constants fitted on the others.
        Pairs of drivers that share a vendor key count as one.

    Raises:
        UsageError: no case to fit on.
    """
    from scipy.optimize import minimize  # when asked for: importing it takes as long as a page

    kept = cases.filter(
        pl.col("found").is_not_null(), ~pl.col("driver").is_in(["flagged"]), pl.col("ranked").list.first() != "flagged"
    )
    if kept.is_empty():
        raise UsageError("no worsening to fit on", where="evaluate", fix="ask for more lines or days")
    found, reach = np.array(kept["found"].to_list()), np.array(kept["reach"].to_list())
    x, amount = found[:, : len(SCALED)], found[:, len(SCALED) :]
    truth = np.zeros((len(x), len(SCALED) + 1))
    for row, driver in enumerate(kept["driver"]):
        same = ("recipient_spread", "send_pace") if driver in ("recipient_spread", "send_pace") else (driver,)
        for name in same:
            truth[row, SCALED.index(name) if name in SCALED else len(SCALED)] = 1.0
    weights = _weights(kept)
    start = _start()

    def loss(theta: np.ndarray, rows: np.ndarray) -> float:
        logits = _logits(theta, x[rows], amount[rows], reach[rows])
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        likely = np.log(np.maximum((p * truth[rows]).sum(axis=1), 1e-4))
        return float(-(weights[rows] @ likely) / weights[rows].sum())

    def best(rows: np.ndarray) -> np.ndarray:
        held = minimize(lambda t: loss(t, rows) + _PULL * float(((t - start) ** 2).sum()), start, method="L-BFGS-B")
        return np.asarray(held.x)

    every, family = np.arange(len(x)), kept["family"].to_numpy()
    theta, crossed = best(every), {}
    for name in np.unique(family) if len(np.unique(family)) > 1 else []:
        other = best(np.flatnonzero(family != name))
        crossed[str(name)] = round(loss(other, np.flatnonzero(family == name)), 4)
    values = np.exp(theta)
    names = [UNITS[d] for d in SCALED] + list(OTHERS)
    return {
        "constants": {name: round(float(v), 3) for name, v in zip(names, values, strict=True)},
        "now": {name: getattr(CONSTANTS, name) for name in names},
        "loss_now": round(loss(start, every), 4),
        "loss": round(loss(theta, every), 4),
        "crossed": crossed,
        "n": len(x),
    }


def _weights(cases: pl.DataFrame) -> np.ndarray:
    """Return a weight per case: every scorer counts the same, and within it the causeless count for a fixed share."""
    weights = np.zeros(cases.height)
    group = cases.select(pl.concat_str("family", "scorer")).to_series().to_numpy()
    organic = (cases["driver"] == "unexplained").to_numpy()
    for name in np.unique(group):
        for mask, share in ((organic, _ORGANIC), (~organic, 1 - _ORGANIC)):
            rows = (group == name) & mask
            weights[rows] = share / max(int(rows.sum()), 1)
    return weights
