"""What only a notebook needs: explanations as cards, the Why page's picture as an Altair chart, frames shown whole. Needs no Streamlit."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from analysis import pipeline
from analysis.charts import Theme, as_chart, draw_here
from analysis.errors import UsageError
from analysis.pages import _lanes
from analysis.pages._card import Explanations
from analysis.pages._frames import USUAL_DAYS, clipped, trailing
from analysis.pages._words import change_keys, find_change, instant, worsened

ROWS, WORDS = 30, 120
"""Rows of a frame, and characters of a cell, that a notebook shows once ``notebook`` was called."""


def explain(
    store: pipeline.Where = None,
    *,
    line: str | None = None,
    since: pipeline.When = None,
    until: pipeline.When = None,
) -> Explanations:
    """Return why each change of health or status happened, oldest first; a notebook shows them as cards.

    A list of explanations (contract.md, section 7): ``.worse`` keeps changes for the worse, ``.frame`` has a row each.

    Args:
        store: path of the store; default as everywhere.
        line: of this line only, E.164.
        since: changes from then on; text is ISO 8601, UTC where it names no zone.
        until: changes before then.

    Raises:
        StoreError: the store cannot be read.

    Example:
        >>> change = lh.explain(line="+13125550103").worse[0]
        >>> change.new, change.drivers[0].driver
        ('AT_RISK', 'new_conversations')
        >>> round(sum(d.share for d in change.drivers), 6)
        1.0
    """
    return Explanations.of(pipeline.explanations(store, line=line, since=since, until=until))


def notebook() -> None:
    """Set a notebook up: charts are drawn on this machine (no request leaves it), frames show all columns and whole sentences.

    Example:
        >>> lh.notebook()
    """
    draw_here()
    pl.Config(tbl_rows=ROWS, tbl_cols=-1, fmt_str_lengths=WORDS, float_precision=3, tbl_hide_dataframe_shape=True)


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

    Example:
        >>> len(lh.chart_why(line="+16025550104").to_dict()["vconcat"]) >= 3  # lanes, one over the other
        True
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
