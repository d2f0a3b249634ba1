"""Derived frames in, tables of the store out: marts are replaced whole, in the same transaction as the facts they rest on."""

from __future__ import annotations

from datetime import datetime

import duckdb
import polars as pl

from analysis.schema import INSTANT

EXPLANATIONS = pl.Schema(
    {
        "line": pl.String, "at": INSTANT, "kind": pl.String, "main_driver": pl.String, "headline": pl.String, "onset": INSTANT,
        "confidence": pl.String, "document": pl.String, "measured_p": pl.Float64,
        "compared_from": INSTANT,
    }
)  # fmt: skip
"""Explanations as kept, key (line, at, kind)."""
TABLES = (
    "signal_day", "signal_hour", "spell", "transition", "explanation", "gap", "forecast", "gate", "chat_state", "delivery_day",
    "line_total", "opener", "failure_hour", "progress", "observed_change", "quiet_time", "lesson",
    "line_day", "asked_line", "asked_day", "asked_service", "asked_hour", "expected_receipt",
)  # fmt: skip


PROGRESS = pl.Schema({"line": pl.String, "at": INSTANT, "kind": pl.String, "document": pl.String})
"""Steps of a worsening and what has been done of them as kept, key (line, at, kind)."""
_EFFECTS = pl.List(pl.Float64)
QUIET_TIMES = pl.Schema([("line", pl.String), ("day", pl.Date), ("effects", _EFFECTS)])
"""Effects at the noon of quiet days as kept, key (line, day)."""
LESSONS = pl.Schema(
    [("line", pl.String), ("at", INSTANT), ("kind", pl.String), ("effects", _EFFECTS), ("unexplained", pl.Float64)]
)
"""What worsenings teach as kept, key (line, at, kind)."""
TIMES = {"forecast": "forecast_at", "gate": "gate_at", "opener": "sent_at"}
"""What ``at`` is called in a table, where not changed_at."""


def replace(con: duckdb.DuckDBPyConnection, table: str, frame: pl.DataFrame) -> None:
    """Replace the rows of one mart by those of a frame with its columns."""
    clear(con, table)
    add(con, table, frame)


def clear(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Let go of the rows of one mart."""
    if table not in TABLES:
        raise ValueError(table)
    con.execute(f"delete from {table}")


def add(con: duckdb.DuckDBPyConnection, table: str, frame: pl.DataFrame) -> None:
    """Add the rows of a frame with its columns to one mart."""
    if table not in TABLES:
        raise ValueError(table)
    if frame.is_empty():
        return
    if "at" in frame.columns:  # a reserved word in SQL: people should not have to quote it
        frame = frame.rename({"at": TIMES.get(table, "changed_at")})
    con.execute(f"insert into {table} by name select * from frame")


def set_setting(con: duckdb.DuckDBPyConnection, key: str, value: str | None) -> None:
    """Keep one setting, or forget it where value is None."""
    if value is None:
        con.execute("delete from setting where key = ?", [key])
    else:
        con.execute("insert or replace into setting values (?, ?)", [key, value])


def set_meta(con: duckdb.DuckDBPyConnection, key: str, value: str) -> None:
    """Keep one fact about the store."""
    con.execute("delete from meta where key = ?", [key])  # with the insert a third of what "insert or replace" costs
    con.execute("insert into meta values (?, ?)", [key, value])


def keep_audit(
    con: duckdb.DuckDBPyConnection, audit_id: str, line: str, *, status: str, at: datetime, document: str | None
) -> None:
    """Archive an answer of the vendor's audit; a complete one is never replaced by one that is not."""
    con.execute(
        """
        insert into audit values ($1, $2, $3, $3, $4, $5)
        on conflict (audit_id) do update set answered_at = excluded.answered_at, status = excluded.status, document = excluded.document
        where audit.status <> 'complete' or excluded.status = 'complete'
        """,
        [audit_id, line, at, status, document],
    )


def keep_actions(con: duckdb.DuckDBPyConnection, frame: pl.DataFrame, *, now: datetime) -> int:
    """Keep actions (ACTIONS); one that is known takes the new label and source. Returns how many are new."""
    count = "select count(*) from action"
    before = con.execute(count).fetchall()[0][0]
    frame = frame.rename({"at": "acted_at"}).with_columns(recorded_at=pl.lit(now, dtype=INSTANT))
    con.execute("insert or replace into action by name select * from frame")
    return int(con.execute(count).fetchall()[0][0] - before)


def drop_action(con: duckdb.DuckDBPyConnection, action_id: str) -> bool:
    """Forget one action; False where there is none of this name."""
    return bool(con.execute("delete from action where action_id = ? returning action_id", [action_id]).fetchall())


def keep_alerts(con: duckdb.DuckDBPyConnection, frame: pl.DataFrame) -> None:
    """Keep alerts that were delivered (ALERTED without ``calm_at``); one that is known stays as it is."""
    frame = frame.rename({"at": "alerted_at", "group": "told_in"})
    con.execute(
        "insert into alert by name select * from frame anti join alert using (line, kind, alerted_at, main_driver) where kind = 'likely'"
    )
    con.execute(
        "insert into alert by name select * from frame anti join alert using (line, kind, changed, changed_at) where kind <> 'likely'"
    )


def calm_alerts(con: duckdb.DuckDBPyConnection, lines: list[str], *, at: datetime) -> None:
    """Note that the chance of some lines was seen under half of the level: what was told before may be told again."""
    con.execute(
        "update alert set calm_at = $at where kind = 'likely' and calm_at is null and alerted_at <= $at and list_contains($lines, line)",
        {"at": at, "lines": lines},
    )
