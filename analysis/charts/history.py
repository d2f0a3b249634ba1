"""Times to healthy in, one picture out: the share of lines healthy again by day, with its band, from each state."""

from __future__ import annotations

import polars as pl

from analysis.charts.spec import Spec, data, document, field, haloed
from analysis.charts.theme import Theme, palette

HEALING = pl.Schema(
    {
        "state": pl.String,  # "At risk", "Critical"
        "day": pl.Float64,
        "healthy": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "tip": pl.String,
    }
)
"""One row a step of a curve, key (state, day)."""


def healing(rows: pl.DataFrame, *, most_days: float, theme: Theme = "light") -> Spec:
    """Return steps of the share healthy again since the fall, each on its 95 % band, named at their end.

    Args:
        rows: HEALING, in order of state and day.
        most_days: days drawn.
        theme: "light" or "dark".
    """
    p = palette(theme)
    shown = rows.filter(pl.col("day") <= most_days)
    ends = shown.group_by("state", maintain_order=True).last()
    states = {"At risk": (p.at_risk, [1, 0]), "Critical": (p.critical, [6, 3])}
    here = [s for s in states if s in set(shown["state"])]
    colour = field("state", "nominal", scale={"domain": here, "range": [states[s][0] for s in here]}, legend=None)
    dash = field("state", "nominal", scale={"domain": here, "range": [states[s][1] for s in here]}, legend=None)
    x = field(
        "day",
        scale={"domain": [0, most_days], "nice": False},
        axis={"title": "days since the fall", "tickMinStep": 1, "grid": False},
    )
    scale = {"domain": [0, 1]}
    y = field("healthy", scale=scale, axis={"title": "healthy again", "format": ".0%", "tickCount": 5, "grid": True})
    tip = {"tooltip": [field("tip", "nominal", title="Lines")]}
    labels = [
        {
            "data": data("ends"),
            "transform": [{"filter": {"field": "state", "equal": state}}],
            "mark": {"type": "text", "align": "right", "dx": -4, "dy": above, "fontWeight": 600},
            "encoding": {"x": x, "y": y, "text": field("state", "nominal"), "color": colour},
        }
        for state, above in (("At risk", -9), ("Critical", 13))  # the two often end side by side
    ]
    layers = [
        {
            "data": data("curve"),
            "mark": {"type": "area", "interpolate": "step-after", "opacity": 0.16, "clip": True},
            "encoding": {"x": x, "y": field("low", scale=scale), "y2": {"field": "high"}, "color": colour},
        },
        {
            "data": data("curve"),
            "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2, "clip": True},
            "encoding": {"x": x, "y": y, "color": colour, "strokeDash": dash},
        },
        {
            "data": data("curve"),
            "mark": {"type": "point", "filled": True, "size": 90, "opacity": 0, "clip": True},
            "encoding": {"x": x, "y": y, "color": colour, **tip},
        },
        *(part for label in labels for part in haloed(label, p.surface)),
    ]
    return document({"layer": layers, "height": 240}, {"curve": shown, "ends": ends}, theme, padding=(0, 8, 12, 2))
