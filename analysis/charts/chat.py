"""One chat's messages, unanswered runs and healths in; its timeline, a row for each kind of event, out."""

from __future__ import annotations

import polars as pl

from analysis.charts.events import lost_rows, no_data, no_data_words
from analysis.charts.spec import Spec, data, document, field, haloed, time_axis, time_x
from analysis.charts.theme import HEIGHTS, Theme, health_fill, palette, state_text

ROWS = ("Chat health", "Line health", "Failed", "Sent", "Delivered", "Read", "Received")
"""What each row of the timeline shows, from the lowest up."""
EVENTS = pl.Schema({"t": pl.Float64, "row": pl.String, "label": pl.String, "tip": pl.String})
"""Events of the chat, row of ROWS; label: words beside a failure, else empty."""
RUNS = pl.Schema({"t0": pl.Float64, "t1": pl.Float64, "label": pl.String, "tip": pl.String})
"""Times without an answer from the first send on, with how many turns went out in them, key t0."""
HEALTHS = pl.Schema({"t0": pl.Float64, "t1": pl.Float64, "row": pl.String, "state": pl.String, "tip": pl.String})
"""Health over time of the line and of the chat, key (row, t0); state null where unknown."""
RULES = pl.Schema({"t": pl.Float64, "change": pl.Boolean, "state": pl.String, "label": pl.String, "tip": pl.String})
"""Moments to mark: when a change began, and the change itself with the line's new state; key (t, change)."""
HEIGHT = 270


def timeline(
    events: pl.DataFrame,
    runs: pl.DataFrame,
    healths: pl.DataFrame,
    rules: pl.DataFrame,
    *,
    window: tuple[float, float],
    lost: pl.DataFrame | None = None,
    theme: Theme = "light",
) -> Spec:
    """Return what happened in one chat.

    Args:
        events: EVENTS.
        runs: RUNS.
        healths: HEALTHS.
        rules: RULES.
        window: first and last moment drawn, in ms.
        lost: LOST (charts.events): times without data, as grey columns.
        theme: "light" or "dark".
    """
    p = palette(theme)
    names = ", ".join(f"'{name}'" for name in ROWS)
    y_axis = {
        "title": None,
        "values": list(range(len(ROWS))),
        "labelExpr": f"[{names}][datum.value]",
        "ticks": False,
        "gridDash": [1, 3],
    }
    y = field("y", scale={"domain": [-0.45, len(ROWS) + 0.1], "nice": False}, axis=y_axis)
    ends = {"y2": {"field": "y2"}}
    x = time_x("t", *window, axis=time_axis(*window))
    span = {"x": {**x, "field": "t0"}, "x2": {"field": "t1"}}
    at = {"y": y, "tooltip": field("tip", "nominal")}
    layers: list[Spec] = [
        {
            "data": data("runs"),
            "mark": {"type": "rect", "color": p.band, "opacity": 0.8, "clip": True},
            "encoding": {**span, **at, **ends},
        },
    ]
    texts = haloed(
        {
            "data": data("runs"),
            "transform": [{"filter": "datum.label !== ''"}],
            "mark": {"type": "text", "align": "left", "baseline": "top", "dx": 4, "dy": 3, "color": p.mut, "fontSize": 11},
            "encoding": {"x": {**x, "field": "t0"}, "y": {**y, "field": "y2"}, "text": field("label", "nominal")},
        },
        p.band,
    )  # fmt: skip
    if lost is not None and lost.height:
        layers += no_data(window, p)
        texts += no_data_words(window, p)
    for state in (*HEIGHTS, "OPTED_OUT", None):
        fill = health_fill(p, state)
        edge = {"stroke": p.hair} if state is None else {"stroke": p.ink} if state == "OPTED_OUT" else {}
        layers.append(
            {
                "data": data("healths"),
                "transform": [{"filter": f"datum.state === '{state}'" if state else "!isValid(datum.state)"}],
                "mark": {"type": "rect", "color": fill, "clip": True, **edge},
                "encoding": {**span, **at, **ends},
            }
        )
    drawn = set(rules.select("change", "state").iter_rows())  # a layer without a row would be a mark without a name
    for change in (False, True):
        for state in (s for s in (*HEIGHTS, None) if (change, s) in drawn):
            style = {"color": state_text(p, state), "strokeWidth": 2} if change else {"color": p.accent, "strokeDash": [3, 3], "strokeWidth": 1.5}  # fmt: skip
            same = f"datum.state === '{state}'" if state else "!isValid(datum.state)"
            which = [{"filter": f"datum.change && {same}" if change else "!datum.change"}]
            marked = {"x": x, "tooltip": field("tip", "nominal")}
            layers.append({"data": data("rules"), "transform": which, "mark": {"type": "rule", **style, "clip": True}, "encoding": marked})  # fmt: skip
            told = {
                "type": "text",
                "align": "right",
                "baseline": "bottom",
                "dx": -4,
                "fontWeight": 600,
                "color": style["color"],
            }
            named = {"x": x, "y": {"value": 12 if change else -3}, "text": field("label", "nominal")}
            texts += haloed({"data": data("rules"), "transform": [*which, {"filter": "datum.label !== ''"}], "mark": told, "encoding": named}, p.surface)  # fmt: skip
    layers += texts  # over every rule, to stay readable
    shapes = {"Received": "circle", "Sent": "circle", "Delivered": "stroke", "Read": "stroke", "Failed": "cross"}
    seen = set(events["row"])
    for row, shape in ((r, s) for r, s in shapes.items() if r in seen):
        ink = p.critical_text if row == "Failed" else p.accent
        fill = {"Sent": p.accent, "Received": p.surface, "Failed": ink}.get(row, "transparent")
        mark = {
            "type": "point",
            "shape": shape,
            "size": 60,
            "stroke": ink,
            "fill": fill,
            "strokeWidth": 1.5,
            "clip": True,
        }
        if shape == "stroke":
            mark["angle"] = 90
        kind = [{"filter": f"datum.row === '{row}'"}]
        layers.append({"data": data("events"), "transform": kind, "mark": mark, "encoding": {"x": x, **at}})
    layers.append(
        {
            "data": data("events"),
            "transform": [{"filter": "datum.label !== ''"}],
            "mark": {"type": "text", "align": "left", "dx": 8, "color": p.critical_text, "fontSize": 11},
            "encoding": {"x": x, "y": y, "text": field("label", "nominal")},
        }
    )
    frames = {
        "events": events.with_columns(y=_place(pl.col("row"))),
        "runs": runs.with_columns(y=pl.lit(ROWS.index("Failed") - 0.4), y2=pl.lit(len(ROWS) - 0.4)),
        "healths": _bands(healths),
        "rules": rules,
    }
    if lost is not None and lost.height:
        frames["lost"] = lost_rows(lost, window)
    return document({"layer": layers, "height": HEIGHT}, frames, theme, padding=(2, 8, 18, 2))


def _place(row: pl.Expr) -> pl.Expr:
    return row.replace_strict({name: float(i) for i, name in enumerate(ROWS)}, return_dtype=pl.Float64)


def _bands(healths: pl.DataFrame) -> pl.DataFrame:
    """Return healths with the lower and upper end of each band: ink is for trouble."""
    tall = pl.col("state").replace_strict(HEIGHTS, default=0.34, return_dtype=pl.Float64)
    low = _place(pl.col("row")) - 0.3
    return healths.with_columns(y=low, y2=low + 0.7 * tall)
