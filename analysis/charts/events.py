"""Health over time and two moments in; the state lane out, and the rules that run through every lane of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from analysis.charts.spec import WIDE_ONLY, Spec, data, field, haloed, time_x
from analysis.charts.theme import HEIGHTS, Palette, health_fill, state_text, state_word

STATES = pl.Schema({"t0": pl.Float64, "t1": pl.Float64, "state": pl.String})
"""Health over the window without gaps, key t0; state null where unknown."""
TOP, STATE = 60, 24
"""Height of the lane with the words above it, and of the states alone."""


LOST = pl.Schema({"t0": pl.Float64, "t1": pl.Float64, "tip": pl.String})
"""Times without data inside the window, in ms, not overlapping, key t0."""
ACTED = pl.Schema({"t0": pl.Float64, "t1": pl.Float64, "word": pl.String, "tip": pl.String})
"""What people did inside the window, at one moment in ms (t0 = t1), key t0."""
APART, EDGE = 0.07, 0.035
"""Parts of the width: the least between two times without data that are both named, and between such words and the end of the plot."""


@dataclass(frozen=True)
class Moment:
    """A moment of wall-clock time (ms) with the words that stand beside it."""

    t: float
    text: str


@dataclass(frozen=True)
class Shared:
    """The moments inside the window, as every lane of a picture draws them."""

    frame: pl.DataFrame
    kinds: frozenset[str]


def moments(window: tuple[float, float], began: Moment | None, changed: Moment | None) -> Shared:
    """Return the two moments that are inside the window."""
    start, end = window
    rows = [
        (kind, m.t, (changed.t if changed else end), m.text, _beside(m.t, window, right=kind == "changed"))
        for kind, m in (("began", began), ("changed", changed))
        if m is not None and start <= m.t <= end
    ]
    schema = {"kind": pl.String, "t": pl.Float64, "to": pl.Float64, "text": pl.String, "side": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return Shared(frame, frozenset(frame["kind"]))


def _beside(t: float, window: tuple[float, float], *, right: bool) -> str:
    """Return the side of a rule on which its words have room: the right one where a quarter of the width is free."""
    share = (t - window[0]) / (window[1] - window[0])
    if right and share <= 0.75:
        return "left"
    return "right" if share >= 0.3 else "left"


def _of(kind: str, side: str = "") -> list[Spec]:
    return [{"filter": f"datum.kind === '{kind}'" + (f" && datum.side === '{side}'" if side else "")}]


def wash(shared: Shared, window: tuple[float, float], p: Palette) -> list[Spec]:
    """Return the pale ground from the beginning to the change."""
    if "began" not in shared.kinds:
        return []
    return [
        {
            "data": data("moments"),
            "transform": _of("began"),
            "mark": {"type": "rect", "color": p.accent, "opacity": 0.06, "clip": True},
            "encoding": {"x": time_x("t", *window), "x2": {"field": "to"}},
        }
    ]


def lost_rows(lost: pl.DataFrame, window: tuple[float, float]) -> pl.DataFrame:
    """Add to LOST where its words stand, null where they would touch those of the one before: layout only."""
    width = window[1] - window[0]
    at: list[float | None] = []
    last = float("-inf")
    for t0, t1 in lost.select("t0", "t1").iter_rows():
        middle = min(max((t0 + t1) / 2, window[0] + EDGE * width), window[1] - EDGE * width)
        room = middle - last >= APART * width
        at.append(middle if room else None)
        last = middle if room else last
    return lost.with_columns(word_at=pl.Series(at, dtype=pl.Float64))


def no_data(window: tuple[float, float], p: Palette) -> list[Spec]:
    """Return a pale column with dashed edges for each row of the dataset "lost"."""
    edge = {"type": "rule", "color": p.mut, "strokeDash": [2, 2], "strokeWidth": 1, "clip": True}
    column: Spec = {
        "data": data("lost"),
        "mark": {"type": "rect", "color": p.hatch, "opacity": 0.35, "clip": True},
        "encoding": {"x": time_x("t0", *window), "x2": {"field": "t1"}, "tooltip": field("tip", "nominal")},
    }
    edges = [
        {"data": data("lost"), "mark": dict(edge), "encoding": {"x": time_x(end, *window)}} for end in ("t0", "t1")
    ]
    return [column, *edges]


def no_data_words(window: tuple[float, float], p: Palette) -> list[Spec]:
    """Return the words over the columns; on a phone a sentence beside the chart has them."""
    named = {
        "data": data("lost"),
        "transform": [{"filter": "isValid(datum.word_at)"}],
        "mark": {"type": "text", "baseline": "top", "color": p.mut, "fontSize": 11, "opacity": WIDE_ONLY},
        "encoding": {"x": time_x("word_at", *window), "y": {"value": 4}, "text": {"value": "no data"}},
    }
    return haloed(named, p.surface)


def acted(window: tuple[float, float], p: Palette) -> list[Spec]:
    """Return a dotted rule for each row of the dataset "acted"."""
    mark = {"type": "rule", "color": p.ink, "strokeDash": [1, 3], "strokeWidth": 1.5, "clip": True}
    return [
        {
            "data": data("acted"),
            "mark": mark,
            "encoding": {"x": time_x("t0", *window), "tooltip": field("tip", "nominal")},
        }
    ]


def acted_words(window: tuple[float, float], height: int, p: Palette) -> list[Spec]:
    """Return the words beside these rules, at the foot of a lane; on a phone a sentence beside the chart has them."""
    named = {
        "data": data("acted"),
        "transform": [{"filter": "isValid(datum.word_at)"}],
        "mark": {"type": "text", "baseline": "bottom", "color": p.ink, "fontSize": 11, "opacity": WIDE_ONLY},
        "encoding": {"x": time_x("word_at", *window), "y": {"value": height - 3}, "text": field("word", "nominal")},
    }
    return haloed(named, p.surface)


def rules(shared: Shared, window: tuple[float, float], p: Palette, state: str | None) -> list[Spec]:
    """Return the dashed rule of the beginning and the solid one of the change, in the colour of the new state."""
    styles: dict[str, Spec] = {
        "began": {"color": p.accent, "strokeDash": [3, 3], "strokeWidth": 1.5},
        "changed": {"color": state_text(p, state), "strokeWidth": 2},
    }
    return [
        {
            "data": data("moments"),
            "transform": _of(kind),
            "mark": {"type": "rule", **style, "clip": True},
            "encoding": {"x": time_x("t", *window)},
        }
        for kind, style in styles.items()
        if kind in shared.kinds
    ]


def state_rows(states: pl.DataFrame, window: tuple[float, float]) -> pl.DataFrame:
    """Add a height to each state, and its word where there is room for it: layout only."""
    span = window[1] - window[0]
    known = {k: v * STATE for k, v in HEIGHTS.items()}
    return states.with_columns(
        top=pl.col("state").replace_strict(known, default=6.0, return_dtype=pl.Float64),
        bottom=pl.lit(0.0),
        word=pl.when((pl.col("t1") - pl.col("t0")) / span >= 0.14)
        .then(pl.col("state").map_elements(state_word, return_dtype=pl.String, skip_nulls=False))
        .otherwise(pl.lit("")),
    )


def state_lane(
    window: tuple[float, float], p: Palette, new_state: str | None, shared: Shared, lost: list[Spec] | None = None
) -> Spec:
    """Return the lane of states: a bar as high as the state is bad, with its word, and both moments named above it.

    ``lost``: layers of times without data, under the bars.
    """
    bars = [layer for state in (*HEIGHTS, None) for layer in _state(state, window, p)]
    names = [
        layer
        for kind, height, colour in (("began", 7, p.accent), ("changed", 23, state_text(p, new_state)))
        if kind in shared.kinds
        for side, gap in (("right", -5), ("left", 5))
        for layer in haloed(_name(kind, side, gap, height, colour, window), p.surface)
    ]
    body = [*wash(shared, window, p), *(lost or []), *bars, *rules(shared, window, p, new_state), *names]
    return {"layer": body, "height": TOP}


def _state(state: str | None, window: tuple[float, float], p: Palette) -> list[Spec]:
    test = f"datum.state === '{state}'" if state else "!isValid(datum.state)"
    edge = {} if state else {"stroke": p.hair}
    mark: Spec = {"type": "rect", "color": health_fill(p, state) if state else p.sunk, "clip": True, **edge}
    colour = {"AT_RISK": p.at_risk_on, "CRITICAL": p.critical_on, "HEALTHY": p.healthy_text}.get(state or "", p.mut)
    word: Spec = {
        "type": "text",
        "align": "left",
        "baseline": "bottom",
        "dx": 5,
        "dy": {"CRITICAL": -5, "AT_RISK": -1}.get(state or "", -9),
        "fontWeight": 600,
        "color": colour,
    }
    scale = {"domain": [0, TOP]}
    x = time_x("t0", *window)
    return [
        {
            "data": data("states"),
            "transform": [{"filter": test}],
            "mark": mark,
            "encoding": {
                "x": x,
                "x2": {"field": "t1"},
                "y": field("top", scale=scale, axis=None),
                "y2": {"field": "bottom"},
            },
        },
        {
            "data": data("states"),
            "transform": [{"filter": f"{test} && datum.word !== ''"}],
            "mark": word,
            "encoding": {"x": x, "y": field("bottom", scale=scale, axis=None), "text": field("word", "nominal")},
        },
    ]


def _name(kind: str, side: str, gap: int, height: int, colour: str, window: tuple[float, float]) -> Spec:
    """Return the words of a moment on one side of its rule; each kind has a row of its own, so that they never collide."""
    mark = {"type": "text", "align": side, "dx": gap, "color": colour, "fontWeight": 600, "baseline": "middle"}
    return {
        "data": data("moments"),
        "transform": _of(kind, side),
        "mark": mark,
        "encoding": {"x": time_x("t", *window), "y": {"value": height}, "text": field("text", "nominal")},
    }
