"""Figures in, tables of plain text out: what `linehealth evaluate` prints."""

from __future__ import annotations

from typing import Any


def _share(of: dict[str, Any]) -> str:
    if of["value"] is None:
        return "–"
    return f"{of['value']:.2f} [{of['low']:.2f}, {of['high']:.2f}]"


def _points(of: dict[str, Any]) -> str:
    return "–" if of["value"] is None else f"{of['value']:+.2f} [{of['low']:+.2f}, {of['high']:+.2f}]"


def as_text(told: dict[str, Any], *, causes: bool = False) -> str:
    """Return every scorer's tables, and the worst of each figure.

    Args:
        told: of ``run.evaluated``.
        causes: also per planted cause and per line type.
    """
    parts = []
    for name, f in told["scorers"].items():
        parts.append(f"{name}: {f['n']} worsenings, {f['planted']} of them with a planted cause")
        parts.append(
            f"  {'':22}{'right':24}{'of planted':24}{'macro over drivers':24}{'ours ahead by, paired':24}{'of planted'}"
        )
        for method, m in f["methods"].items():
            ahead = "".join(f"{_points(f[k][method]):24}" for k in ("paired", "paired_planted") if method in f[k])
            parts.append(
                f"  {method:22}{_share(m['right']):24}{_share(m['planted']):24}{_share(m['macro']):24}{ahead}".rstrip()
            )
        ours = next(iter(f["methods"].values()))
        parts.append(
            f"  causes of similar size allowed {_share(ours['lenient'])}; by the vendor's keys {_share(ours['vendor_key'])}; among the first three {_share(f['top3'])}"
        )
        onset = f["onset"]
        parts.append(
            f"  onset within 6 h {_share(onset['within_6h'])} of {onset['within_6h']['n']}, within 24 h {_share(onset['within_24h'])}; "
            f"median {_hours(onset['median_h'])}, where the driver is right {_hours(onset['median_h_where_right'])}"
        )
        parts.append(
            f"  stated confidence {f['mean_confidence']:.2f} on average, calibration error {f['calibration_error']:.3f}"
        )
        drivers = ", ".join(
            f"{d} {m[next(iter(m))]['value']:.2f} of {m[next(iter(m))]['n']}" for d, m in f["drivers"].items()
        )
        parts.append(f"  per driver: {drivers}")
        if causes:
            for column in ("causes", "line_types"):
                parts.append(
                    f"  per {column[:-1].replace('_', ' ')}: "
                    + ", ".join(f"{c} {v['value']:.2f} of {v['n']}" for c, v in f[column].items())
                )
        parts.append("")
    worst = told["worst"]
    parts.append(
        "worst scorer of each: "
        + ", ".join(f"{k.replace('_', ' ')} {v:.2f}" for k, v in worst.items() if v is not None)
    )
    return "\n".join(parts)


def _hours(value: float | None) -> str:
    return "none" if value is None else f"{value:.1f} h"


def fit_text(fit: dict[str, Any]) -> str:
    """Return a fit as a table: every constant now and fitted."""
    rows = [f"fitted on {fit['n']} worsenings; log loss {fit['loss_now']} now, {fit['loss']} fitted"]
    rows += [f"  on {family}, with constants fitted on the others: {loss}" for family, loss in fit["crossed"].items()]
    rows += [f"  {name:22}{fit['now'][name]:>8} -> {value}" for name, value in fit["constants"].items()]
    return "\n".join(rows)
