"""A frame in; the bytes of a file out: CSV, Parquet, or JSON with what the columns mean and the settings in force."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

import polars as pl

from analysis import pipeline
from analysis.pages._columns import meaning
from analysis.pages._store import Here


def csv_bytes(frame: pl.DataFrame) -> bytes:
    """Return a frame as CSV, UTF-8, safe to open in a spreadsheet; instants as ISO 8601 without a zone, which are UTC."""
    return pipeline.safe_cells(frame).write_csv(datetime_format="%Y-%m-%dT%H:%M:%S%.3f").encode()


def parquet_bytes(frame: pl.DataFrame, about: dict[str, Any]) -> bytes:
    """Return a frame as Parquet; ``about`` stands in the file's metadata under "linehealth", as JSON."""
    from io import BytesIO

    out = BytesIO()
    frame.write_parquet(out, metadata={"linehealth": json.dumps(about, ensure_ascii=False)})
    return out.getvalue()


def json_bytes(frame: pl.DataFrame, about: dict[str, Any]) -> bytes:
    """Return ``about`` with a frame's rows under "rows" as JSON."""
    whole = {**about, "rows": frame.to_dicts()}
    return json.dumps(whole, ensure_ascii=False, indent=1, default=_plain).encode()


def _plain(value: Any) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot stand in a file")


def about(card: str, title: str, words: str, sql: str, frame: pl.DataFrame, here: Here) -> dict[str, Any]:
    """Return what a file says of itself: what it holds, what its columns mean, and which store and settings it came from.

    Args:
        card: the card's name in HOW.
        title: what is counted.
        words: its definition.
        sql: the query that gives its figures.
        frame: the rows.
        here: the state of the store.
    """
    return {
        "what": title,
        "card": card,
        "definition": words,
        "sql": sql,
        "columns": {name: {"type": str(kind), **_told(name)} for name, kind in frame.schema.items()},
        "store": {"fingerprint": here.version, "as_of": here.status["as_of"]},
        "settings": asdict(here.settings),
    }


def _told(name: str) -> dict[str, str]:
    words, unit = meaning(name)
    return {"meaning": words, "unit": unit}
