"""States and signals of one line in; one picture out: a state lane and signal lanes above one another on one time axis.

The rule that lives here: the line's usual is a band, what leaves it is filled, published numbers are dashed, what came after
the change is paler, and both moments (began, changed) run through every lane.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from analysis.charts.spec import Spec, data, document, time_axis, time_x
from analysis.charts.spec import field as column
from analysis.charts.theme import HEIGHTS, Palette, Theme, health_fill, palette, state_text, state_word

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
STATES = pl.Schema({"t0": pl.Float64, "t1": pl.Float64, "state": pl.String})
"""Health over the window without gaps, key t0; state null where unknown."""
HEIGHT, TALL, TOP = 66, 100, 52


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


@dataclass(frozen=True)
class Moment:
    """A moment of wall-clock time (ms) with the words that stand beside it."""

    t: float
    text: str


def lanes(
    states: pl.DataFrame,
    rows: list[Lane],
    *,
    window: tuple[float, float],
    began: Moment | None,
    changed: Moment | None,
    new_state: str | None,
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
        theme: "light" or "dark".
    """
    p = palette(theme)
    shared = _moments(window, began, changed, p, new_state)
    datasets = {"moments": shared["frame"], "states": _state_rows(states, window)}
    views = [_state_lane(window, began, changed, p, new_state, shared)]
    for number, lane in enumerate(rows):
        name = f"lane{number}"
        datasets[name] = lane.rows
        last = number == len(rows) - 1
        if lane.marks.height:
            datasets[f"{name}_marks"] = lane.marks
        view = _mix_view(lane, name, window, p) if lane.mix else _view(lane, name, window, p)
        view["layer"] = [*_wash(shared, window, p), *view["layer"], *_rules(shared, window, p, new_state)]
        view["height"] = TALL if number == 0 else HEIGHT
        axis = time_axis(*window) if last else None
        for layer in view["layer"]:  # one layer without the axis would take it from all
            if "x" in layer.get("encoding", {}) and "field" in layer["encoding"]["x"]:
                layer["encoding"]["x"]["axis"] = axis
        views.append(view)
    body = {"vconcat": views, "spacing": 30, "bounds": "flush"}
    return document(body, datasets, theme, padding=(0, 1, 4, 4))


def _moments(
    window: tuple[float, float], began: Moment | None, changed: Moment | None, p: Palette, state: str | None
) -> dict:
    """Return the frame of the two moments and which of them are inside the window."""
    start, end = window
    rows = [
        (kind, m.t, (changed.t if changed else end), m.text, _beside(m.t, window, right=kind == "changed"))
        for kind, m in (("began", began), ("changed", changed))
        if m is not None and start <= m.t <= end
    ]
    schema = {"kind": pl.String, "t": pl.Float64, "to": pl.Float64, "text": pl.String, "side": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return {"frame": frame, "kinds": set(frame["kind"])}


def _beside(t: float, window: tuple[float, float], *, right: bool) -> str:
    """Return the side of a rule on which its words have room: the right one where a quarter of the width is free."""
    share = (t - window[0]) / (window[1] - window[0])
    if right and share <= 0.75:
        return "left"
    return "right" if share >= 0.3 else "left"


def _where(kind: str, value: str, key: str = "kind") -> list[Spec]:
    return [{"filter": f"datum.{key} === '{kind}'" + (f" && datum.side === '{value}'" if value else "")}]


def _wash(shared: dict, window: tuple[float, float], p: Palette) -> list[Spec]:
    if "began" not in shared["kinds"]:
        return []
    return [
        {
            "data": data("moments"),
            "transform": _where("began", ""),
            "mark": {"type": "rect", "color": p.accent, "opacity": 0.06, "clip": True},
            "encoding": {"x": time_x("t", *window), "x2": {"field": "to"}},
        }
    ]


def _rules(shared: dict, window: tuple[float, float], p: Palette, state: str | None) -> list[Spec]:
    styles: dict[str, Spec] = {
        "began": {"color": p.accent, "strokeDash": [3, 3], "strokeWidth": 1.5},
        "changed": {"color": state_text(p, state), "strokeWidth": 2},
    }
    return [
        {
            "data": data("moments"),
            "transform": _where(kind, ""),
            "mark": {"type": "rule", **style, "clip": True},
            "encoding": {"x": time_x("t", *window)},
        }
        for kind, style in styles.items()
        if kind in shared["kinds"]
    ]


def _state_rows(states: pl.DataFrame, window: tuple[float, float]) -> pl.DataFrame:
    """Add height, word and room for the word: layout only."""
    span = window[1] - window[0]
    known = {k: v * 18 for k, v in HEIGHTS.items()}
    return states.with_columns(
        top=pl.col("state").replace_strict(known, default=4.0, return_dtype=pl.Float64),
        bottom=pl.lit(0.0),
        word=pl.when((pl.col("t1") - pl.col("t0")) / span >= 0.14)
        .then(pl.col("state").map_elements(state_word, return_dtype=pl.String, skip_nulls=False))
        .otherwise(pl.lit("")),
    )


def _state_lane(
    window: tuple[float, float],
    began: Moment | None,
    changed: Moment | None,
    p: Palette,
    new_state: str | None,
    shared: dict,
) -> Spec:
    y = column("top", scale={"domain": [0, TOP]}, axis=None)
    layers = []
    for state in (*HEIGHTS, None):
        test = f"datum.state === '{state}'" if state else "!isValid(datum.state)"
        mark: Spec = {"type": "rect", "color": health_fill(p, state) if state else p.sunk, "clip": True}
        if state is None:
            mark["stroke"] = p.hair
        layers.append(
            {
                "data": data("states"),
                "transform": [{"filter": test}],
                "mark": mark,
                "encoding": {"x": time_x("t0", *window), "x2": {"field": "t1"}, "y": y, "y2": {"field": "bottom"}},
            }
        )
        layers.append(
            {
                "data": data("states"),
                "transform": [{"filter": f"{test} && datum.word !== ''"}],
                "mark": {
                    "type": "text",
                    "align": "left",
                    "baseline": "bottom",
                    "dx": 5,
                    "dy": -2 if state in ("AT_RISK", "CRITICAL") else -8,
                    "fontWeight": 600,
                    "color": {"AT_RISK": p.at_risk_on, "CRITICAL": p.critical_on}.get(
                        state or "", p.healthy_text if state else p.mut
                    ),
                },
                "encoding": {
                    "x": time_x("t0", *window),
                    "y": column("bottom", scale={"domain": [0, TOP]}, axis=None),
                    "text": column("word", "nominal"),
                },
            }
        )
    for kind, height, colour in (("began", 46, p.accent), ("changed", 30, state_text(p, new_state))):
        for side, gap in (("right", -4), ("left", 4)):
            if kind not in shared["kinds"]:
                continue
            layers.append(
                {
                    "data": data("moments"),
                    "transform": _where(kind, side),
                    "mark": {
                        "type": "text",
                        "align": side,
                        "dx": gap,
                        "color": colour,
                        "fontWeight": 600,
                        "baseline": "middle",
                    },
                    "encoding": {
                        "x": time_x("t", *window),
                        "y": {"value": TOP - height},
                        "text": column("text", "nominal"),
                    },
                }
            )
    return {
        "layer": [*_wash(shared, window, p), *layers, *_rules(shared, window, p, new_state)],
        "height": TOP,
    }


def _y(lane: Lane, name: str = "value") -> Spec:
    form = "%" if lane.percent else ",~g"
    return column(
        name,
        scale={"zero": True, "nice": True},
        axis={
            "labelAlign": "left",
            "labelPadding": -2,
            "ticks": False,
            "labelOffset": -7,
            "zindex": 1,
            "tickCount": 2,
            "format": form,
            "labelFontSize": 11,
            "title": None,
        },
    )


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
    return {"layer": [*layers, *_titles(lane, p)]}


def _reference(lane: Lane, y: Spec, p: Palette) -> list[Spec]:
    assert lane.reference is not None
    level, text = lane.reference
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
            "mark": {"type": "text", "align": "left", "baseline": "bottom", "dy": -2, "fontSize": 11, "color": p.thr},
            "encoding": {"x": {"value": 42}, "y": at, "text": {"value": text}},
        },
    ]


def _named_points(name: str, y: Spec, window: tuple[float, float], p: Palette) -> list[Spec]:
    return [
        {
            "data": data(name),
            "mark": {"type": "point", "filled": True, "size": 28, "color": p.accent, "stroke": p.surface, "opacity": 1},
            "encoding": {"x": time_x("t", *window), "y": y},
        },
        {
            "data": data(name),
            "mark": {"type": "text", "dx": -7, "align": "right", "fontWeight": 600, "color": p.ink, "fontSize": 11},
            "encoding": {"x": time_x("t", *window), "y": y, "text": column("text", "nominal")},
        },
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
    return {"layer": [*layers, _hover(here, window, y, p), *_titles(lane, p)]}
