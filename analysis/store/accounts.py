"""Staged facts in, what became of every row out: inserted, merged, duplicate, quarantined; counts that add up, kept by source."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime

import duckdb
import polars as pl

from analysis.store.fields import adds
from analysis.store.staged import PLAIN, Spooled

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


def _told(staged: str, known: str, key: tuple[str, ...], fields: tuple[str, ...], *, grouped: bool) -> str:
    """Return SQL that sorts staged rows into inserted, merged or duplicates by what is known before the merge; ``grouped``: they have is_group."""
    on = " and ".join(f"s.{c} is not distinct from t.{c}" for c in key)
    extra = " or (s.is_group is not null and t.is_group is null) or (s.is_group and not t.is_group)" if grouped else ""
    whole = ", ".join(f"s.{c}" for c in (*key, *fields, *(["is_group"] if grouped else [])))
    keyed = ", ".join(f"s.{c}" for c in key)
    return f"""
        select s.source_no, s.position, s.line, {"s.chat_id, " if grouped else ""}
          case
            when row_number() over (partition by {whole} order by s.source_no, s.position) > 1 then 'duplicates'
            when t.line_known is null and row_number() over (partition by {keyed} order by s.source_no, s.position) = 1 then 'inserted'
            when t.line_known is null or {adds(fields, "s", "t")}{extra} then 'merged'
            else 'duplicates'
          end as outcome
        from temp.{staged} s
        left join (select *, true as line_known from {known}) t on {on}
        """


def tell(con: duckdb.DuckDBPyConnection) -> None:
    """Sort every staged chat and change, before the merge changes the store, into temp.told_chat and told_change; begin told_message for the odd messages; all others are inserted."""
    chats = _told("stage_chat", "chat", ("chat_id", "line"), ("recipient", "created_at"), grouped=True)
    con.execute(f"create or replace temp table told_chat as {chats}")
    key = ("line", "changed_at", "new_health", "new_status")
    changes = _told("stage_change", "change", key, ("previous_health", "previous_status"), grouped=False)
    con.execute(f"create or replace temp table told_change as {changes}")
    con.execute(
        "create or replace temp table told_message (source_no integer, position bigint, message_id varchar, outcome varchar)"
    )


def counted(con: duckdb.DuckDBPyConnection, sources: list[Spooled]) -> list[Counter[str]]:
    """Return, for each source, how many of its rows (lines) had which outcome; a line that told several things counts once."""
    counts: list[Counter[str]] = [Counter() for _ in sources]
    con.execute("create or replace temp table lost_chat as select chat_id, line from chat where not is_owner")
    # what was refused, or lost to another line, is quarantined whatever else became of it
    for number, position, kind in _lost(con):
        sources[number].refused.append(
            pl.DataFrame({"position": position, "kind": kind}).with_columns(
                reason=pl.lit(CONFLICT[0]), fix=pl.lit(CONFLICT[1])
            )
        )
    refused = pl.concat(  # noqa: F841  # read by DuckDB under its name
        [
            pl.DataFrame(schema={"source_no": pl.Int32, "position": pl.Int64}),
            *(
                f.select(pl.lit(number, dtype=pl.Int32).alias("source_no"), "position")
                for number, s in enumerate(sources)
                for f in s.refused
            ),
        ]
    )
    tables = ", ".join(str(n) for n, s in enumerate(sources) if s.is_table) or "-1"
    # rows of tables that are plain need no look at one another: each tells one message, and its position is its own
    best = con.execute(
        f"""
        select source_no, best, count(*) from (
          select source_no, position, min(case outcome when 'quarantined' then 0 when 'inserted' then 1 when 'merged' then 2 else 3 end) as best
          from (
            select source_no, position, 'quarantined' as outcome from refused
            union all select source_no, position, outcome from temp.told_change
            union all select source_no, position, outcome from temp.told_chat
            union all select source_no, position, outcome from temp.told_message
            union all select source_no, position, 'inserted' from temp.stage_message where source_no not in ({tables}) and {PLAIN}
          ) group by source_no, position
        ) group by all
        union all
        select source_no, 1, count(*) from temp.stage_message s where source_no in ({tables}) and {PLAIN}
          and not exists (from temp.lost_chat l where l.chat_id = s.chat_id and l.line = s.line) group by source_no
        """
    ).fetchall()
    for number, outcome, n in best:
        counts[number][("quarantined", "inserted", "merged", "duplicates")[outcome]] += n
    return counts


def _lost(con: duckdb.DuckDBPyConnection) -> Iterator[tuple[int, pl.Series, str]]:
    """Yield (source, positions of its rows that claim a chat of another line, kind of these rows)."""
    if not con.execute("select 1 from temp.lost_chat limit 1").fetchall():
        return
    for kind in ("message", "chat"):
        lost = con.sql(
            f"select distinct source_no, position from temp.stage_{kind} semi join temp.lost_chat using (chat_id, line) order by all"
        ).pl()
        for (number,), rows in lost.group_by("source_no", maintain_order=True):
            yield int(str(number)), rows["position"], kind


def drop(con: duckdb.DuckDBPyConnection) -> None:
    """Remove what ``tell`` and ``counted`` made."""
    for name in ("told_message", "told_chat", "told_change", "lost_chat"):
        con.execute(f"drop table temp.{name}")


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
