"""A big fleet's Parquet files in, the same with numbers for lines and chats in a DuckDB file out: what every peer starts from."""

from __future__ import annotations

from pathlib import Path

import duckdb


def write_coded(data: str | Path, database: str | Path) -> int:
    """Write tables ``coded`` (messages), ``talk`` and ``line`` (their names), ``coded_chat`` and ``coded_health``; returns the messages.

    ``coded`` stands in order of line, chat, time, sends before replies, message id, as the product's own order: talk and line_no are numbers
    in order of their texts, at is in milliseconds since 1970.

    Args:
        data: folder of `linehealth bench data`.
        database: a file to be made.
    """
    data = Path(data)
    Path(database).unlink(missing_ok=True)
    with duckdb.connect(str(database)) as con:
        con.execute("set preserve_insertion_order = true")
        con.execute("set memory_limit = '6GB'")
        con.execute(
            f"""
            create table talk as
            select line, chat_id, (dense_rank() over (order by line) - 1)::integer as line_no, (row_number() over (order by line, chat_id) - 1)::integer as talk
            from (select distinct line, chat_id from read_parquet('{data}/messages-*.parquet')) order by talk
            """
        )
        con.execute("create table line as select distinct line_no, line from talk order by line_no")
        con.execute(
            f"""
            create table coded as
            select t.talk, t.line_no, epoch_ms(m.sent_at) as at_ms, m.direction = 'outbound' as outbound,
              m.direction = 'outbound' and m.failed_at is not null and m.delivered_at is null and m.read_at is null as failed
            from read_parquet('{data}/messages-*.parquet') m join talk t using (line, chat_id)
            order by t.talk, at_ms, outbound desc, m.message_id
            """
        )
        con.execute(
            f"""
            create table coded_chat as select talk, epoch_ms(created_at) as created_ms
            from read_parquet('{data}/chats.parquet') join talk using (line, chat_id) where created_at is not null order by talk
            """
        )
        con.execute(
            f"""
            create table coded_health as select talk, line_no, epoch_ms(health_updated_at) as at_ms, health
            from read_parquet('{data}/chats.parquet') join talk using (line, chat_id) where health is not null and health_updated_at is not null
            order by talk, at_ms
            """
        )
        rows = con.execute("select count(*) from coded").fetchall()
    return int(rows[0][0])
