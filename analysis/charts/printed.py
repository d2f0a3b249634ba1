"""A chart spec in, one SVG element for a document out: no script, no outside reference, the same bytes from the same figures.

What only a screen can use (hover targets, selections, tips, a name for every mark) is left out: on paper and in a mail it is weight. The
picture says in one sentence what it shows, for those who cannot see it.
"""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

from analysis.charts.spec import Spec

_LONG = re.compile(r"-?\d+\.\d{3,}(?:e-?\d+)?|-?\d+(?:\.\d+)?e-\d+")
"""Numbers with more digits than a screen or a printer can show."""
_SPOKEN = re.compile(r' (?:aria-[a-z]+|role|pointer-events|class|font-family)="[^"]*"')
_CLIP = re.compile(r"clip(\d+)")
_TAG = re.compile(r"<svg [^>]*?viewBox=\"([^\"]*)\"[^>]*>")
_EMPTY = re.compile(r"<g(?: [^<>]*)?/>|<g(?: [^<>]*)?></g>|<path d=\"M0,0h[\d.]+v[\d.]+h-[\d.]+Z\"/>")


def as_svg(spec: Spec, *, width: int, alt: str, name: str) -> str:
    """Return a chart as an SVG element that stands in HTML as it is.

    Args:
        spec: what a function of this room returned for the light theme; ``theme.repaint`` paints it dark where the reader's screen is.
        width: of the plot in pixels; axis labels at the left come on top.
        alt: one sentence that says what it shows.
        name: a word of its own in the document, for references inside the picture.
    """
    import vl_convert  # takes a tenth of a second, which the app need not wait for

    whole = _quiet({**spec, "datasets": {n: frame.to_dicts() for n, frame in spec["datasets"].items()}})
    if "vconcat" in whole:
        whole["vconcat"] = [{**view, "width": width} for view in whole["vconcat"]]
    else:
        whole["width"] = width
    svg = vl_convert.vegalite_to_svg(json.dumps(whole), vl_version="6.4")
    return _clean(svg, alt, name)


def _quiet(part: Any) -> Any:
    """Return a part of a spec without what answers a pointer."""
    if isinstance(part, list):
        return [_quiet(p) for p in part if not _unseen(p)]
    if isinstance(part, dict):
        return {k: v if k == "datasets" else _quiet(v) for k, v in part.items() if k not in ("params", "tooltip")}
    return part


def _unseen(part: Any) -> bool:
    mark = part.get("mark") if isinstance(part, dict) else None
    return isinstance(mark, dict) and mark.get("opacity") == 0


def _clean(svg: str, alt: str, name: str) -> str:
    numbers: dict[str, int] = {}
    found = _TAG.search(svg)
    box = found[1] if found else "0 0 1 1"
    body = svg[found.end() :] if found else svg
    body = _SPOKEN.sub("", body)
    body = _CLIP.sub(lambda m: f"{name}-{numbers.setdefault(m[1], len(numbers))}", body)
    body = _LONG.sub(
        lambda m: (
            f"{float(m[0]):.1f}".removesuffix(".0").replace("-0", "0")
            if abs(float(m[0])) < 0.05
            else f"{float(m[0]):.1f}".removesuffix(".0")
        ),
        body,
    )
    before = ""
    while before != body:  # a group that held only empty groups is empty itself
        before, body = body, _EMPTY.sub("", body)
    width = box.split()[2]
    return f'<svg class="lh-chart" role="img" aria-label="{escape(alt)}" viewBox="{box}" width="{width}" xmlns="http://www.w3.org/2000/svg">{body}'
