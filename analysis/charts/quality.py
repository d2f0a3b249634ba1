"""Gaps in the deliveries in; one picture of the whole period out: a row for the fleet and each line that has one."""

from __future__ import annotations

import polars as pl

from analysis.charts.spec import Spec, data, document, field, time_axis, time_x
from analysis.charts.theme import Theme, palette

SILENCES = pl.Schema({"label": pl.String, "t0": pl.Float64, "t1": pl.Float64, "tip": pl.String})
"""Gaps clipped to the window, in ms, in the order of the rows to draw, key (label, t0)."""
ROW, AXIS = 24, 24
LEAST_WIDTH = 3
"""Pixels: a gap of an hour in three months is thinner than a pixel, and must be seen all the same."""


def silences(rows: pl.DataFrame, *, order: list[str], window: tuple[float, float], theme: Theme = "light") -> Spec:
    """Return a row for each label with its gaps as blocks on the line of its time.

    Args:
        rows: SILENCES.
        order: labels from the top.
        window: first and last moment of the data, in ms.
        theme: "light" or "dark".
    """
    p = palette(theme)
    y = field(
        "label",
        "nominal",
        sort=order,
        title=None,
        axis={"domain": False, "ticks": False, "labelPadding": 8, "labelColor": p.ink, "grid": False},
    )
    x = time_x("t0", *window, axis=time_axis(*window))
    lines: Spec = {
        "data": {"values": [{"label": name} for name in order]},
        "mark": {"type": "rule", "color": p.band, "strokeWidth": 4},
        "encoding": {"y": y, "x": {"value": 0}, "x2": {"value": "width"}},
    }
    tip = field("tip", "nominal")
    blocks: Spec = {
        "data": data("gaps"),
        "mark": {"type": "bar", "height": 14, "color": p.ink, "clip": True},
        "encoding": {"x": x, "x2": {"field": "t1"}, "y": y, "tooltip": tip},
    }
    least: Spec = {
        "data": data("gaps"),
        "mark": {"type": "tick", "thickness": LEAST_WIDTH, "size": 14, "color": p.ink, "clip": True},
        "encoding": {"x": x, "y": y, "tooltip": tip},
    }
    body = {"layer": [lines, blocks, least], "height": ROW * max(1, len(order)) + AXIS}
    return document(body, {"gaps": rows}, theme, padding=(2, 10, 4, 2))
