"""Forecasts in, pictures out: which lines are likeliest to turn worse, how often what was told came, and what a rule does to the past."""

from __future__ import annotations

import polars as pl

from analysis.charts.spec import Spec, data, document, field, time_axis, time_x
from analysis.charts.theme import Theme, palette

OUTLOOK = pl.Schema(
    {
        "line": pl.String,
        "day": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "three_days": pl.Float64,
        "link": pl.String,
        "tip": pl.String,
    }
)
"""One row a line: chance within 24 h with its 80 % interval, and within 72 h."""
RELIABILITY = pl.Schema({"told": pl.Float64, "came": pl.Float64, "n": pl.Float64, "tip": pl.String})
"""Forecasts of similar chance: mean chance told, share that came, and how many."""
REPLAYED = pl.Schema(
    {
        "t": pl.Float64,
        "to": pl.Float64,
        "p_before": pl.Float64,
        "p_after": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "tip": pl.String,
    }
)
"""One row an hour: the chance as it was and with a rule, and the 80 % band of the latter."""
_PERCENT = {"format": ".0%", "tickCount": 5, "grid": True}


def outlook(rows: pl.DataFrame, *, theme: Theme = "light") -> Spec:
    """Return a row a line, likeliest first: the chance within 24 h as a dot on its 80 % interval, within 72 h as a ring.

    Args:
        rows: OUTLOOK, in the order to be drawn.
        theme: "light" or "dark".
    """
    p = palette(theme)
    order = rows["line"].to_list()
    y = field(
        "line",
        "nominal",
        sort=order,
        title=None,
        axis={"domain": False, "ticks": False, "labelColor": p.ink, "labelLimit": 160, "grid": False},
    )
    x: Spec = {"scale": {"zero": True, "nice": True}, "axis": {**_PERCENT, "title": "chance of turning worse"}}
    tip = {"tooltip": [field("tip", "nominal", title="Line")]}
    layers = [
        {
            "mark": {"type": "rule", "strokeWidth": 6, "color": p.accent, "opacity": 0.28, "strokeCap": "round"},
            "encoding": {"x": field("low", **x), "x2": {"field": "high"}, "y": y, **tip},
        },
        {
            "mark": {"type": "point", "filled": False, "size": 80, "strokeWidth": 1.8, "color": p.accent},
            "encoding": {"x": field("three_days", **x), "y": y, **tip},
        },
        {
            "mark": {
                "type": "point",
                "filled": True,
                "size": 80,
                "color": p.accent,
                "opacity": 1,
                "stroke": p.surface,
                "strokeWidth": 1.2,
            },
            "encoding": {"x": field("day", **x), "y": y, **tip},
            "params": [{"name": "pick", "select": {"type": "point", "fields": ["link"]}}],
        },
    ]
    body = {"data": data("outlook"), "layer": layers, "height": 30 * max(1, rows.height)}
    return document(body, {"outlook": rows}, theme, padding=(0, 12, 4, 2))


def reliability(rows: pl.DataFrame, *, theme: Theme = "light") -> Spec:
    """Return how often what was told came: on the line it came as often as told.

    Args:
        rows: RELIABILITY.
        theme: "light" or "dark".
    """
    p = palette(theme)
    most = max([0.05, *rows["told"].to_list(), *rows["came"].to_list()])
    scale = {"domain": [0, most * 1.08], "nice": False}
    line = pl.DataFrame({"told": [0.0, most * 1.08], "came": [0.0, most * 1.08]})
    x = field("told", scale=scale, axis={**_PERCENT, "title": "chance told"})
    y = field("came", scale=scale, axis={**_PERCENT, "title": "share that turned worse"})
    layers = [
        {
            "data": data("diagonal"),
            "mark": {"type": "line", "color": p.thr, "strokeDash": [6, 3], "strokeWidth": 1.2},
            "encoding": {"x": x, "y": y},
        },
        {
            "data": data("bins"),
            "mark": {"type": "line", "color": p.accent, "strokeWidth": 1.8},
            "encoding": {"x": x, "y": y},
        },
        {
            "data": data("bins"),
            "mark": {
                "type": "point",
                "filled": True,
                "size": 70,
                "color": p.accent,
                "opacity": 1,
                "stroke": p.surface,
                "strokeWidth": 1.2,
            },
            "encoding": {"x": x, "y": y, "tooltip": [field("tip", "nominal", title="Forecasts")]},
        },
    ]
    return document({"layer": layers, "height": 240}, {"bins": rows, "diagonal": line}, theme, padding=(0, 8, 4, 2))


def replayed(
    rows: pl.DataFrame,
    *,
    window: tuple[float, float],
    threshold: float,
    moments: list[tuple[float, str]],
    theme: Theme = "light",
) -> Spec:
    """Return the chance hour by hour as it was (thin) and with a rule (thick, on the 80 % band of the change).

    Args:
        rows: REPLAYED.
        window: first and last moment drawn, in ms.
        threshold: the chance from which new conversations are held back, drawn dashed.
        moments: time and words of each upright rule: the end of the period, the fall.
        theme: "light" or "dark".
    """
    p = palette(theme)
    x = time_x("t", *window, axis=time_axis(*window))
    y: Spec = {"scale": {"domainMin": 0, "nice": True}, "axis": {**_PERCENT, "title": "chance within 24 h"}}
    tip = {"tooltip": field("tip", "nominal", title="Hour")}
    line = {"type": "line", "interpolate": "linear", "clip": True}
    layers: list[Spec] = [
        {
            "data": data("replayed"),
            "mark": {"type": "area", "color": p.accent, "opacity": 0.18, "clip": True},
            "encoding": {"x": x, "y": field("low", **y), "y2": {"field": "high"}},
        },
        {
            "data": data("replayed"),
            "mark": {**line, "color": p.mut, "strokeWidth": 1.3},
            "encoding": {"x": x, "y": field("p_before", **y)},
        },
        {
            "data": data("replayed"),
            "mark": {**line, "color": p.accent, "strokeWidth": 2.2},
            "encoding": {"x": x, "y": field("p_after", **y)},
        },
        {
            "data": data("replayed"),
            "mark": {"type": "rect", "opacity": 0, "clip": True},
            "encoding": {"x": x, "x2": {"field": "to"}, **tip},
        },
        {
            "data": {"values": [{"level": threshold}]},
            "mark": {"type": "rule", "color": p.thr, "strokeDash": [6, 3], "strokeWidth": 1.2},
            "encoding": {"y": field("level", **y)},
        },
    ]
    for n, (t, words) in enumerate(moments):
        one = {"values": [{"t": t}]}
        layers.append(
            {"data": one, "mark": {"type": "rule", "color": p.faint, "strokeWidth": 1.2}, "encoding": {"x": x}}
        )
        text = {
            "type": "text",
            "baseline": "bottom",
            "align": "right" if n == 0 else "left",
            "color": p.mut,
            "dx": -3 + 6 * n,
        }
        layers.append({"data": one, "mark": text, "encoding": {"x": x, "y": {"value": -3}, "text": {"value": words}}})
    body = {"layer": layers, "height": 260}
    return document(body, {"replayed": rows}, theme, padding=(0, 12, 22, 2))
