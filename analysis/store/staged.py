"""Facts spooled to disk in, rows to merge out, as temporary tables: which rows are new for certain, and which must be compared.

Nearly every message of an export is told once and is not in the store yet: it goes in as it lies in the spool. Only the others ("odd") are
compared with each other and with the store, a part at a time, so that memory does not grow with the rows. Ids are told apart by a hash of
64 bits: two ids that share one make their rows odd, and odd rows are compared by their ids.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from analysis.store.compared import FIELDS
from analysis.store.fields import IDENTITY, NAMED

PART_IDS = 16_000_000
"""Hashes of ids that are sorted at once (8 bytes each)."""
PART_ROWS = 1_000_000
"""Odd rows that are compared at once: they lie in memory then, about 0.3 GB, and once more in order."""
HASH = "hash(message_id)"
PLAIN = "plain(message_id)"
"""Says in SQL of a staged message that it is told once and is not in the store, or may be: those of a short log are all compared."""
TABLES = ("stage_message", "stage_chat", "stage_health", "stage_change", "known_message", "odd_id")
"""What ``stage`` and ``look`` make."""


@dataclass
class Spooled:
    """One file's facts on disk, ready to merge."""

    source_id: str
    path: str
    kind: str
    spool: Path
    read: int
    ignored: Counter[str]
    refused: list[pl.DataFrame]
    notes: Counter[str]
    late: Counter[str]
    """How many message events say when they happened and were made ("timed"), and how many of these late."""
    grows: bool = False
    """Whether it is a part of a source that goes on (a day of the receiver): its counts are added to those of the parts before."""

    @property
    def is_table(self) -> bool:
        """Whether each of its rows tells one thing; a line of another kind may tell several."""
        return self.kind in ("messages", "chats", "transitions")


def stage(con: duckdb.DuckDBPyConnection, sources: list[Spooled], *, copied: bool) -> None:
    """Make temp.stage_message, stage_chat, stage_health and stage_change: what was spooled, with the number of its source.

    Messages stay in the spool and are read there each time, unless they are to be ``copied`` for somebody who takes some out.
    """
    con.execute(f"create or replace temp macro hashed(message_id) as {HASH}")
    con.execute("create or replace temp table spooled (spool_file varchar, source_no integer)")
    _stage_messages(con, _files(con, sources, "messages"), copied=copied)
    chat = "0::bigint as position, chat_id, line, recipient, is_group, created_at from chat"
    for table, spooled, columns, cells in (
        ("chat", "chats", chat, "*"),
        ("health", "health", "0::bigint as position, * from chat_health", '0 as position, chat_id, "at" as known_at, health'),
        ("change", "changes", "0::bigint as position, * from change", "*"),
    ):  # fmt: skip
        con.execute(f"create or replace temp table stage_{table} as select 0 as source_no, {columns} limit 0")
        if files := _files(con, sources, spooled):
            con.execute(
                f"insert into temp.stage_{table} by name select source_no, {cells.replace('*', '* exclude (spool_file, source_no)')} from {files}"
            )


def _files(con: duckdb.DuckDBPyConnection, sources: list[Spooled], name: str) -> str:
    """Return SQL for the spooled rows of one kind, with ``source_no``; empty where there are none."""
    found = [(str(f), number) for number, s in enumerate(sources) for f in sorted(s.spool.glob(f"{name}-*.parquet"))]
    if not found:
        return ""
    rows = pl.DataFrame(found, schema=["spool_file", "source_no"], orient="row")  # noqa: F841  # read by DuckDB under its name
    con.execute("insert into temp.spooled by name select * from rows")
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file, _ in found)
    return f"read_parquet([{listed}], filename = 'spool_file') join temp.spooled using (spool_file)"


def _stage_messages(con: duckdb.DuckDBPyConnection, files: str, *, copied: bool) -> None:
    empty = "select 0 as source_no, 0::bigint as position, * from message limit 0"
    if not files:
        con.execute(f"create temp table stage_message as {empty}")
        return
    # the k-th of several identical rows of a file is one message, and the same one in every file that has it
    con.execute(
        f"""
        create or replace temp table named_message as
        select 'x_' || md5({NAMED} || '|' || k::varchar) as message_id, * exclude (message_id, k, spool_file)
        from (
          select *, row_number() over (
            partition by source_no, {IDENTITY} order by delivered_at, read_at, failed_at, failure_code, trace_id, position
          ) as k
          from {files} where message_id is null
        )
        """
    )
    con.execute(
        f"""
        create temp {"table" if copied else "view"} stage_message as
        ({empty})
        union all by name select * exclude (spool_file) from {files} where message_id is not null
        union all by name select * from temp.named_message
        """
    )


def look(con: duckdb.DuckDBPyConnection, *, log: bool) -> bool:
    """Find the messages that must be compared: ``odd_id`` (hashes of their ids, and how many rows have each), and of the store ``known_message`` (with ``row_no``).

    Args:
        con: an open store with what ``stage`` made.
        log: whether all is of logs, which tell most messages several times: the rows of one that is short are all compared, since to find
            out which of them need it costs more.

    Returns:
        whether all rows are to be compared; ``odd_id`` does not tell of those of ``stage_message`` then.
    """
    ((rows,),) = con.execute("select count(*) from temp.stage_message").fetchall()
    whole = log and rows <= PART_ROWS
    repeated = _NONE_REPEATED if whole else _repeated(con, rows)  # noqa: F841  # read by DuckDB under its name
    con.execute("create or replace temp table odd_id as select * from repeated")
    plain = "false" if whole else "hashed(message_id) not in (select h from temp.odd_id)"
    con.execute(f"create or replace temp macro plain(message_id) as {plain}")
    con.execute("create or replace temp table known_message as select rowid as row_no, * from message limit 0")
    if con.execute("select 1 from message limit 1").fetchall():
        con.execute(
            "insert into temp.known_message select rowid, * from message where hashed(message_id) in (select hashed(message_id) from temp.stage_message)"
        )
        con.execute(
            "insert into temp.odd_id select distinct hashed(message_id), 1 from temp.known_message where hashed(message_id) not in (select h from temp.odd_id)"
        )
    return whole


_NONE_REPEATED = pl.DataFrame(schema={"h": pl.UInt64, "times": pl.UInt32})


def _repeated(con: duckdb.DuckDBPyConnection, rows: int) -> pl.DataFrame:
    """Return the hashes that more than one of so many staged rows has, and how many: columns h, times."""
    parts = rows // PART_IDS + 1
    found = [_NONE_REPEATED]
    for part in range(parts):
        own = f"where h % {parts} = {part}" if parts > 1 else ""
        told = con.sql(f"select h from (select hashed(message_id) as h from temp.stage_message) {own}").pl()
        told = told.sort("h").filter((pl.col("h") == pl.col("h").shift()) | (pl.col("h") == pl.col("h").shift(-1)))
        found.append(told.group_by("h").len("times"))
    return pl.concat(found)


def odd_parts(con: duckdb.DuckDBPyConnection, *, whole: bool) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Yield the odd rows (``whole``: all rows) a part at a time, all rows of an id in one, with what the store knows of them; never where there are none."""
    columns = ", ".join(("message_id", *FIELDS))

    def part(mine: str) -> tuple[pl.DataFrame, pl.DataFrame]:
        return (
            con.sql(f"select source_no, position, {columns} from temp.stage_message {mine}").pl(),
            con.sql(f"select row_no, {columns} from temp.known_message {mine}").pl(),
        )

    if whole:
        yield part("")
        return
    ((rows,),) = con.execute("select coalesce(sum(times), 0) from temp.odd_id").fetchall()
    parts = -(-rows // PART_ROWS)
    for number in range(parts):
        own = f"where h % {parts} = {number}" if parts > 1 else ""
        yield part(f"where hashed(message_id) in (select h from temp.odd_id {own})")


def drop(con: duckdb.DuckDBPyConnection) -> None:
    """Remove what ``stage`` and ``look`` made; the spool's files are the caller's."""
    views = {n for (n,) in con.execute("select view_name from duckdb_views() where temporary and not internal").fetchall()}  # fmt: skip
    for name in (*TABLES, "spooled", "named_message"):
        con.execute(f"drop {'view' if name in views else 'table'} if exists temp.{name}")
    con.execute("drop macro temp.plain; drop macro temp.hashed")
