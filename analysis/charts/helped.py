"""Effects of actions in, one picture out: how far each moved what was measured, beyond what would have come without it."""

from __future__ import annotations

import polars as pl

from analysis.charts.spec import Spec, data, document, field
from analysis.charts.theme import Theme, palette

EFFECT_MARKS = pl.Schema(
    {
        "action": pl.String,
        "effect": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "sure": pl.Boolean,
        "tip": pl.String,
    }
)
"""One row an action: effect on replies in points (share) with its interval; sure: the interval leaves out none."""
ROW = 34


def effects(rows: pl.DataFrame, *, theme: Theme = "light") -> Spec:
    """Return a row an action, newest first: the effect on replies as a dot on its interval, beside no effect.

    Args:
        rows: EFFECT_MARKS, in the order to be drawn.
        theme: "light" or "dark".
    """
    p = palette(theme)
    y = field(
        "action", "nominal", sort=rows["action"].to_list(), title=None,
        axis={"domain": False, "ticks": False, "labelColor": p.ink, "labelLimit": 190, "grid": False},
    )  # fmt: skip
    most = max([0.1, *rows["low"].abs().to_list(), *rows["high"].abs().to_list()]) * 1.05
    x: Spec = {
        "scale": {"domain": [-most, most], "nice": False},
        "axis": {"labelExpr": "(datum.value > 0 ? '+' : datum.value < 0 ? '−' : '') + round(100 * abs(datum.value))", "tickCount": 5, "title": "points of replies"},
    }  # fmt: skip
    tip = {"tooltip": [field("tip", "nominal", title="Action")]}
    none = pl.DataFrame({"none": [0.0]})
    dot: Spec = {"type": "point", "size": 80, "color": p.accent, "opacity": 1, "strokeWidth": 1.8}
    layers = [
        {"data": data("none"), "mark": {"type": "rule", "color": p.mut, "strokeWidth": 1}, "encoding": {"x": field("none", **x)}},
        {
            "mark": {"type": "rule", "strokeWidth": 6, "color": p.accent, "opacity": 0.28, "strokeCap": "round"},
            "encoding": {"x": field("low", **x), "x2": {"field": "high"}, "y": y, **tip},
        },
        {
            "transform": [{"filter": "datum.sure"}],
            "mark": {**dot, "filled": True, "stroke": p.surface, "strokeWidth": 1.2},
            "encoding": {"x": field("effect", **x), "y": y, **tip},
        },
        {
            "transform": [{"filter": "!datum.sure"}],
            "mark": {**dot, "filled": True, "color": p.surface, "stroke": p.accent},
            "encoding": {"x": field("effect", **x), "y": y, **tip},
        },
    ]  # fmt: skip
    there = {True, False} & set(rows["sure"].to_list())
    if True not in there:  # a layer without a mark is a nameless picture to a reader
        del layers[2]
    if False not in there:
        del layers[-1]
    body = {"data": data("effects"), "layer": layers, "height": ROW * max(1, rows.height) + 46}
    return document(body, {"effects": rows, "none": none}, theme, padding=(0, 12, 4, 2))
