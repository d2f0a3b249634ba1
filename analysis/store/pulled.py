"""What a pull and an audit keep beside the facts, in an open store: marks of chats, looks at lines, runs, audits asked for."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

import duckdb
import polars as pl

from analysis.schema import INSTANT

MARKS = pl.Schema({"chat_id": pl.String, "updated_at": INSTANT, "pulled_at": INSTANT})
"""How far each chat is pulled, key chat_id: its updated_at when its messages were read, and when that was."""
OBSERVATIONS = pl.Schema({"line": pl.String, "observed_at": INSTANT, "health": pl.String})
"""Health of lines as the API showed it, key (line, observed_at)."""


@dataclass(frozen=True)
class Run:
    """One run of pull, which may take several starts: when it began, and from when on it reads again (None: what has changed)."""

    started_at: datetime
    since: datetime | None = None


def marks(con: duckdb.DuckDBPyConnection) -> dict[str, tuple[datetime, datetime]]:
    """Return, for each chat that was pulled, its updated_at then and when that was."""
    rows = con.execute("select chat_id, updated_at, pulled_at from pull_mark").fetchall()
    return {chat: (updated, pulled) for chat, updated, pulled in rows}


def keep_marks(con: duckdb.DuckDBPyConnection, frame: pl.DataFrame) -> None:
    """Keep marks (MARKS), at most one a chat; a later pull of a chat replaces an earlier one."""
    con.execute(
        """
        insert into pull_mark by name select * from frame
        on conflict (chat_id) do update set updated_at = excluded.updated_at, pulled_at = excluded.pulled_at
        where excluded.pulled_at >= pull_mark.pulled_at
        """
    )


def keep_observations(con: duckdb.DuckDBPyConnection, frame: pl.DataFrame) -> None:
    """Keep looks at lines (OBSERVATIONS); of two at one instant the first kept counts."""
    con.execute("insert or ignore into observation by name select * from frame")


def open_run(con: duckdb.DuckDBPyConnection) -> Run | None:
    """Return the run that was stopped, if the latest one was."""
    rows = con.execute(
        "select started_at, since, finished_at from pull_run order by started_at desc limit 1"
    ).fetchall()
    return Run(rows[0][0], rows[0][1]) if rows and rows[0][2] is None else None


def keep_run(con: duckdb.DuckDBPyConnection, run: Run, finished_at: datetime | None) -> None:
    """Keep a run; one without an end was stopped."""
    con.execute("insert or replace into pull_run values (?, ?, ?)", [run.started_at, run.since, finished_at])


def is_folded(con: duckdb.DuckDBPyConnection, segment: str) -> bool:
    """Return whether the facts of a file of the spool are in the store already."""
    return bool(con.execute("select 1 from folded where segment = ?", [segment]).fetchall())


def keep_folded(con: duckdb.DuckDBPyConnection, segment: str) -> None:
    """Note that a file of the spool is in the store; those before it are removed from the disk, and forgotten."""
    con.execute("delete from folded where starts_with(segment, 'pull-')")
    con.execute("insert into folded values (?)", [segment])


def by_day(con: duckdb.DuckDBPyConnection, source_id: str, day_id: str) -> None:
    """Add what one source brought to the source of its day: a row a day, not one a run, is listed."""
    known = con.execute("select read, ignored_kinds, notes from source where source_id = ?", [day_id]).fetchall()
    if not known:
        for table in ("source", "quarantine"):
            con.execute(f"update {table} set source_id = ? where source_id = ?", [day_id, source_id])
        return
    read, kinds, notes = known[0]
    new = con.execute("select ignored_kinds, notes from source where source_id = ?", [source_id]).fetchall()[0]
    con.execute(
        "update quarantine set source_id = ?, position = position + ? where source_id = ?", [day_id, read, source_id]
    )
    con.execute(
        """
        update source s set read = s.read + n.read, inserted = s.inserted + n.inserted, merged = s.merged + n.merged,
          duplicates = s.duplicates + n.duplicates, ignored = s.ignored + n.ignored, quarantined = s.quarantined + n.quarantined,
          ignored_kinds = $kinds, notes = $notes, loaded_at = n.loaded_at,
          first_at = least(s.first_at, n.first_at), last_at = greatest(s.last_at, n.last_at),
          timed = s.timed + n.timed, late_1h = s.late_1h + n.late_1h, late_24h = s.late_24h + n.late_24h
        from (select * from source where source_id = $id) n where s.source_id = $day
        """,
        {
            "kinds": json.dumps(dict(sorted((Counter(json.loads(kinds)) + Counter(json.loads(new[0]))).items()))),
            "notes": json.dumps(sorted({*json.loads(notes), *json.loads(new[1])})),
            "id": source_id,
            "day": day_id,
        },
    )
    con.execute("delete from source where source_id = ?", [source_id])


def messages_a_chat(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return how many messages of each chat are known."""
    return dict(
        con.execute("select chat_id, count(*) from message where chat_id is not null group by chat_id").fetchall()
    )


def observations(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return all looks at lines: OBSERVATIONS, in order of its key."""
    return con.sql("select * from observation order by line, observed_at").pl().cast(dict(OBSERVATIONS))


@dataclass(frozen=True)
class AskedFor:
    """An audit that was asked for and not answered yet."""

    audit_id: str
    line: str
    requested_at: datetime


def keep_asked(con: duckdb.DuckDBPyConnection, asked: AskedFor) -> None:
    """Keep the id of an audit that the API is making; what is known of it stays."""
    con.execute(
        "insert or ignore into audit values (?, ?, ?, null, 'pending', null)",
        [asked.audit_id, asked.line, asked.requested_at],
    )


def lose_audit(con: duckdb.DuckDBPyConnection, audit_id: str) -> None:
    """Note that the API no longer has an audit that was never seen complete."""
    con.execute("update audit set status = 'lost' where audit_id = ? and status = 'pending'", [audit_id])


def pending_audits(con: duckdb.DuckDBPyConnection) -> list[AskedFor]:
    """Return audits asked for without an answer, oldest first."""
    rows = con.execute(
        "select audit_id, line, requested_at from audit where status = 'pending' order by requested_at, audit_id"
    ).fetchall()
    return [AskedFor(*row) for row in rows]


def is_answered(con: duckdb.DuckDBPyConnection, audit_id: str) -> bool:
    """Return whether an audit is archived with its end: complete, error or lost."""
    return bool(con.execute("select 1 from audit where audit_id = ? and status <> 'pending'", [audit_id]).fetchall())


def knows_audit(con: duckdb.DuckDBPyConnection, audit_id: str) -> bool:
    """Return whether an audit is in the store, answered or not."""
    return bool(con.execute("select 1 from audit where audit_id = ?", [audit_id]).fetchall())
