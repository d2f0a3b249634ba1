"""States and signals of one line in; one picture out: a state lane and signal lanes above one another on one time axis.

The rule that lives here: the line's usual is a band, what leaves it is filled, published numbers are dashed, what came after
the change is paler, and both moments (began, changed) run through every lane.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from analysis.charts.events import (
    ACTED,
    LOST,
    Moment,
    acted,
    acted_words,
    lost_rows,
    moments,
    no_data,
    no_data_words,
    rules,
    state_lane,
    state_rows,
    wash,
)
from analysis.charts.spec import WIDE_ONLY, Spec, data, document, haloed, time_axis, time_x
from analysis.charts.spec import field as column
from analysis.charts.theme import Palette, Theme, palette

LANE = pl.Schema(
    {
        "t": pl.Float64,  # ms of the wall clock shown, end of the hour
        "value": pl.Float64,
        "edge": pl.Float64,  # value held inside the usual; equal to value where it is inside
        "second": pl.Float64,  # a part of value drawn under it (answered sends), or null
        "part": pl.String,  # "before" | "after" the change; the row at the change is in both
        "tip": pl.String,
    }
)
"""Rows of one lane, key (t, part)."""
LANE_MARKS = pl.Schema({"t": pl.Float64, "value": pl.Float64, "text": pl.String})
"""Points of a lane that are named, key t."""
HEIGHT, TALL = 66, 100
ROOM = 0.045
"""Part of the width kept free at the left for the labels of the values."""


@dataclass(frozen=True)
class Lane:
    """One signal: its rows, its usual (null: none yet) and the published number to show, if any."""

    title: str
    unit: str
    rows: pl.DataFrame
    low: float | None = None
    high: float | None = None
    percent: bool = False
    reference: tuple[float, str] | None = None
    second_word: str = ""
    marks: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=LANE_MARKS))
    mix: bool = False  # rows have value = all unhealthy, edge = critical and at risk, second = critical


def lanes(
    states: pl.DataFrame,
    rows: list[Lane],
    *,
    window: tuple[float, float],
    began: Moment | None,
    changed: Moment | None,
    new_state: str | None,
    lost: pl.DataFrame | None = None,
    done: pl.DataFrame | None = None,
    theme: Theme = "light",
) -> Spec:
    """Return the picture of what moved, and when.

    Args:
        states: STATES of the window.
        rows: lanes in the order to draw; the first is the tallest.
        window: first and last moment drawn, in ms.
        began: the onset, where there is one.
        changed: the change to explain, where there is one.
        new_state: the health or status after the change; colours its mark.
        lost: LOST: gaps in the deliveries, a pale column through all lanes.
        done: ACTED: what people did, a dotted rule through all lanes.
        theme: "light" or "dark".
    """
    p = palette(theme)
    window = (window[0] - ROOM * (window[1] - window[0]), window[1])
    shared = moments(window, began, changed)
    datasets = {"moments": shared.frame, "states": state_rows(states, window)}
    gone = lost is not None and lost.height > 0
    if lost is not None and gone:
        datasets["lost"] = lost_rows(lost.select(LOST.names()), window)
    columns = lambda: no_data(window, p) if gone else []  # noqa: E731 - fresh dicts for every lane
    told = done is not None and done.height > 0
    if done is not None and told:
        datasets["acted"] = lost_rows(done.select(ACTED.names()), window)
    dotted = lambda: acted(window, p) if told else []  # noqa: E731 - fresh dicts for every lane
    views = [state_lane(window, p, new_state, shared, columns())]
    for number, lane in enumerate(rows):
        name = f"lane{number}"
        datasets[name] = lane.rows
        last = number == len(rows) - 1
        if lane.marks.height:
            datasets[f"{name}_marks"] = lane.marks
        view = _mix_view(lane, name, window, p) if lane.mix else _view(lane, name, window, p)
        hover = next(layer for layer in view["layer"] if layer.get("mark", {}).get("opacity") == 0)
        hover["name"] = f"hours{number}"  # the layer that can be dragged over
        texts = [
            layer for layer in view["layer"] if layer["mark"]["type"] == "text"
        ]  # over the rules, to stay readable
        shapes = [layer for layer in view["layer"] if layer["mark"]["type"] != "text"]
        if gone and number == 0:
            texts += no_data_words(window, p)
        if told and number == 0:
            texts += acted_words(window, TALL, p)
        view["layer"] = [
            *wash(shared, window, p),
            *columns(),
            *shapes,
            *dotted(),
            *rules(shared, window, p, new_state),
            *texts,
        ]
        view["height"] = TALL if number == 0 else HEIGHT
        axis = time_axis(*window) if last else None
        for layer in view["layer"]:  # one layer without the axis would take it from all
            if "x" in layer.get("encoding", {}) and "field" in layer["encoding"]["x"]:
                layer["encoding"]["x"]["axis"] = axis
        views.append(view)
    brush = {
        "name": "brush",
        "select": {
            "type": "interval",
            "encodings": ["x"],
            "mark": {"fill": p.accent, "fillOpacity": 0.14, "stroke": p.accent},
        },
        "views": [f"hours{number}" for number in range(len(rows))],
    }
    body = {"vconcat": views, "spacing": 30, "bounds": "flush", "params": [brush]}
    return document(body, datasets, theme, padding=(0, 1, 4, 4))


def _y(lane: Lane, name: str = "value") -> Spec:
    top = _top(lane)
    return column(
        name,
        scale={"domain": [0, top], "nice": False},
        axis={
            "labelAlign": "left",
            "labelPadding": -2,
            "ticks": False,
            "labelOffset": -7,
            "zindex": 1,
            "tickCount": 2,
            "format": "~%" if lane.percent else ",d",
            "labelExpr": f"datum.value > {0.84 * top} ? '' : datum.label",  # no label under the lane's title
            **({} if lane.percent else {"tickMinStep": 1}),
            "labelFontSize": 11,
            "title": None,
        },
    )


def _top(lane: Lane) -> float:
    """Return where a lane's scale ends: a little above all that is drawn, so that its highest label stays inside."""
    heights = [lane.rows["value"].max(), lane.high, lane.reference[0] if lane.reference else None]
    known = [float(h) for h in heights if isinstance(h, int | float)]
    return max([*known, 0.02 if lane.percent else 2.0]) * 1.15


def _titles(lane: Lane, p: Palette) -> list[Spec]:
    """Return the lane's name at the left and its unit at the right, above the plot."""
    common = {"type": "text", "baseline": "bottom"}
    one: Spec = {"values": [{}]}
    return [
        {
            "data": one,
            "mark": {**common, "align": "left", "fontSize": 13, "fontWeight": 600, "color": p.ink},
            "encoding": {"x": {"value": 0}, "y": {"value": -5}, "text": {"value": lane.title}},
        },
        {
            "data": one,
            "mark": {**common, "align": "right", "color": p.mut},
            "encoding": {"x": {"value": "width"}, "y": {"value": -5}, "text": {"value": lane.unit}},
        },
    ]


APART: Spec = {"scale": {"opacity": "independent"}}
"""Each layer fades by its own range."""


def _fade(before: float, after: float) -> Spec:
    return column("part", "nominal", legend=None, scale={"domain": ["before", "after"], "range": [before, after]})


def _view(lane: Lane, name: str, window: tuple[float, float], p: Palette) -> Spec:
    y, here = _y(lane), data(name)
    x = lambda: time_x("t", *window)  # noqa: E731 - a fresh dict for every layer
    layers: list[Spec] = []
    if lane.high is not None:
        layers.append(
            {
                "data": {"values": [{"low": lane.low, "high": lane.high}]},
                "mark": {"type": "rect", "color": p.band},
                "encoding": {"y": {**y, "field": "low"}, "y2": {"field": "high"}},
            }
        )
        layers.append(
            {
                "data": here,
                "mark": {"type": "area", "color": p.accent, "clip": True},
                "encoding": {"x": x(), "y": y, "y2": {"field": "edge"}, "opacity": _fade(0.34, 0.12)},
            }
        )
    if lane.second_word:
        layers.append(
            {
                "data": here,
                "mark": {"type": "area", "color": p.accent, "clip": True},
                "encoding": {"x": x(), "y": {**y, "field": "second"}, "opacity": _fade(0.22, 0.1)},
            }
        )
    layers.append(
        {
            "data": here,
            "mark": {"type": "line", "color": p.accent, "strokeWidth": 1.8, "clip": True},
            "encoding": {"x": x(), "y": y, "opacity": _fade(1, 0.45)},
        }
    )
    if lane.reference is not None:
        layers += _reference(lane, y, p)
    if lane.marks.height:
        layers += _named_points(f"{name}_marks", y, window, p)
    layers.append(_hover(here, window, y, p))
    return {"layer": [*layers, *_titles(lane, p)], "resolve": APART}


def _reference(lane: Lane, y: Spec, p: Palette) -> list[Spec]:
    assert lane.reference is not None
    level, text = lane.reference
    one = {"values": [{"level": level}]}
    at = {**y, "field": "level"}
    rule = {"type": "rule", "color": p.thr, "strokeDash": [6, 3], "strokeWidth": 1.2}
    words = {"type": "text", "align": "left", "baseline": "bottom", "dy": -3, "fontSize": 11, "color": p.thr}
    words["opacity"] = WIDE_ONLY
    named = {"data": one, "mark": words, "encoding": {"x": {"value": 42}, "y": at, "text": {"value": text}}}
    return [{"data": one, "mark": rule, "encoding": {"y": at}}, *haloed(named, p.surface)]


def _named_points(name: str, y: Spec, window: tuple[float, float], p: Palette) -> list[Spec]:
    named = {
        "data": data(name),
        "mark": {"type": "text", "dy": -9, "fontWeight": 600, "color": p.ink, "fontSize": 11},
        "encoding": {"x": time_x("t", *window), "y": y, "text": column("text", "nominal")},
    }
    point = {"type": "point", "filled": True, "size": 28, "color": p.accent, "stroke": p.surface, "opacity": 1}
    return [
        {"data": data(name), "mark": point, "encoding": {"x": time_x("t", *window), "y": y}},
        *haloed(named, p.surface),
    ]


def _hover(here: Spec, window: tuple[float, float], y: Spec, p: Palette) -> Spec:
    """Return wide, unseen targets that tell an hour's figures."""
    return {
        "data": here,
        "transform": [{"filter": "isValid(datum.value)"}],
        "mark": {"type": "rule", "strokeWidth": 5, "opacity": 0, "color": p.ink},
        "encoding": {"x": time_x("t", *window), "tooltip": column("tip", "nominal")},
    }


def _mix_view(lane: Lane, name: str, window: tuple[float, float], p: Palette) -> Spec:
    """Return chats by health as areas from the worst up: critical, at risk, opted out."""
    y, here = _y(lane), data(name)
    parts = (("value", "edge", p.hatch), ("edge", "second", p.at_risk), ("second", "floor", p.critical))
    layers: list[Spec] = [
        {
            "data": here,
            "transform": [{"calculate": "0", "as": "floor"}],
            "mark": {"type": "area", "color": colour, "clip": True, "line": False},
            "encoding": {
                "x": time_x("t", *window),
                "y": {**y, "field": top},
                "y2": {"field": bottom},
                "opacity": _fade(0.95, 0.5),
            },
        }
        for top, bottom, colour in parts
    ]
    return {"layer": [*layers, _hover(here, window, y, p), *_titles(lane, p)], "resolve": APART}
