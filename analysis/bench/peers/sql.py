"""The same by day as one query of expert DuckDB SQL (day.sql)."""

from __future__ import annotations

import tempfile
from importlib.resources import files
from pathlib import Path

import duckdb
import polars as pl


def by_day(database: str | Path, *, memory_gb: float | None = None) -> pl.DataFrame:
    """Return the counting columns by line_no and day (a number) of a database of ``coded.write_coded``; nulls where nothing is."""
    script = (files("analysis.bench.peers") / "day.sql").read_text(encoding="utf-8")
    judged, table = (part for part in script.split(";\n") if part.strip())
    with tempfile.TemporaryDirectory() as scratch, duckdb.connect(str(database), read_only=True) as con:
        con.execute(f"set temp_directory = '{scratch}'")
        if memory_gb is not None:
            con.execute(f"set memory_limit = '{memory_gb}GB'")
        as_of = con.execute("select max(at_ms) from coded").fetchall()[0][0]
        con.execute(judged.replace("$as_of", str(int(as_of))))
        con.execute(table)
        return con.sql("select * from day_table order by line_no, day").pl()
