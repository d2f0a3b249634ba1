"""Two periods of every line in; two pictures out: where each line was and is, and change in volume against change in replies."""

from __future__ import annotations

import math

import polars as pl

from analysis.charts.panels import by_health, reference_level
from analysis.charts.spec import Spec, data, document, field, haloed
from analysis.charts.theme import Palette, Theme, palette

MOVES = pl.Schema(
    {
        "line": pl.String,
        "sends_before": pl.Float64,  # a day, above 0
        "rate_before": pl.Float64,
        "sends": pl.Float64,
        "rate": pl.Float64,
        "times": pl.Float64,  # sends over sends_before
        "points": pl.Float64,  # difference of the rates, in points
        "health": pl.String,  # now; null where unknown
        "fell": pl.Boolean,
        "sure": pl.Boolean,  # false: a difference that chance alone may make
        "label": pl.String,  # words beside the mark, or empty
        "tip": pl.String,
    }
)
"""One row a line with a rate in both periods, key line."""
HEIGHT = 360
QUADRANTS = (
    ("left", "top", ["no more volume,", "replies kept"]),
    ("right", "top", ["more volume,", "replies kept"]),
    ("left", "bottom", ["no more volume,", "fewer replies"]),
    ("right", "bottom", ["more volume,", "fewer replies"]),
)
LABEL_X, LABEL_Y = 0.12, 0.045
"""Room that a label takes, as parts of the plot's width (on a phone more) and height."""


def moves(
    frame: pl.DataFrame, *, reference: tuple[float, str] | None, window_hours: float, theme: Theme = "light"
) -> Spec:
    """Return sends a day against reply rate: a line from where it was to a mark where it is, heavy where replies fell.

    Args:
        frame: MOVES.
        reference: a published rate and its words.
        window_hours: the reply window, for the axis.
        theme: "light" or "dark".
    """
    p = palette(theme)
    volumes = [*frame["sends_before"], *frame["sends"]] or [1.0, 10.0]
    low, high = min(volumes) / 1.25, max(volumes) * 1.6
    top = min(1.0, max([*frame["rate_before"], *frame["rate"], 0.2]) + 0.06)
    scale = {"type": "log", "domain": [low, high], "nice": False}
    axis = {"title": "sends a day (log scale)", "values": _steps((1, 2, 5), low, high), "format": ",~g", "grid": False}
    x = field("sends", scale=scale, axis=axis)
    y = field(
        "rate",
        scale={"domain": [0, top], "nice": False},
        axis={"title": f"answered within {window_hours:g} h, % of sends", "format": "%", "tickCount": 5},
    )
    layers: list[Spec] = []
    if reference is not None:
        layers += reference_level(reference, y, p)
    for fell, colour, width in ((False, p.r3, 1.2), (True, p.accent, 2.2)):
        layers.append(
            {
                "transform": [{"filter": f"datum.fell === {str(fell).lower()}"}],
                "mark": {"type": "rule", "color": colour, "strokeWidth": width},
                "encoding": {
                    "x": {**x, "field": "sends_before"},
                    "y": {**y, "field": "rate_before"},
                    "x2": {"field": "sends"},
                    "y2": {"field": "rate"},
                    "tooltip": field("tip", "nominal"),
                },
            }
        )
    layers += _heads(x, y, p, name="pick_moves")
    layers += _labels(x, y, p)
    places = [(_along(sends, low, high), rate / top) for sends, rate in frame.select("sends", "rate").iter_rows()]
    return _whole(layers, _labelled(frame, places), theme)


def growth(frame: pl.DataFrame, *, grew: float, fell: float, theme: Theme = "light") -> Spec:
    """Return change in volume against change in reply rate, with four quadrants named in words.

    Args:
        frame: MOVES.
        grew: times the sends of before from which a line sends more.
        fell: points (below 0) from which it has fewer replies.
        theme: "light" or "dark".
    """
    p = palette(theme)
    most = max([2.2, *frame["times"], *(1 / frame["times"])]) * 1.25
    low, high = 1 / most, most
    bottom = min([-25.0, *frame["points"]]) - 10
    top = max([15.0, *frame["points"]]) + 10
    label = "format(datum.value, '~g') + '×'"
    x_axis = {
        "title": "sends, times before (log scale)",
        "values": _steps((1,), low, high, base=2),
        "labelExpr": label,
        "grid": False,
    }
    x = field("times", scale={"type": "log", "base": 2, "domain": [low, high], "nice": False}, axis=x_axis)
    signed = "datum.value > 0 ? '+' + datum.value : datum.value < 0 ? '\u2212' + (-datum.value) : '0'"
    y_axis = {"title": "change in replies, points", "labelExpr": signed, "tickCount": 6}
    y = field("points", scale={"domain": [bottom, top], "nice": False}, axis=y_axis)
    corner = {"values": [{"times": grew, "points": fell, "to": high, "down": bottom}]}
    ends = {"x2": {"field": "to"}, "y2": {"field": "down"}}
    layers: list[Spec] = [
        {"data": corner, "mark": {"type": "rect", "color": p.at_risk_ground}, "encoding": {"x": x, "y": y, **ends}},
        {"data": corner, "mark": {"type": "rule", "color": p.faint}, "encoding": {"x": x}},
        {"data": corner, "mark": {"type": "rule", "color": p.faint}, "encoding": {"y": y}},
    ]
    for side, edge, words in QUADRANTS:
        right, under = side == "right", edge == "bottom"
        mark = {
            "type": "text",
            "fontStyle": "italic",
            "color": p.mut,
            "lineHeight": 15,
            "align": side,
            "baseline": "top",
        }
        at = {
            "x": {"value": "width" if right else 0},
            "y": {"value": "height" if under else 0},
            "text": {"value": words},
        }
        layers.append(
            {"data": corner, "mark": {**mark, "dx": -6 if right else 6, "dy": -34 if under else 6}, "encoding": at}
        )
    layers += _heads(x, y, p, name="pick_growth", pale=True)
    layers += _labels(x, y, p)
    places = [
        (_along(times, low, high), (points - bottom) / (top - bottom))
        for times, points in frame.select("times", "points").iter_rows()
    ]
    return _whole(layers, _labelled(frame, places), theme)


def _whole(layers: list[Spec], frame: pl.DataFrame, theme: Theme) -> Spec:
    state = {"calculate": "isValid(datum.health) ? datum.health : 'unknown'", "as": "state"}
    body = {"data": data("lines"), "transform": [state], "layer": layers, "height": HEIGHT}
    return document(body, {"lines": frame}, theme, padding=(2, 6, 4, 2))


def _heads(x: Spec, y: Spec, p: Palette, *, name: str, pale: bool = False) -> list[Spec]:
    """Return a mark a line, shaped and coloured by health; a click hands its line to ``name``.

    ``pale``: fade the marks whose difference chance alone may make.
    """
    return [
        {
            "params": [{"name": name, "select": {"type": "point", "fields": ["line"], "toggle": False}}],
            "mark": {"type": "point", "size": 90, "strokeWidth": 1.8, "cursor": "pointer"},
            "encoding": {
                "x": x,
                "y": y,
                "shape": by_health(["circle", "triangle-up", "diamond", "square"]),
                "fill": by_health([p.surface, p.at_risk, p.critical, p.surface]),
                "stroke": by_health([p.healthy_text, p.at_risk, p.critical, p.faint]),
                "opacity": {"condition": {"test": "datum.sure", "value": 1}, "value": 0.5 if pale else 1},
                "tooltip": field("tip", "nominal"),
            },
        }
    ]


def _labels(x: Spec, y: Spec, p: Palette) -> list[Spec]:
    layers: list[Spec] = []
    for side, align, dx in (("right", "left", 9), ("left", "right", -9)):
        named = {
            "transform": [{"filter": f"datum.label !== '' && datum.side === '{side}'"}],
            "mark": {
                "type": "text",
                "align": align,
                "baseline": "middle",
                "dx": dx,
                "fontWeight": 600,
                "color": p.ink,
            },
            "encoding": {"x": x, "y": y, "text": field("label", "nominal")},
        }
        layers += haloed(named, p.surface)
    return layers


def _labelled(frame: pl.DataFrame, places: list[tuple[float, float]]) -> pl.DataFrame:
    """Return the frame with ``side``, where each label stands, and without the labels that have room on neither side.

    Args:
        frame: MOVES, the most telling lines first.
        places: of each row, as parts of the plot's width and height.
    """
    taken: list[tuple[float, float]] = []  # middles of the labels placed so far
    labels, sides = [], []
    for i, (text, (x, y)) in enumerate(zip(frame["label"], places, strict=True)):
        others = [*places[:i], *places[i + 1 :]]
        side = ""
        for name, middle in (("right", x + LABEL_X / 2), ("left", x - LABEL_X / 2)):
            touched = any(abs(a - middle) < LABEL_X / 2 and abs(b - y) < LABEL_Y for a, b in others)
            touched |= any(abs(a - middle) < LABEL_X and abs(b - y) < LABEL_Y for a, b in taken)
            if text and not side and not touched and middle - LABEL_X / 2 >= 0 and middle + LABEL_X / 2 <= 1:
                side = name
                taken.append((middle, y))
        labels.append(text if side else "")
        sides.append(side)
    return frame.with_columns(pl.Series("label", labels, pl.String), pl.Series("side", sides, pl.String))


def _along(value: float, low: float, high: float) -> float:
    """Return where a value stands between the ends of a log axis, 0 to 1."""
    return math.log(value / low) / math.log(high / low)


def _steps(firsts: tuple[int, ...], low: float, high: float, *, base: int = 10) -> list[float]:
    """Return round numbers within [low, high] for a log axis: each of ``firsts`` times powers of ``base``."""
    powers = range(math.floor(math.log(low, base)) - 1, math.ceil(math.log(high, base)) + 1)
    return [f * float(base) ** n for n in powers for f in firsts if low <= f * float(base) ** n <= high]
