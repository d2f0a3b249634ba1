"""One load in this process: a file in, its rows in a store (or in a plain DuckDB table) and what that cost as JSON on stdout out.

A module of its own, started once a run: ``python -m analysis.bench.loading WAY PATTERN DATABASE``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import duckdb

from analysis import pipeline
from analysis.bench.steps import costs

_DELIVERY = """{
  event_type: 'varchar', event_id: 'varchar', created_at: 'timestamp', trace_id: 'varchar',
  data: 'struct(id varchar, chat struct(id varchar, is_group boolean, owner_handle struct(handle varchar, is_me boolean),
    health_status struct(status varchar, updated_at timestamp)), direction varchar, sender_handle struct(handle varchar, is_me boolean),
    service varchar, sent_at timestamp, delivered_at timestamp, read_at timestamp)'
}"""
"""The fields of a delivery that ours reads too, with their types."""
_COUNTED = "count(*), coalesce(bit_xor(hash(message_id)), 0)::varchar from (select distinct {column} as message_id from {table} where {column} is not null)"


def ours(pattern: str, database: str) -> None:
    """Read, check, deduplicate and merge; what is derived stays for a refresh."""
    report = pipeline.load(pattern, store=database, refreshed=False)
    if report.failed or report.skipped or not report.sources:
        raise SystemExit(f"nothing was loaded from {pattern}")


def table(pattern: str, database: str) -> None:
    """Make a plain table of Parquet files in the order in which a store keeps messages."""
    with duckdb.connect(database) as con:
        con.execute(
            "create table told as select * from read_parquet(?) order by line, chat_id, sent_at, message_id", [pattern]
        )


def lines(pattern: str, database: str) -> None:
    """Make a plain table of typed deliveries, one a line."""
    with duckdb.connect(database) as con:
        con.execute(
            f"create table told as select * from read_json(?, format = 'newline_delimited', columns = {_DELIVERY})",
            [pattern],
        )


WAYS: dict[str, tuple[Callable[[str, str], None], str, str]] = {
    "ours": (ours, "message", "message_id"),
    "table": (table, "told", "message_id"),
    "lines": (lines, "told", "data.id"),
}
"""By name: the load, and the table and column in which the ids of messages then are."""


def main(way: str, pattern: str, database: str) -> None:
    """Load once; prints seconds and processor seconds (imports left out), the peak in megabytes, and how many messages with which ids there are."""
    load, name, column = WAYS[way]
    with costs() as cost:
        load(pattern, database)
    with duckdb.connect(database, read_only=True) as con:
        ((messages, ids),) = con.execute("select " + _COUNTED.format(column=column, table=name)).fetchall()
    sys.stdout.write(json.dumps({**cost, "messages": messages, "ids": ids}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
