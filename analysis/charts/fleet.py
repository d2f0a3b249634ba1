"""States of every line and counts of causes in; the fleet's two pictures out: a ribbon a line, and a bar a cause."""

from __future__ import annotations

import polars as pl

from analysis.charts.spec import TIME_AXIS, Spec, data, document, field, time_axis, time_x
from analysis.charts.theme import HEIGHTS, Theme, health_fill, palette

RIBBONS = pl.Schema(
    {"label": pl.String, "t0": pl.Float64, "t1": pl.Float64, "state": pl.String, "link": pl.String, "tip": pl.String}
)
"""Spells clipped to the window, in the order of the rows to draw, key (label, t0); link is null where nothing explains it."""
CODES = pl.Schema({"label": pl.String, "t": pl.Float64, "code": pl.String, "link": pl.String, "tip": pl.String})
"""The main cause of each worsening, key (label, t)."""
CAUSES = pl.Schema({"label": pl.String, "falls": pl.Int64, "known": pl.Boolean})
"""Falls by main cause, most first, key label."""
ROW, LETTERS = 19, 20


def ribbons(
    spells: pl.DataFrame,
    codes: pl.DataFrame,
    no_data: pl.DataFrame,
    *,
    order: list[str],
    window: tuple[float, float],
    theme: Theme = "light",
) -> Spec:
    """Return a ribbon a line: thin while healthy, thicker at risk, full when critical, with the cause at each worsening.

    Args:
        spells: RIBBONS.
        codes: CODES.
        no_data: SILENCES (charts.quality) of the rows: open boxes over the ribbon.
        order: labels of the rows from the top.
        window: first and last moment drawn, in ms.
        theme: "light" or "dark".
    """
    p = palette(theme)
    y = field(
        "label",
        "nominal",
        sort=order,
        title=None,
        axis={"domain": False, "ticks": False, "labelPadding": 8, "labelColor": p.mut, "grid": False},
    )
    axis = time_axis(*window, orient="top") | {"domain": False}
    time = lambda name: _beside_letters(time_x(name, *window, axis=axis))  # noqa: E731 - a fresh dict for every layer
    layers: list[Spec] = []
    present = set(spells["state"])
    for state in (s for s in (*HEIGHTS, None) if s in present):
        test = f"datum.state === '{state}'" if state else "!isValid(datum.state)"
        height = max(4.0, 14 * HEIGHTS.get(state or "", 0.1) if state != "HEALTHY" else 4)
        layers.append(
            {
                "data": data("spells"),
                "transform": [{"filter": test}],
                "mark": {
                    "type": "bar",
                    "height": height,
                    "color": health_fill(p, state) if state else p.sunk,
                    "clip": True,
                    "cornerRadius": 1,
                },
                "encoding": {
                    "x": time("t0"),
                    "x2": {"field": "t1"},
                    "y": y,
                    "tooltip": field("tip", "nominal"),
                },
            }
        )
    if no_data.height:  # a layer without a mark is a nameless picture to a reader
        layers.append(
            {
                "data": data("no_data"),
                "mark": {
                    "type": "bar",
                    "height": 13,
                    "fill": p.surface,
                    "stroke": p.faint,
                    "strokeWidth": 1,
                    "clip": True,
                },
                "encoding": {
                    "x": time("t0"),
                    "x2": {"field": "t1"},
                    "y": y,
                    "tooltip": field("tip", "nominal"),
                },
            }
        )
    layers.append(
        {
            "data": data("codes"),
            "mark": {"type": "text", "align": "right", "dx": -3, "fontSize": 10.5, "fontWeight": 700, "color": p.ink},
            "encoding": {
                "x": time("t"),
                "y": y,
                "text": field("code", "nominal"),
                "tooltip": field("tip", "nominal"),
            },
        }
    )
    layers.append(
        {  # wide unseen targets: thin marks are hard to hit
            "data": data("codes"),
            "params": [{"name": "pick", "select": {"type": "point", "fields": ["link"], "toggle": False}}],
            "mark": {"type": "square", "size": 320, "opacity": 0, "cursor": "pointer", "filled": True, "xOffset": 3},
            "encoding": {"x": time("t"), "y": y, "tooltip": field("tip", "nominal")},
        }
    )
    body = {"layer": layers, "height": ROW * max(1, len(order)) + TIME_AXIS}
    return document(body, {"spells": spells, "codes": codes, "no_data": no_data}, theme)


def _beside_letters(x: Spec) -> Spec:
    """Keep room at the left for the letters of a fall at the window's start: they would stand on the line's number."""
    return {**x, "scale": {**x["scale"], "range": [LETTERS, {"expr": "width"}]}}


def causes(counts: pl.DataFrame, *, theme: Theme = "light") -> Spec:
    """Return a bar for each main cause of a fall (CAUSES), most first; falls without a known cause are grey, never left out."""
    p = palette(theme)
    y = field(
        "label",
        "nominal",
        sort=counts["label"].to_list(),
        title=None,
        axis={"domain": False, "ticks": False, "labelColor": p.ink, "labelLimit": 220, "grid": False},
    )
    x = field("falls", axis=None, scale={"zero": True, "nice": False})
    layers = [
        {
            "mark": {"type": "bar", "height": 16, "cornerRadiusEnd": 3},
            "encoding": {
                "x": x,
                "y": y,
                "color": {"condition": {"test": "datum.known", "value": p.accent}, "value": p.hatch},
                "tooltip": [field("label", "nominal", title="Main cause"), field("falls", title="Falls")],
            },
        },
        {
            "mark": {"type": "text", "align": "left", "dx": 6, "fontWeight": 600, "color": p.ink},
            "encoding": {"x": x, "y": y, "text": field("falls")},
        },
    ]
    body = {"data": data("causes"), "layer": layers, "height": 27 * max(1, counts.height)}
    return document(body, {"causes": counts}, theme, padding=(0, 22, 4, 2))
