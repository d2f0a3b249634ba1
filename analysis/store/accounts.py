"""Staged facts in, what became of every row out: inserted, merged, duplicate, quarantined; counts that add up, kept by source."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from analysis.store.fields import MIN_FIELDS, adds

if TYPE_CHECKING:
    from analysis.store.load import Spooled

CONFLICT = (
    "another line claims this chat",
    "a chat is on one line: correct the line of these rows; the line with more messages keeps the chat",
)


COUNTS = ("read", "inserted", "merged", "duplicates", "ignored", "quarantined")
"""What contract.md, section 6 counts of a source: the first is the sum of the others."""


@dataclass
class SourceReport:
    """What came of one file; read = inserted + merged + duplicates + ignored + quarantined."""

    path: str
    kind: str
    read: int = 0
    inserted: int = 0
    merged: int = 0
    duplicates: int = 0
    ignored: int = 0
    quarantined: int = 0
    ignored_kinds: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    known: bool = False
    """The very same content was loaded before; nothing had to be read again."""

    def as_json(self) -> dict[str, object]:
        """Return the report in the words of contract.md, section 6."""
        return asdict(self)


def count_into(total: object, told: SourceReport) -> None:
    """Add what came of one source to a report that has COUNTS."""
    for name in COUNTS:
        setattr(total, name, getattr(total, name) + getattr(told, name))


def known_source(con: duckdb.DuckDBPyConnection, source_id: str, path: str) -> SourceReport | None:
    """Return the report of a file whose content is in the store already: all of it is duplicates now."""
    rows = con.execute(
        "select kind, read, ignored, quarantined, ignored_kinds, notes from source where source_id = ?", [source_id]
    ).fetchall()
    if not rows:
        return None
    kind, read, ignored, quarantined, kinds, notes = rows[0]
    return SourceReport(
        path,
        kind,
        read,
        0,
        0,
        read - ignored - quarantined,
        ignored,
        quarantined,
        json.loads(kinds),
        json.loads(notes),
        known=True,
    )


def _told(con: duckdb.DuckDBPyConnection, name: str, table: str, key: tuple[str, ...], fields: tuple[str, ...]) -> None:
    """Sort every staged row into inserted, merged or duplicates, before the merge changes the store."""
    on = " and ".join(f"s.{c} is not distinct from t.{c}" for c in key)
    extra = (
        " or (s.is_group is not null and t.is_group is null) or (s.is_group and not t.is_group)"
        if table in ("message", "chat")
        else ""
    )
    whole = ", ".join(f"s.{c}" for c in (*key, *fields, *(["is_group"] if extra else [])))
    keyed = ", ".join(f"s.{c}" for c in key)
    con.execute(
        f"""
        create or replace temp table told_{name} as
        select s.source_no, s.position, s.line, {"s.message_id," if table == "message" else ""} {"s.chat_id," if table in ("message", "chat") else "null as chat_id,"}
          case
            when row_number() over (partition by {whole} order by s.source_no, s.position) > 1 then 'duplicates'
            when t.line_known is null and row_number() over (partition by {keyed} order by s.source_no, s.position) = 1 then 'inserted'
            when t.line_known is null or {adds(fields, "s", "t")}{extra} then 'merged'
            else 'duplicates'
          end as outcome
        from temp.stage_{name} s
        left join (select *, true as line_known from {table}) t on {on}
        """
    )


def tell_all(con: duckdb.DuckDBPyConnection) -> None:
    """Sort every staged message, chat and change, before the merge changes the store: tables told_message, told_chat, told_change."""
    for tell in (_count_messages, _count_chats, _count_changes):
        tell(con)


def _count_messages(con: duckdb.DuckDBPyConnection) -> None:
    _told(con, "message", "message", ("message_id",), MIN_FIELDS)


def _count_chats(con: duckdb.DuckDBPyConnection) -> None:
    _told(con, "chat", "chat", ("chat_id", "line"), ("recipient", "created_at"))


def _count_changes(con: duckdb.DuckDBPyConnection) -> None:
    _told(
        con,
        "change",
        "change",
        ("line", "changed_at", "new_health", "new_status"),
        ("previous_health", "previous_status"),
    )


def counted(con: duckdb.DuckDBPyConnection, sources: list[Spooled]) -> list[Counter[str]]:
    """Return, for each source, how many of its rows (lines) had which outcome; a line that told several things counts once."""
    counts: list[Counter[str]] = [Counter() for _ in sources]
    empty = pl.DataFrame(schema={"source_no": pl.Int32, "position": pl.Int64})
    refused = pl.concat(  # noqa: F841  # read by DuckDB under its name
        [
            empty,
            *(
                f.select(pl.lit(number, dtype=pl.Int32).alias("source_no"), "position")
                for number, s in enumerate(sources)
                for f in s.refused
            ),
        ]
    )
    con.execute(
        """
        create or replace temp table outcome as
        select source_no, position, min(case outcome when 'quarantined' then 0 when 'inserted' then 1 when 'merged' then 2 else 3 end) as best
        from (
          select source_no, position, 'quarantined' as outcome from refused
          union all select source_no, position, outcome from temp.told_change
          union all select t.source_no, t.position, case when c.is_owner = false then 'quarantined' else t.outcome end
          from temp.told_message t left join chat c on c.chat_id = t.chat_id and c.line = t.line
          union all select t.source_no, t.position, case when c.is_owner = false then 'quarantined' else t.outcome end
          from temp.told_chat t left join chat c on c.chat_id = t.chat_id and c.line = t.line
        ) group by source_no, position
        """
    )
    for number, best, n in con.execute("select source_no, best, count(*) from temp.outcome group by all").fetchall():
        counts[number][("quarantined", "inserted", "merged", "duplicates")[best]] += n
    for name in ("message", "chat"):
        conflicts = f"select distinct t.source_no, t.position from temp.told_{name} t join chat c on c.chat_id = t.chat_id and c.line = t.line where not c.is_owner order by all"
        for number, position in con.execute(conflicts).fetchall():
            row = pl.DataFrame(
                [(position, name, *CONFLICT)],
                schema={"position": pl.Int64, "kind": pl.String, "reason": pl.String, "fix": pl.String},
                orient="row",
            )
            sources[number].refused.append(row)
    con.execute("drop table temp.outcome")
    return counts


def quarantine(con: duckdb.DuckDBPyConnection, source: Spooled, now: datetime) -> None:
    """Keep the refused rows of a source."""
    if not source.refused:
        return
    refused = pl.concat(source.refused).sort("position", "kind", "reason")
    rows = refused.with_columns(  # noqa: F841  # read by DuckDB under its name
        source_id=pl.lit(source.source_id),
        ordinal=pl.int_range(pl.len()).over("position").cast(pl.Int32),
        loaded_at=pl.lit(now).cast(pl.Datetime("ms")),
    )
    con.execute(
        "insert or ignore into quarantine by name select source_id, position, ordinal, kind, reason, fix, loaded_at from rows"
    )


def put_aside(con: duckdb.DuckDBPyConnection, source_id: str) -> None:
    """Take out what is kept of a source that grows, for ``add_up``."""
    con.execute("create or replace temp table before as select * from source where source_id = ?", [source_id])
    con.execute("delete from source where source_id = ?", [source_id])


def add_up(con: duckdb.DuckDBPyConnection, source_id: str) -> None:
    """Add the counts of a source's earlier parts, put aside before, to its row."""
    kinds: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    for ignored, told in con.execute(
        "select ignored_kinds, notes from source where source_id = ? union all select ignored_kinds, notes from temp.before", [source_id]
    ).fetchall():  # fmt: skip
        kinds.update(json.loads(ignored))
        for note in json.loads(told):
            n, _, words = note.partition(" ")
            notes[words] += int(n.replace(",", ""))
    sums = ", ".join(f"{c} = source.{c} + b.{c}" for c in (*COUNTS, "timed", "late_1h", "late_24h"))
    con.execute(
        f"update source set {sums}, first_at = least(source.first_at, b.first_at), last_at = greatest(source.last_at, b.last_at) from temp.before b where source.source_id = b.source_id"
    )
    con.execute(
        "update source set ignored_kinds = ?, notes = ? where source_id = ?",
        [json.dumps(dict(sorted(kinds.items()))), json.dumps([f"{n:,} {words}" for words, n in sorted(notes.items())]), source_id],
    )  # fmt: skip
    con.execute("drop table temp.before")
