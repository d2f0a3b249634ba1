"""Days, hours and opening sends of one line in; three pictures out: rate against volume, a burst hour by hour, failures by hour."""

from __future__ import annotations

import polars as pl

from analysis.charts.spec import WIDE_ONLY, Spec, data, document, field, haloed, time_axis, time_x
from analysis.charts.theme import Palette, Theme, palette, state_text

POINTS = pl.Schema(
    {
        "day": pl.String,
        "sends": pl.Float64,
        "rate": pl.Float64,
        "counted": pl.Float64,
        "health": pl.String,  # null where unknown
        "step": pl.Float64,  # place on the path through the change; null off the path
        "label": pl.String,  # words beside the point, or empty
        "tip": pl.String,
    }
)
"""One row a day with a counted send, key day."""
OPENER_HOURS = pl.Schema(
    {"t": pl.Float64, "to": pl.Float64, "opened": pl.Float64, "usual": pl.Float64, "tip": pl.String}
)
"""Conversations opened by hour beside the line's usual for that hour of the day, key t; usual null where there is none yet."""
OPENINGS = pl.Schema({"t": pl.Float64, "spread": pl.Float64, "answer": pl.String, "tip": pl.String})
"""Opening sends one by one, key (t, spread); answer is "answered", "not answered" or "too early to say"."""
FAILURE_HOURS = pl.Schema(
    {"t": pl.Float64, "to": pl.Float64, "code": pl.String, "base": pl.Float64, "top": pl.Float64, "tip": pl.String}
)
"""Failed sends by hour and code, stacked from base to top, key (t, code)."""


def rate_against_volume(
    points: pl.DataFrame,
    *,
    usual: tuple[float, float, float, float] | None,
    reference: tuple[float, str] | None,
    theme: Theme = "light",
) -> Spec:
    """Return reply rate against sends, a point a day: colour and shape by health, size by sends counted, the path through the change.

    A click on a point hands its day to ``pick_day``.

    Args:
        points: POINTS.
        usual: the box of usual days (least and most sends, least and highest rate), or None where there is no usual yet.
        reference: a published rate and its words.
        theme: "light" or "dark".
    """
    p = palette(theme)
    x = field("sends", scale={"zero": True, "nice": True}, axis={"title": "sends a day", "grid": False, "tickCount": 6})
    y = field(
        "rate",
        scale={"domain": [0, 1]},
        axis={"title": "answered within 24 h, % of sends", "format": "%", "tickCount": 5},
    )
    layers: list[Spec] = []
    if usual is not None:
        s0, s1, r0, r1 = usual
        box = {"values": [{"s0": s0, "s1": s1, "r0": r0, "r1": r1}]}
        ends = {"x2": {"field": "s1"}, "y2": {"field": "r1"}}
        layers += [
            {
                "data": box,
                "mark": {"type": "rect", "color": p.band, "opacity": 0.75},
                "encoding": {"x": {**x, "field": "s0"}, "y": {**y, "field": "r0"}, **ends},
            },
            {
                "data": box,
                "mark": {"type": "text", "align": "right", "baseline": "bottom", "dy": -3, "color": p.mut},
                "encoding": {
                    "x": {**x, "field": "s1"},
                    "y": {**y, "field": "r1"},
                    "text": {"value": "usual days"},
                },
            },
        ]
    if reference is not None:
        layers += reference_level(reference, y, p)
    layers += [
        {
            "transform": [{"filter": "isValid(datum.step)"}],
            "mark": {"type": "line", "color": p.accent, "strokeWidth": 1.2, "opacity": 0.8},
            "encoding": {"x": x, "y": y, "order": field("step")},
        },
        {
            "params": [{"name": "pick_day", "select": {"type": "point", "fields": ["day"], "toggle": False}}],
            "mark": {"type": "point", "strokeWidth": 1.6, "cursor": "pointer"},
            "encoding": {
                "x": x,
                "y": y,
                "size": field("counted", scale={"type": "sqrt", "range": [25, 260]}, legend=None),
                "shape": by_health(["circle", "triangle-up", "diamond", "square"]),
                "fill": by_health([p.surface, p.at_risk, p.critical, p.surface]),
                "stroke": by_health([p.healthy_text, p.at_risk, p.critical, p.faint]),
                "fillOpacity": {"condition": {"test": "isValid(datum.step)", "value": 1}, "value": 0.55},
                "strokeOpacity": {"condition": {"test": "isValid(datum.step)", "value": 1}, "value": 0.55},
                "tooltip": field("tip", "nominal"),
            },
        },
    ]
    named = {
        "transform": [{"filter": "datum.label !== ''"}],
        "mark": {"type": "text", "align": "left", "dx": 10, "dy": -8, "fontWeight": 600, "color": p.ink},
        "encoding": {"x": x, "y": y, "text": field("label", "nominal")},
    }
    layers += haloed(named, p.surface)
    body = {
        "data": data("points"),
        "transform": [{"calculate": "isValid(datum.health) ? datum.health : 'unknown'", "as": "state"}],
        "layer": layers,
        "height": 300,
    }
    return document(body, {"points": points}, theme, padding=(2, 6, 4, 2))


def by_health(values: list[str]) -> Spec:
    """Return an encoding of column ``state`` by values for healthy, at risk, critical and unknown."""
    domain = ["HEALTHY", "AT_RISK", "CRITICAL", "unknown"]
    return field("state", "nominal", scale={"domain": domain, "range": values}, legend=None)


def reference_level(reference: tuple[float, str], y: Spec, p: Palette) -> list[Spec]:
    """Return a dashed line at a published rate, with its words under it at the right."""
    level, text = reference
    one = {"values": [{"level": level}]}
    at = {**y, "field": "level"}
    return [
        {
            "data": one,
            "mark": {"type": "rule", "color": p.thr, "strokeDash": [6, 3], "strokeWidth": 1.2},
            "encoding": {"y": at},
        },
        {
            "data": one,
            "mark": {
                "type": "text",
                "align": "right",
                "baseline": "top",
                "dy": 4,
                "fontSize": 11,
                "color": p.thr,
                "opacity": WIDE_ONLY,
            },
            "encoding": {"x": {"value": "width"}, "y": at, "text": {"value": text}},
        },
    ]


def openers_by_hour(
    hours: pl.DataFrame,
    openings: pl.DataFrame,
    *,
    window: tuple[float, float],
    moments: list[tuple[float, str, bool]],
    new_state: str | None,
    theme: Theme = "light",
) -> Spec:
    """Return a burst hour by hour, and below it each opening send: filled where it was answered within the reply window.

    Args:
        hours: OPENER_HOURS.
        openings: OPENINGS.
        window: first and last moment drawn, in ms.
        moments: time, words, and whether it is the change itself, for each rule to draw.
        new_state: health after the change; colours its rule.
        theme: "light" or "dark".
    """
    p = palette(theme)
    low = time_axis(*window)
    axis = None if openings.height else low
    bars = [
        {
            "data": data("hours"),
            "mark": {"type": "rect", "color": p.accent, "stroke": p.surface, "strokeWidth": 1, "clip": True},
            "encoding": {
                "x": time_x("t", *window, axis=axis),
                "x2": {"field": "to"},
                "y": field("opened", axis=_inside()),
                "y2": {"datum": 0},
                "tooltip": field("tip", "nominal"),
            },
        },
        {
            "data": data("hours"),
            "transform": [{"filter": "isValid(datum.usual)"}],
            "mark": {"type": "line", "interpolate": "step-after", "color": p.faint, "strokeWidth": 1.5, "clip": True},
            "encoding": {"x": time_x("t", *window, axis=axis), "y": field("usual")},
        },
        *_marked(moments, window, axis, new_state, p, words=True),
    ]
    views: list[Spec] = [{"layer": [*bars, *_title("Conversations opened an hour", p)], "height": 150}]
    if openings.height:
        dots = {
            "data": data("openings"),
            "mark": {"type": "point", "size": 34, "strokeWidth": 1.3, "stroke": p.accent, "clip": True},
            "encoding": {
                "x": time_x("t", *window, axis=low),
                "y": field("spread", axis=None, scale={"domain": [0, 1]}),
                "fill": {"condition": {"test": "datum.answer === 'answered'", "value": p.accent}, "value": p.surface},
                "strokeOpacity": {
                    "condition": {"test": "datum.answer === 'too early to say'", "value": 0.4},
                    "value": 1,
                },
                "tooltip": field("tip", "nominal"),
            },
        }
        rules = _marked(moments, window, low, new_state, p, words=False)
        views.append({"layer": [dots, *rules, *_title("Each opening send", p, -6)], "height": 64})
    body = {"vconcat": views, "spacing": 30, "bounds": "flush"}
    return document(body, {"hours": hours, "openings": openings}, theme, padding=(0, 4, 4, 4))


def failures_by_hour(
    hours: pl.DataFrame,
    *,
    order: list[str],
    window: tuple[float, float],
    moments: list[tuple[float, str, bool]],
    new_state: str | None,
    theme: Theme = "light",
) -> Spec:
    """Return failed sends by hour (FAILURE_HOURS), stacked by the codes in ``order``, most frequent first."""
    p = palette(theme)
    axis = time_axis(*window)
    bars = {
        "data": data("hours"),
        "mark": {"type": "rect", "stroke": p.surface, "strokeWidth": 1, "clip": True},
        "encoding": {
            "x": time_x("t", *window, axis=axis),
            "x2": {"field": "to"},
            "y": field(
                "top", scale={"zero": True}, axis={"title": None, "tickMinStep": 1, "tickCount": 4, "format": ",d"}
            ),
            "y2": {"field": "base"},
            "color": field(
                "code",
                "nominal",
                scale={"domain": order, "range": [p.accent, p.r2, p.r3, p.r4][: len(order)]},
                legend={"title": None},
            ),
            "tooltip": field("tip", "nominal"),
        },
    }
    layers = [bars, *_marked(moments, window, axis, new_state, p, words=True), *_title("Failed sends an hour", p)]
    return document({"layer": layers, "height": 210}, {"hours": hours}, theme, padding=(2, 4, 4, 2))


def _marked(
    moments: list[tuple[float, str, bool]],
    window: tuple[float, float],
    axis: Spec | None,
    new_state: str | None,
    p: Palette,
    *,
    words: bool,
) -> list[Spec]:
    """Return a rule a moment; its words stand above the plot, left of the rule for the beginning and right of it for the change."""
    layers: list[Spec] = []
    for t, text, is_change in moments:
        colour = state_text(p, new_state) if is_change else p.accent
        one = {"values": [{"t": t}]}
        at = time_x("t", *window, axis=axis)
        style = {"strokeWidth": 2} if is_change else {"strokeDash": [3, 3], "strokeWidth": 1.5}
        layers.append({"data": one, "mark": {"type": "rule", "color": colour, **style}, "encoding": {"x": at}})
        if words:
            place = {"align": "left", "dx": -2} if is_change else {"align": "right", "dx": 2}
            mark = {"type": "text", "baseline": "bottom", "color": colour, "fontWeight": 600, **place}
            named = {"data": one, "mark": mark, "encoding": {"x": at, "y": {"value": -4}, "text": {"value": text}}}
            layers.append(named)
    return layers


def _inside() -> Spec:
    """Return an axis whose labels stand inside the plot, so that views above one another line up."""
    return {
        "title": None,
        "tickMinStep": 1,
        "tickCount": 4,
        "format": ",d",
        "labelAlign": "left",
        "labelPadding": -2,
        "labelOffset": -7,
        "ticks": False,
        "zindex": 1,
    }


def _title(text: str, p: Palette, y: int = -20) -> list[Spec]:
    mark = {"type": "text", "align": "left", "baseline": "bottom", "fontSize": 13, "fontWeight": 600, "color": p.ink}
    encoding = {"x": {"value": 0}, "y": {"value": y}, "text": {"value": text}}
    return [{"data": {"values": [{}]}, "mark": mark, "encoding": encoding}]
