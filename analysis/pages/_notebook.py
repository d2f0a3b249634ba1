"""A store and a line in; the Why page's picture out as an Altair chart, for notebooks and reports. Needs no Streamlit."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from analysis import pipeline
from analysis.charts import Theme, as_chart
from analysis.errors import UsageError
from analysis.pages import _lanes
from analysis.pages._frames import USUAL_DAYS, clipped, trailing
from analysis.pages._words import change_keys, find_change, instant, worsened


def chart_why(
    store: str | Path | None = None, *, line: str, at: str | None = None, theme: Theme = "light", width: int = 860
) -> Any:
    """Return what moved on a line, and when, round one change: the lanes of the Why page as an Altair chart.

    Args:
        store: path of the store; default as everywhere.
        line: the line, E.164.
        at: the change's time (ISO 8601, or the word that the app's addresses have); default the last one for the worse.
        theme: "light" or "dark".
        width: in pixels.

    Raises:
        UsageError: no such line or change, or no message in its window. StoreError: the store cannot be read.
    """
    lines = pipeline.lines(store)
    if line not in lines["line"]:
        raise UsageError("no such line in the store", where=line, fix="`linehealth signals` lists them")
    found = pipeline.explanations(store, line=line)
    keys = change_keys(found)
    if at is not None:
        key = find_change(found, at)
        if key is None:
            raise UsageError("no change at this time", where=f"{line} {at}", fix="`linehealth explain` lists them")
    else:
        key = next((k for k in reversed(keys) if worsened(keys[k])), next(reversed(keys), None))
    e = keys[key] if key else None
    told, chosen = pipeline.status(store), pipeline.settings(store)
    as_of = instant(told["as_of"])
    start, _ = _lanes.window(e, as_of)
    hours = pipeline.signals(store, grain="hour", line=line, since=start - timedelta(days=USUAL_DAYS + 1))
    pic = _lanes.picture(trailing(hours), e, chosen, as_of)
    if not pic.drawn:
        raise UsageError("no message of this line is loaded for this period", where=line, fix="load its messages")
    states = clipped(pipeline.spells(store, line=line), lines, since=pic.start, until=pic.end)
    gaps = pipeline.gaps(store, line=line, since=pic.start, until=pic.end)
    done = _lanes.did(pipeline.actions(store, line=line), pic, chosen.zone)
    return as_chart(_lanes.lanes_spec(pic.drawn, states, gaps, done, e, pic, chosen.zone, theme), width=width)
