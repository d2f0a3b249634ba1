"""Parts of Vega-Lite specs as plain dicts, and the way from such a dict to an Altair chart for notebooks and reports.

Pages draw the dict itself: building Altair objects on every click costs a hundred times as much (design sheet, section 8).
Times are columns of floats, milliseconds since 1970 of the wall clock to be shown, so that no browser zone can move them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import altair as alt
import polars as pl
from altair.utils.schemapi import debug_mode

from analysis.charts.theme import Theme, config

Spec = dict[str, Any]

PARTS: dict[str, Any] = {"vconcat": alt.VConcatChart, "layer": alt.LayerChart}
"""What a spec of parts is to Altair: not told, it checks the spec against every kind of chart in turn."""
TIME_AXIS, TITLED_AXIS = 24, 46
"""Height that a time axis, and an axis with a title, take of a chart: in the app a chart's height holds its axes too."""
WIDE_ONLY: dict[str, str] = {"expr": "windowSize()[0] <= 640 ? 0 : 1"}
"""Opacity of words that would cross the data on a phone (the style sheet's narrow width); the page says them beside the chart there."""


def document(
    body: Spec, datasets: dict[str, pl.DataFrame], theme: Theme, *, padding: tuple[int, int, int, int] = (0, 6, 4, 2)
) -> Spec:
    """Return a whole spec. ``padding`` is left, right, top, bottom and must be at the top level to count."""
    left, right, top, bottom = padding
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "config": config(theme),
        "padding": {"left": left, "right": right, "top": top, "bottom": bottom},
        "datasets": datasets,
        **body,
    }


def as_chart(spec: Spec, *, width: int = 860) -> alt.TopLevelMixin:
    """Return the same picture as an Altair chart with its data inside.

    Args:
        spec: what a function of this room returned; it is left as it is.
        width: of each view in pixels; the app stretches instead.
    """
    whole = {**spec, "datasets": {name: frame.to_dicts() for name, frame in spec["datasets"].items()}}
    if "vconcat" in whole:
        whole["vconcat"] = [{"width": width, **view} for view in whole["vconcat"]]
    else:
        whole = {"width": width, **whole}
    kind = next((kind for part, kind in PARTS.items() if part in whole), alt.Chart)
    with debug_mode(False):  # checked as a whole; not each part of it once more, which takes three times as long
        return kind.from_dict(whole)


def draw_here() -> None:
    """Let notebooks draw charts as SVG on this machine: without it Altair's page asks a CDN for its scripts."""
    alt.renderers.enable("svg")


def data(name: str) -> Spec:
    """Return a reference to a named frame."""
    return {"name": name}


def field(name: str, kind: str = "quantitative", **more: Any) -> Spec:
    """Return an encoding of one column."""
    return {"field": name, "type": kind, **more}


def haloed(layer: Spec, ground: str) -> list[Spec]:
    """Return a text layer over its own outline in the ground's colour, so that it stays readable across data."""
    under = {
        **layer,
        "mark": {**layer["mark"], "color": ground, "stroke": ground, "strokeWidth": 3, "strokeJoin": "round"},
    }
    return [under, layer]


def iso(ms: float) -> str:
    """Return an instant as the text that a time scale's domain needs (numbers there put every point at zero)."""
    return datetime.fromtimestamp(ms / 1000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def time_x(name: str, start: float, end: float, *, axis: Any = None) -> Spec:
    """Return a time axis from ``start`` to ``end`` (ms), read as it stands: no zone is added."""
    return field(name, "temporal", scale={"type": "utc", "domain": [iso(start), iso(end)]}, axis=axis, title=None)


def time_axis(start: float, end: float, *, orient: str = "bottom") -> Spec:
    """Return axis settings whose labels name the weekday where there is room for it."""
    days = (end - start) / 86_400_000
    form = "%H:%M" if days <= 1.5 else "%a %H:%M" if days <= 5 else "%a %-d %b" if days <= 21 else "%-d %b"
    return {
        "orient": orient,
        "format": form,
        "tickCount": 6,
        "labelOverlap": True,
        "labelBound": True,
        "title": None,
        "grid": False,
    }
