"""Spells of trouble in, one picture out: how long each took to pass, by its main cause."""

from __future__ import annotations

import polars as pl

from analysis.charts.spec import TITLED_AXIS, Spec, data, document, field
from analysis.charts.theme import Theme, palette

TROUBLES = pl.Schema(
    {
        "cause": pl.String,
        "days": pl.Float64,
        "worst": pl.String,
        "median": pl.Float64,
        "link": pl.String,
        "tip": pl.String,
    }
)
"""One row a spell of trouble that is over: from the fall to the return to healthy, in days; the median of its cause, null for few."""


def recoveries(troubles: pl.DataFrame, *, order: list[str], theme: Theme = "light") -> Spec:
    """Return a row of marks a cause, one for each spell of trouble by the days it took: shape and colour by its worst health, a tick at the median.

    Args:
        troubles: TROUBLES.
        order: causes, first on top.
        theme: "light" or "dark".
    """
    p = palette(theme)
    y = field(
        "cause",
        "nominal",
        sort=order,
        title=None,
        axis={"domain": False, "ticks": False, "labelColor": p.ink, "labelLimit": 200, "grid": False},
    )
    x = field(
        "days",
        scale={"zero": True, "nice": True},
        axis={"title": "days from the fall to healthy again", "tickCount": 6, "grid": True},
    )
    by_worst = {"domain": ["AT_RISK", "CRITICAL"]}
    layers = [
        {
            "mark": {"type": "tick", "thickness": 2, "size": 22, "color": p.ink},
            "encoding": {"x": {**x, "field": "median", "aggregate": "min"}, "y": y},
        },
        {
            "mark": {
                "type": "point",
                "filled": True,
                "size": 70,
                "opacity": 0.75,
                "stroke": p.surface,
                "strokeWidth": 1,
            },
            "encoding": {
                "x": x,
                "y": y,
                "shape": field(
                    "worst", "nominal", scale={**by_worst, "range": ["triangle-up", "diamond"]}, legend=None
                ),
                "color": field("worst", "nominal", scale={**by_worst, "range": [p.at_risk, p.critical]}, legend=None),
                "tooltip": [field("tip", "nominal", title="Spell")],
            },
        },
    ]
    body = {"data": data("troubles"), "layer": layers, "height": 26 * max(1, len(order)) + TITLED_AXIS}
    return document(body, {"troubles": troubles}, theme, padding=(0, 10, 4, 2))
