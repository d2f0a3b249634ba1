"""Shares of a day's sends, or counts, stacked; and chats by unanswered turns: two pictures whose parts are told by rank and name."""

from __future__ import annotations

import polars as pl

from analysis.charts.spec import WIDE_ONLY, Spec, data, document, field, haloed, time_axis, time_x
from analysis.charts.theme import Theme, palette

STACK = pl.Schema(
    {"t": pl.Float64, "to": pl.Float64, "rank": pl.Int64, "base": pl.Float64, "top": pl.Float64, "tip": pl.String}
)
"""Parts of each day stacked from base to top, key (t, rank); ranks 1 to 4 take the four blues, 0 is drawn as unknown."""
STREAKS = pl.Schema(
    {
        "turns": pl.Int64,
        "chats": pl.Float64,
        "over": pl.Boolean,  # at or above the first published limit
        "label": pl.String,  # the count
        "rate": pl.String,  # its share, or empty
        "tip": pl.String,
    }
)
"""Chats by unanswered turns in a row, key turns."""
HEIGHT = 190


def stacked_days(frame: pl.DataFrame, *, window: tuple[float, float], share: bool, theme: Theme = "light") -> Spec:
    """Return parts of each day (STACK) as columns; ``share``: of all, else counts.

    Args:
        frame: STACK.
        window: first and last moment drawn, in ms.
        share: whether base and top are shares 0 to 1.
        theme: "light" or "dark".
    """
    p = palette(theme)
    fills = {0: p.band, 1: p.accent, 2: p.r2, 3: p.r3, 4: p.r4}
    axis = {"title": None, "tickCount": 4, "format": "%"} if share else {"title": None, "tickCount": 4, "format": ",d"}
    scale = {"domain": [0, 1]} if share else {"zero": True}
    bars = {
        "data": data("days"),
        "mark": {"type": "rect", "stroke": p.surface, "strokeWidth": 1, "clip": True},
        "encoding": {
            "x": time_x("t", *window, axis=time_axis(*window)),
            "x2": {"field": "to"},
            "y": field("top", scale=scale, axis=axis if share else {**axis, "tickMinStep": 1}),
            "y2": {"field": "base"},
            "color": field(
                "rank",
                "nominal",
                scale={"domain": list(fills), "range": list(fills.values())},
                legend=None,
            ),
            "tooltip": field("tip", "nominal"),
        },
    }
    return document({"layer": [bars], "height": HEIGHT}, {"days": frame}, theme, padding=(2, 6, 4, 2))


def streaks(frame: pl.DataFrame, *, limits: list[tuple[int, str]], most: int, theme: Theme = "light") -> Spec:
    """Return chats by unanswered turns in a row, with published limits drawn before the number from which they hold.

    Args:
        frame: STREAKS.
        limits: the number of turns and the words of each published limit, lowest first.
        most: the last number, which holds all above it too.
        theme: "light" or "dark".
    """
    p = palette(theme)
    top = max([*frame["chats"], 1.0]) * 1.3
    x_axis = {
        "title": "turns in a row without an answer",
        "values": list(range(most + 1)),
        "labelExpr": f"datum.value === {most} ? datum.value + '+' : format(datum.value, 'd')",
        "ticks": False,
        "grid": False,
    }
    x_scale = {"domain": [-0.5, most + 0.5], "nice": False}
    y = field("chats", scale={"domain": [0, top], "nice": False}, axis={"title": "active chats", "format": ",d", "tickCount": 4, "tickMinStep": 1})  # fmt: skip
    middle = field("turns", scale=x_scale, axis=x_axis)
    bars = {
        "mark": {"type": "rect"},
        "encoding": {
            "x": {**middle, "field": "left"},
            "x2": {"field": "right"},
            "y": y,
            "y2": {"datum": 0},
            "color": {"condition": {"test": "datum.over", "value": p.accent}, "value": p.r3},
            "tooltip": field("tip", "nominal"),
        },
    }
    layers: list[Spec] = [bars]
    for name, up, style in (
        ("label", 17, {"fontWeight": 600, "color": p.ink}),
        ("rate", 3, {"color": p.mut, "fontSize": 11}),
    ):
        told = {"type": "text", "baseline": "bottom", "dy": -up, **style}
        layers.append({"mark": told, "encoding": {"x": middle, "y": y, "text": field(name, "nominal")}})
    for row, (turns, words) in enumerate(limits):
        one = {"values": [{"turns": turns - 0.5}]}
        rule = {"type": "rule", "color": p.thr, "strokeDash": [6, 3], "strokeWidth": 1.2}
        # the words stand where there is room: right of a limit in the left half, else left of it, each on rows of its own
        side = {"align": "left", "dx": 5} if turns <= most / 2 else {"align": "right", "dx": -5}
        told = {"type": "text", **side, "baseline": "top", "fontSize": 11, "color": p.thr, "opacity": WIDE_ONLY}
        at = {"x": middle, "y": {"value": 2 + 34 * row}, "text": {"value": words.split("\n")}}
        layers += [
            {"data": one, "mark": rule, "encoding": {"x": middle}},
            *haloed({"data": one, "mark": told, "encoding": at}, p.surface),
        ]
    placed = frame.with_columns(left=pl.col("turns") - 0.38, right=pl.col("turns") + 0.38)
    return document(
        {"data": data("chats"), "layer": layers, "height": 250}, {"chats": placed}, theme, padding=(2, 6, 4, 2)
    )
