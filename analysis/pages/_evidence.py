"""One change in, a ZIP for the vendor's support out: the reasons as text and JSON, and the figures behind them as CSV."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta

import msgspec
import polars as pl

from analysis import pipeline
from analysis.pages import _why, _why_hours
from analysis.pages import _words as words
from analysis.pages._store import Here
from analysis.schema import Explanation

HOURS_BEFORE, HOURS_AFTER = timedelta(days=9), timedelta(days=3)
"""The hours that are packed: from so long before it began to so long after the change, as the lanes show them."""
DAYS_BEFORE = timedelta(days=33)
"""The days that are packed before the change: the usual is taken from these."""
README = """Line Health: what is known about one change of a line's health

change.txt        the reasons as text
change.json       the same with every figure (analysis/METHOD.md has the definitions)
signals_hour.csv  the line's signals by hour around the change
signals_day.csv   the line's signals by day in the {days} days before it and up to it
chats.csv         the chats that weigh most in it, by the vendor's chat id
failures.csv      failed sends by hour and code around it, where there were any
openers.csv       conversations opened around it, where there were any

Times are UTC. There is no message text in here and no recipient: chats are named by the vendor's id, or by a keyed name where an id would tell a person.
"""


def bundle(e: Explanation, here: Here) -> bytes:
    """Return the evidence of a change as a ZIP.

    Args:
        e: the change.
        here: the state of the store.
    """
    at = words.instant(e.at)
    began = words.instant(e.onset) if e.onset else at
    start, end = _why_hours.span(e, here)
    hours: pl.DataFrame = here.read(pipeline.signals, grain="hour", line=e.line, since=began - HOURS_BEFORE)
    days: pl.DataFrame = here.read(pipeline.signals, grain="day", line=e.line)
    day = pl.col("day").cast(pl.Date)
    tables = {
        "signals_hour.csv": hours.filter(pl.col("hour") <= at + HOURS_AFTER),
        "signals_day.csv": days.filter(day >= (at - DAYS_BEFORE).date(), day <= at.date()),
        "chats.csv": pl.DataFrame(e.chats_to_fix, infer_schema_length=None),
        "failures.csv": here.read(pipeline.failures, line=e.line, since=start, until=end),
        "openers.csv": here.read(pipeline.openers, line=e.line, since=start, until=end),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("README.txt", README.format(days=DAYS_BEFORE.days))
        packed.writestr("change.txt", _why.as_text(e, here))
        packed.writestr("change.json", msgspec.json.format(msgspec.json.encode(e), indent=2))
        for name, frame in tables.items():
            if frame.height:
                packed.writestr(name, frame.write_csv())
    return out.getvalue()
