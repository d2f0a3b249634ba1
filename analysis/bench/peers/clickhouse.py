"""The same by day as ClickHouse SQL (clickhouse.sql), inside this process through chdb; the coded tables are loaded into its own tables first."""

from __future__ import annotations

import io
import shutil
from importlib.resources import files
from pathlib import Path

import duckdb
import polars as pl

_TABLES = {
    "coded": ("talk Int32, line_no Int32, at_ms Int64, outbound Bool, failed Bool, pos Int64", "(talk, pos)"),
    "coded_chat": ("talk Int32, created_ms Int64", "talk"),
    "coded_health": ("talk Int32, line_no Int32, at_ms Int64, health LowCardinality(String)", "(talk, at_ms)"),
}


def home(database: str | Path) -> Path:
    """Return the folder that ClickHouse keeps the tables of a database of ``coded.write_coded`` in."""
    return Path(f"{database}.clickhouse")


def load(database: str | Path, scratch: str | Path) -> None:
    """Load the coded tables into ClickHouse's own, each in the order that suits it; not part of what is measured.

    Args:
        database: of ``coded.write_coded``.
        scratch: a folder for the Parquet files between the two; its files are left there.
    """
    from chdb.session import Session

    shutil.rmtree(home(database), ignore_errors=True)
    with duckdb.connect(str(database), read_only=True) as con:
        for name in _TABLES:
            also = ", row_number() over () as pos" if name == "coded" else ""
            con.execute(f"copy (select *{also} from {name}) to '{Path(scratch) / name}.parquet' (format parquet)")
    with Session(str(home(database))) as session:
        session.query("create database bench")
        for name, (columns, order) in _TABLES.items():
            session.query(f"create table bench.{name} ({columns}) engine = MergeTree order by {order}")
            session.query(f"insert into bench.{name} select * from file('{Path(scratch) / name}.parquet', Parquet)")
            session.query(f"optimize table bench.{name} final")


def by_day(database: str | Path) -> pl.DataFrame:
    """Return the counting columns by line_no and day (a number) of a database that ``load`` has loaded."""
    from chdb.session import Session

    script = (files("analysis.bench.peers") / "clickhouse.sql").read_text(encoding="utf-8")
    judged, sends, days = (part for part in script.split(";\n") if part.strip())
    with Session(str(home(database))) as session:
        session.query("use bench")
        as_of = int(session.query("select max(at_ms) from coded", "CSV").bytes())
        for name, sql in (("judged", judged), ("sends", sends), ("days", days)):
            session.query(f"drop table if exists {name}")
            session.query(sql.replace("{as_of}", str(as_of)))
        found = session.query("select * from days order by line_no, day", "Parquet").bytes()
    return pl.read_parquet(io.BytesIO(found))
