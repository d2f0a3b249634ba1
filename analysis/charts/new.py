"""Bursts, gaps between openers and hours of openers in; the three pictures of the page "New conversations" out."""

from __future__ import annotations

import polars as pl

from analysis.charts.spec import TITLED_AXIS, Spec, data, document, field, haloed, time_axis, time_x
from analysis.charts.theme import Theme, palette

BURSTS = pl.Schema(
    {
        "t": pl.Float64,
        "times": pl.Float64,
        "opened": pl.Float64,
        "followed": pl.String,  # a word of FOLLOWED
        "label": pl.String,  # words beside the mark, or empty
        "left": pl.Boolean,  # whether they stand left of it
        "tip": pl.String,
    }
)
"""Bursts of lines with a usual, key (t, times, tip)."""
BURST_GAPS = pl.Schema({"label": pl.String, "smallest": pl.Float64, "median": pl.Float64, "tip": pl.String})
"""Smallest and median gap between openers of a burst, in minutes, key label."""
CALENDAR = pl.Schema(
    {
        "day": pl.String,
        "t0": pl.Float64,
        "t1": pl.Float64,
        "hour": pl.Float64,
        "hour_end": pl.Float64,
        "level": pl.String,  # one of the levels given to ``calendar``
        "tip": pl.String,
    }
)
"""Openers by day and hour of the clock, key (day, hour)."""
MARKED_DAYS = pl.Schema({"t0": pl.Float64, "t1": pl.Float64, "chosen": pl.Boolean})
"""Days to outline: those in which a burst began, and the chosen one; key t0."""
NO_DATA = pl.Schema({"t0": pl.Float64, "t1": pl.Float64, "hour": pl.Float64, "hour_end": pl.Float64})
"""Hours in a gap of the deliveries, key (t0, hour)."""
FOLLOWED = ("No fall", "At risk", "Critical", "Other")
TICKS = (1, 2, 3, 4, 5, 7, 10, 20, 30, 50, 100, 200, 500, 1000)
GAP_TICKS = {0.1: "≤ 6 s", 0.5: "30 s", 1: "1 min", 5: "5 min", 15: "15 min", 60: "1 h", 240: "4 h", 1440: "1 day"}
LEAST_GAP = 0.1
"""Minutes: a log scale has no zero, so shorter gaps are drawn here."""
GAP_ROW = 24
WORDS_FROM = 480
"""Pixels: in a narrower picture words beside marks would touch other marks, so they are left out."""


def bursts(rows: pl.DataFrame, *, window: tuple[float, float], zone: str, theme: Theme = "light") -> Spec:
    """Return bursts as marks: start against times the usual day; shape by what followed, size by openers.

    Args:
        rows: BURSTS, at least one.
        window: first and last moment drawn, in ms.
        zone: the zone's short name, for the axis.
        theme: "light" or "dark".
    """
    p = palette(theme)
    low, high = 0.9 * float(rows["times"].min() or 1), 1.15 * float(rows["times"].max() or 1)  # type: ignore[arg-type]
    ticks = [t for t in TICKS if low <= t <= high]
    x = time_x("t", *window, axis={**time_axis(*window), "title": f"start of the burst, {zone}"})
    y = field(
        "times",
        scale={"type": "log", "domain": [low, high], "nice": False},
        axis={
            "title": "times the line's usual day (log scale)",
            "values": ticks,
            "labelExpr": "format(datum.value, ',') + ' ×'",
        },
    )
    look = {"domain": list(FOLLOWED)}
    marks = {
        "mark": {"type": "point", "strokeWidth": 1.8, "opacity": 1},
        "encoding": {
            "x": x,
            "y": y,
            "size": field("opened", scale={"type": "sqrt", "range": [60, 260]}, legend=None),
            "shape": field(
                "followed",
                "nominal",
                scale={**look, "range": ["circle", "triangle-up", "diamond", "square"]},
                legend=None,
            ),
            "fill": field(
                "followed",
                "nominal",
                scale={**look, "range": [p.surface, p.at_risk, p.critical, p.surface]},
                legend=None,
            ),
            "stroke": field(
                "followed",
                "nominal",
                scale={**look, "range": [p.healthy_text, p.at_risk, p.critical, p.faint]},
                legend=None,
            ),
            "tooltip": field("tip", "nominal"),
        },
    }
    named: list[Spec] = []
    shown = {"condition": {"test": f"width >= {WORDS_FROM}", "value": 1}, "value": 0}
    for side, align, away in (("!datum.left", "left", 12), ("datum.left", "right", -12)):
        text = {
            "transform": [{"filter": f"datum.label !== '' && {side}"}],
            "mark": {"type": "text", "align": align, "dx": away, "fontWeight": 600, "color": p.ink},
            "encoding": {"x": x, "y": y, "text": field("label", "nominal"), "opacity": shown},
        }
        named += haloed(text, p.surface)
    body = {"data": data("bursts"), "layer": [marks, *named], "height": 280}
    return document(body, {"bursts": rows}, theme, padding=(2, 6, 8, 2))


def burst_gaps(rows: pl.DataFrame, *, theme: Theme = "light") -> Spec:
    """Return a row a burst (BURST_GAPS, in the order given): its smallest gap as a tick, its median gap as a dot."""
    p = palette(theme)
    shown = rows.with_columns(pl.col("smallest", "median").clip(lower_bound=LEAST_GAP))
    low, high = 0.8 * float(shown["smallest"].min() or 1), 1.3 * float(shown["median"].max() or 1)  # type: ignore[arg-type]
    names = " : ".join(f"datum.value === {v} ? '{w}'" for v, w in GAP_TICKS.items())
    axis = {
        "title": "gap between openers (log scale)",
        "values": [v for v in GAP_TICKS if low <= v <= high],
        "labelExpr": f"{names} : datum.value",
        "grid": True,
        "domain": False,
        "labelOverlap": True,
        "labelSeparation": 8,
    }
    scale = {"type": "log", "domain": [low, high], "nice": False}
    y = field(
        "label",
        "nominal",
        sort=rows["label"].to_list(),
        title=None,
        axis={"ticks": False, "labelColor": p.ink, "labelLimit": 170, "grid": False},
    )
    tip = field("tip", "nominal")
    layers = [
        {
            "mark": {"type": "rule", "color": p.r3, "strokeWidth": 2},
            "encoding": {
                "x": field("smallest", scale=scale, axis=axis),
                "x2": {"field": "median"},
                "y": y,
                "tooltip": tip,
            },
        },
        {
            "mark": {"type": "tick", "color": p.accent, "thickness": 2, "size": 12},
            "encoding": {"x": field("smallest", scale=scale, axis=axis), "y": y, "tooltip": tip},
        },
        {
            "mark": {"type": "point", "filled": True, "color": p.accent, "size": 70, "opacity": 1},
            "encoding": {"x": field("median", scale=scale, axis=axis), "y": y, "tooltip": tip},
        },
    ]
    body = {"data": data("gaps"), "layer": layers, "height": GAP_ROW * max(1, rows.height) + TITLED_AXIS}
    return document(body, {"gaps": shown}, theme, padding=(2, 10, 4, 2))


def opener_calendar(
    cells: pl.DataFrame,
    days: pl.DataFrame,
    no_data: pl.DataFrame,
    *,
    levels: list[str],
    window: tuple[float, float],
    zone: str,
    theme: Theme = "light",
) -> Spec:
    """Return openers by day and hour, darker (on dark ground: lighter) for more; a click picks a day.

    Args:
        cells: CALENDAR.
        days: MARKED_DAYS.
        no_data: NO_DATA, struck through: nothing there is not the same as none opened.
        levels: words of the classes from none to most, five at most.
        window: first and last moment drawn, in ms.
        zone: the zone's short name, for the axis.
        theme: "light" or "dark".
    """
    p = palette(theme)
    x = time_x("t0", *window, axis=time_axis(*window) | {"labelOverlap": "greedy"})
    y = field(
        "hour",
        scale={"domain": [24, 0], "nice": False},
        axis={
            "title": f"hour of day, {zone}",
            "values": [0, 6, 12, 18, 24],
            "labelExpr": "(datum.value < 10 ? '0' : '') + datum.value + ':00'",
            "grid": False,
        },
    )
    steps = [p.sunk, p.r4, p.r3, p.r2, p.accent]
    boxes = {
        "data": data("cells"),
        "params": [{"name": "pick", "select": {"type": "point", "fields": ["day"], "toggle": False}}],
        "mark": {"type": "rect", "stroke": p.surface, "strokeWidth": 1, "cursor": "pointer"},
        "encoding": {
            "x": x,
            "x2": {"field": "t1"},
            "y": y,
            "y2": {"field": "hour_end"},
            "color": field(
                "level",
                "nominal",
                scale={"domain": levels, "range": steps[: len(levels)]},
                legend={"title": "openers an hour", "symbolType": "square", "symbolStrokeColor": p.hair},
            ),
            "tooltip": field("tip", "nominal"),
        },
    }
    outline = {
        "data": data("days"),
        "mark": {"type": "rect", "fill": None, "stroke": p.ink, "interactive": False},
        "encoding": {
            "x": x,
            "x2": {"field": "t1"},
            "y": {"value": 0},
            "y2": {"value": "height"},
            "strokeWidth": {"condition": {"test": "datum.chosen", "value": 3}, "value": 1.2},
        },
    }
    struck = {
        "data": data("no_data"),
        "mark": {"type": "rule", "color": p.mut, "strokeWidth": 1.2, "interactive": False},
        "encoding": {"x": x, "x2": {"field": "t1"}, "y": {**y, "field": "hour_end"}, "y2": {"field": "hour"}},
    }
    layers = [
        boxes,
        *([struck] if no_data.height else []),
        outline,
    ]  # a layer without a mark is a nameless picture to a reader
    body = {"layer": layers, "height": 250}
    return document(body, {"cells": cells, "days": days, "no_data": no_data}, theme, padding=(2, 6, 4, 2))
