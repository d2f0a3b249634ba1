"""An open store in, frames of ``analysis.schema`` out: the one door from DuckDB to Polars."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import duckdb
import numpy as np
import polars as pl

from analysis.schema import (
    ACTIONS,
    ACTIVITY,
    ALERTED,
    CHANGES,
    CHAT_HEALTH,
    CHATS,
    FORECAST,
    GAPS,
    GATE,
    INSTANT,
    MESSAGES,
    OBSERVED,
    SIGNALS_DAY,
    SIGNALS_HOUR,
    SPELLS,
    TRANSITIONS,
)
from analysis.store.placed import all_placed, placed_on, view_over

_MESSAGE_ORDER = "line, chat_id, sent_at, direction desc, message_id"


def _between(
    column: str, line: str | None, since: datetime | None, until: datetime | None
) -> tuple[str, dict[str, object]]:
    """Return a where clause for a line and a half-open period [since, until), with its parameters."""
    parts: list[str] = ["true"]
    values: dict[str, object] = {}
    for test, name, value in (
        ("line = $line", "line", line),
        (f"{column} >= $since", "since", since),
        (f"{column} < $until", "until", until),
    ):
        if value is not None:
            parts.append(test)
            values[name] = value
    return " and ".join(parts), values


def frame_of(
    con: duckdb.DuckDBPyConnection, sql: str, schema: pl.Schema, values: dict[str, object] | None = None
) -> pl.DataFrame:
    """Return the rows of a query as a frame of a schema."""
    relation = con.sql(sql, params=values) if values else con.sql(sql)
    return relation.pl().select(schema.names()).cast(schema)


def messages(
    con: duckdb.DuckDBPyConnection,
    *,
    line: str | None = None,
    lines: list[str] | None = None,
    chat_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> pl.DataFrame:
    """Return placed messages as MESSAGES, in its order; of some lines or of one chat where such are named."""
    where, values = _between("sent_at", line, since, until)
    if lines is not None:
        where, values = f"{where} and list_contains($lines, line)", values | {"lines": lines}
    if chat_id is not None:
        where, values = f"{where} and chat_id = $chat_id", values | {"chat_id": chat_id}
    source = "messages" if line is None and lines is None else f"({placed_on(con, many=lines is not None)})"
    sql = f"select {listed(MESSAGES)} from {source} where {where} order by {_MESSAGE_ORDER}"
    return frame_of(con, sql, MESSAGES, values)


def listed(columns: pl.Schema, *, at: str = 'sent_at as "at"') -> str:
    """Return columns of MESSAGES as a query lists them."""
    return ", ".join(at if name == "at" else name for name in columns)


def message_counts(con: duckdb.DuckDBPyConnection, lines: list[str]) -> dict[str, int]:
    """Return how many messages some lines have as the mart tells; lines without any are left out."""
    sql = "select line, messages from line_total where list_contains($lines, line) order by line"
    return dict(con.execute(sql, {"lines": lines}).fetchall())


def chat_firsts(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return each chat with a message: line, chat_id, messages; in order of line and chat."""
    sql = f"select line, chat_id, count(*) as messages from ({all_placed(con)}) group by line, chat_id order by line, chat_id"
    return frame_of(con, sql, pl.Schema({"line": pl.String, "chat_id": pl.String, "messages": pl.Int64}))


def chats(con: duckdb.DuckDBPyConnection, *, line: str | None = None) -> pl.DataFrame:
    """Return known chats as CHATS, key chat_id; of a line where one is named."""
    where, values = _between("created_at", line, None, None)
    return frame_of(con, f"select * from chats where {where} order by chat_id", CHATS, values)


def chat_health(con: duckdb.DuckDBPyConnection, *, chat_id: str | None = None, line: str | None = None) -> pl.DataFrame:
    """Return chat health as it became known as CHAT_HEALTH, in order chat_id, at, health; of one chat, or one line's, where named."""
    tests: dict[str, tuple[str, object]] = {
        "chat_id = $chat_id": ("chat_id", chat_id),
        "chat_id in (select chat_id from chat_state where line = $line)": ("line", line),
    }
    kept = {test: named for test, named in tests.items() if named[1] is not None}
    sql = (
        f'select chat_id, known_at as "at", health from chat_health where {" and ".join(["true", *kept])} order by all'
    )
    return frame_of(con, sql, CHAT_HEALTH, dict(kept.values()) or None)


def reports(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return reported changes as CHANGES, in order of its key."""
    return frame_of(con, "select * from change order by line, changed_at, new_health, new_status", CHANGES)


def changes(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return reported changes, and those that only looks of a pull tell of (as last derived), as CHANGES in order of its key."""
    sql = """
    select * from change union all by name select * exclude (not_before) from observed_change
    order by line, changed_at, new_health, new_status
    """
    return frame_of(con, sql, CHANGES)


def observed_changes(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return changes that only looks of a pull tell of, as last derived: OBSERVED, in order of its key."""
    return frame_of(con, "select * from observed_change order by line, changed_at", OBSERVED)


def signals(
    con: duckdb.DuckDBPyConnection,
    grain: str,
    *,
    line: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    columns: Sequence[str] | None = None,
    in_order: bool = True,
) -> pl.DataFrame:
    """Return the signals mart as SIGNALS_DAY or SIGNALS_HOUR, or some ``columns`` of it beside its key, for [since, until), in order of its key (any where not ``in_order``)."""
    where, values = _between(grain, line, since, until)
    schema = SIGNALS_DAY if grain == "day" else SIGNALS_HOUR
    if columns is not None:
        schema = pl.Schema({name: schema[name] for name in ("line", grain, *columns)})
    order = f"order by line, {grain}" if in_order else ""
    sql = f"select {', '.join(schema.names())} from signal_{grain} where {where} {order}"
    return frame_of(con, sql, schema, values)


def hours_after(con: duckdb.DuckDBPyConnection, after: datetime, columns: Sequence[str]) -> pl.DataFrame:
    """Return some columns of the mart of hours after an instant, beside line and hour, in order of these; counts in 4 bytes.

    Of a fleet of thousands of lines these are tens of millions of rows.
    """
    schema = pl.Schema(
        {c: pl.Int32() if SIGNALS_HOUR[c] == pl.Int64 else SIGNALS_HOUR[c] for c in ("line", "hour", *columns)}
    )
    told = ", ".join(f"{c}::integer as {c}" if of == pl.Int32 else c for c, of in schema.items())
    return frame_of(
        con, f"select {told} from signal_hour where hour > $after order by line, hour", schema, {"after": after}
    )


def spells(con: duckdb.DuckDBPyConnection, *, line: str | None = None) -> pl.DataFrame:
    """Return time in each state as SPELLS, in order line, kind, start_at (unknown first)."""
    where, values = _between("start_at", line, None, None)
    return frame_of(
        con,
        f"select * from spell where {where} order by line, kind, start_at nulls first, end_at nulls last",
        SPELLS,
        values,
    )


def transitions(
    con: duckdb.DuckDBPyConnection,
    *,
    line: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> pl.DataFrame:
    """Return changes to explain as TRANSITIONS, in order of its key."""
    where, values = _between("changed_at", line, since, until)
    return frame_of(
        con,
        f'select *, changed_at as "at" from transition where {where} order by line, changed_at, kind',
        TRANSITIONS,
        values,
    )


def explanation_documents(
    con: duckdb.DuckDBPyConnection,
    *,
    line: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[str]:
    """Return the JSON documents of explanations, oldest transition first."""
    where, values = _between("changed_at", line, since, until)
    return [
        row[0]
        for row in con.execute(
            f"select document from explanation where {where} order by changed_at, line, kind", values
        ).fetchall()
    ]


def line_firsts(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return the time of each line's first message: line, first_at."""
    return frame_of(
        con, "select line, first_at from line_total order by line", pl.Schema({"line": pl.String, "first_at": INSTANT})
    )


_SLOT_BITS = 32
"""Bits that hold a slot of five minutes since 1970 (``ACTIVITY``)."""


def activity(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return in which slots of five minutes an event of a line is known as ACTIVITY, in order of its key; lines as an Enum in their order.

    It is kept in runs that are in order, each of one refresh: by the numbers of an Enum they are sooner merged than by texts.
    """
    found = con.sql("select * from activity").pl()
    lines = pl.Enum(found["line"].unique().sort())
    found = found.select(ACTIVITY.names()).cast({**ACTIVITY, "line": lines})
    place = found["line"].to_physical().to_numpy().astype(np.int64) << _SLOT_BITS | found["slot"].to_numpy()
    return found[np.argsort(place, kind="stable")]


def openers(con: duckdb.DuckDBPyConnection, *, line: str, since: datetime, until: datetime) -> pl.DataFrame:
    """Return the opening sends of new conversations in [since, until): at, chat_id, answered (null: failed, or too young to say)."""
    sql = """
    select sent_at as "at", chat_id, answered from opener where line = $line and sent_at >= $since and sent_at < $until
    order by sent_at, chat_id
    """
    schema = pl.Schema({"at": INSTANT, "chat_id": pl.String, "answered": pl.Boolean})
    return frame_of(con, sql, schema, {"line": line, "since": since, "until": until})


def failures(con: duckdb.DuckDBPyConnection, *, line: str, since: datetime, until: datetime) -> pl.DataFrame:
    """Return failed sends of whole UTC hours in [since, until) by hour and code: hour, failure_code, failed."""
    sql = """
    select hour, failure_code, failed from failure_hour
    where line = $line and hour >= date_trunc('hour', $since::timestamp) and hour < $until order by all
    """
    schema = pl.Schema({"hour": INSTANT, "failure_code": pl.String, "failed": pl.Int64})
    return frame_of(con, sql, schema, {"line": line, "since": since, "until": until})


def lines(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return one row a line: line, health, status, since (of the present health), first_at, last_at, messages, transitions."""
    sql = """
    with known as (select line from signal_day union select line from spell union select line from chat),
    span as (select line, first_at, last_at, messages from line_total),
    health as (select line, state, start_at from spell where kind = 'health' and end_at is null),
    status as (select line, state from spell where kind = 'status' and end_at is null),
    changed as (select line, count(*) as transitions from transition group by line)
    select k.line, h.state as health, s.state as status, h.start_at as since, p.first_at, p.last_at,
      coalesce(p.messages, 0) as messages, coalesce(c.transitions, 0) as transitions
    from known k left join span p using (line) left join health h using (line) left join status s using (line) left join changed c using (line)
    order by k.line
    """
    schema = pl.Schema(
        {
            "line": pl.String,
            "health": pl.String,
            "status": pl.String,
            "since": INSTANT,
            "first_at": INSTANT,
            "last_at": INSTANT,
            "messages": pl.Int64,
            "transitions": pl.Int64,
        }
    )
    return frame_of(con, sql, schema)


def knows_line(con: duckdb.DuckDBPyConnection, line: str) -> bool:
    """Say whether anything of a line is in the store, but for audits of it."""
    known = "select line from signal_day union all select line from spell union all select line from chat"
    return con.execute(f"select 1 from ({known}) where line = ? limit 1", [line]).fetchall() != []


def as_of(con: duckdb.DuckDBPyConnection) -> datetime | None:
    """Return the latest event time in the store, over all lines; None where there is no event."""
    row = con.execute(
        """
        select max(latest) from (
          select greatest(max(coalesce(sent_at, seen_at)), max(delivered_at), max(read_at), max(failed_at)) as latest from message
          union all select max(changed_at) from change
          union all select max(changed_at) from observed_change where previous_health <> new_health
          union all select max(created_at) from chat
          union all select max(known_at) from chat_health
        )
        """
    ).fetchall()
    return row[0][0] if row else None


AS_OF, WAITING = "as_of", "waiting"
"""Words under which a store keeps its latest event, and how many events wait for another one: finding them looks at every message."""


def newest(con: duckdb.DuckDBPyConnection) -> datetime | None:
    """Return the latest event time as kept when the marts were made; None where there is no event."""
    kept = meta(con, AS_OF)
    return as_of(con) if kept is None else datetime.fromisoformat(kept) if kept else None


def waiting(con: duckdb.DuckDBPyConnection) -> int:
    """Return how many events wait for another one to say their line or direction."""
    can_be = "select * from main.message where line is null or direction is null"
    return int(con.execute(f"select count(*) from ({view_over(con, 'waiting', can_be)})").fetchall()[0][0])


def settings(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the settings that differ from their defaults, as text."""
    return dict(con.execute("select key, value from setting order by key").fetchall())


def gaps(
    con: duckdb.DuckDBPyConnection,
    *,
    line: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> pl.DataFrame:
    """Return gaps in the deliveries that touch [since, until) as GAPS: those of the whole fleet, and of one line or all lines."""
    sql = """
    select * from gap
    where (line is null or $line is null or line = $line)
      and ($since is null or end_at is null or end_at > $since) and ($until is null or start_at < $until)
    order by line nulls first, start_at
    """
    return frame_of(con, sql, GAPS, {"line": line, "since": since, "until": until})


def actions(con: duckdb.DuckDBPyConnection, *, line: str | None = None) -> pl.DataFrame:
    """Return recorded actions as ACTIONS, in its order: of one line those of the whole fleet too."""
    sql = """
    select *, acted_at as "at" from action where $line is null or line is null or line = $line
    order by acted_at, line nulls first, kind
    """
    return frame_of(con, sql, ACTIONS, {"line": line})


def audits(
    con: duckdb.DuckDBPyConnection, *, line: str | None = None
) -> list[tuple[str, str, datetime | None, str | None]]:
    """Return the vendor's audits as archived: audit_id, line, answered_at, document; in order of line and time."""
    where = "true" if line is None else "line = ?"
    return con.execute(
        f"select audit_id, line, answered_at, document from audit where {where} order by line, requested_at, audit_id",
        [] if line is None else [line],
    ).fetchall()


def forecast(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return the forecast mart: FORECAST and ``drivers`` as JSON, in order of line."""
    schema = pl.Schema([*FORECAST.items(), ("drivers", pl.String())])
    return frame_of(con, 'select * rename (forecast_at as "at") from forecast order by line', schema)


def gate(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return the gate mart: GATE, in order of line."""
    return frame_of(con, 'select * rename (gate_at as "at") from gate order by line', GATE)


def meta(con: duckdb.DuckDBPyConnection, key: str) -> str | None:
    """Return one fact about the store, or None."""
    rows = con.execute("select value from meta where key = ?", [key]).fetchall()
    return rows[0][0] if rows else None


def alerted(con: duckdb.DuckDBPyConnection, *, until: datetime | None = None) -> pl.DataFrame:
    """Return alerts that were delivered as ALERTED, in its order; as known at ``until`` where it is given."""
    sql = """
    select * exclude (alerted_at, told_in, calm_at), alerted_at as "at", told_in as "group",
      case when $until is null or calm_at <= $until then calm_at end as calm_at
    from alert where $until is null or alerted_at <= $until order by alerted_at, line, kind, changed, changed_at
    """
    return frame_of(con, sql, ALERTED, {"until": until})
