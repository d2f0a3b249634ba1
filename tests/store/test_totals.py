"""What pages show of single messages is kept in marts: each equals a count over the messages themselves."""

from datetime import datetime, timedelta

import duckdb
import polars as pl
import pytest

from analysis import pipeline
from analysis.errors import UsageError
from analysis.schema import ACTIVITY
from analysis.signals.gaps import activity_of


@pytest.fixture(scope="module")
def messages(demo_store):
    return pipeline.messages(demo_store)


def test_totals_by_line_are_those_of_the_messages(demo_store, messages):
    lines = pipeline.lines(demo_store).filter(pl.col("messages") > 0).select("line", "first_at", "last_at", "messages")
    counted = messages.group_by("line").agg(
        first_at=pl.col("at").min(), last_at=pl.col("at").max(), messages=pl.len().cast(pl.Int64)
    )
    assert lines.equals(counted.sort("line"))
    late = messages.filter(
        pl.col("direction") == "outbound", pl.col("delivered_at") > pl.col("at") + timedelta(hours=1)
    )
    assert pipeline.delays(demo_store)["received_1h"].sum() == late.height


def test_openers_are_the_new_conversations_of_the_signals_and_answered_as_they_say(demo_store):
    days = pipeline.signals(demo_store)
    for line in pipeline.lines(demo_store)["line"]:
        found = pipeline.openers(demo_store, line=line, since="2026-01-01", until="2027-01-01")
        own = days.filter(pl.col("line") == line)
        assert found.height == own["new_conversations"].sum()
        assert found["answered"].is_not_null().sum() == own["new_mature"].sum()
        assert found["answered"].sum() == own["new_replied"].sum()


def test_openers_of_many_spans_are_those_of_each(demo_store):
    lines, day = pipeline.lines(demo_store)["line"].to_list(), timedelta(days=1)
    spans = [
        (line, datetime(2026, 10, 13) + i * day / 3, datetime(2026, 10, 14) + i * day) for i, line in enumerate(lines)
    ]
    spans += [
        (lines[0], datetime(2026, 10, 20), datetime(2026, 10, 21)),
        (lines[0], datetime(2030, 1, 1), datetime(2031, 1, 1)),
    ]
    found = pipeline.openers_within(demo_store, spans=spans)
    each = [
        (line, start, at)
        for line, start, end in spans
        for at in pipeline.openers(demo_store, line=line, since=start, until=end)["at"]
    ]
    assert found.rows() == sorted(each)
    assert found["line"].n_unique() > 3
    assert pipeline.openers_within(demo_store, spans=()).is_empty()


def test_signals_in_some_columns_are_those_of_all(demo_store):
    whole = pipeline.signals(demo_store, grain="hour", since="2026-10-13", until="2026-10-15")
    some = pipeline.signals(
        demo_store, grain="hour", since="2026-10-13", until="2026-10-15", columns=("mature", "health")
    )
    assert some.equals(whole.select("line", "hour", "mature", "health"))
    with pytest.raises(UsageError, match="no such column: hour_of_day"):
        pipeline.signals(demo_store, columns=["hour_of_day"])


def test_failures_by_hour_are_those_of_the_messages(demo_store, messages):
    failed = messages.filter("failed")
    line = failed["line"].mode()[0]
    start, end = datetime(2026, 10, 1), datetime(2026, 11, 20)
    found = pipeline.failures(demo_store, line=line, since=start, until=end)
    own = failed.filter(pl.col("line") == line, pl.col("at") >= start, pl.col("at") < end)
    assert found["failed"].sum() == own.height > 0
    by_hour = own.group_by(hour=pl.col("at").dt.truncate("1h")).agg(n=pl.len().cast(pl.Int64)).sort("hour")
    assert found.group_by("hour").agg(n=pl.col("failed").sum()).sort("hour").equals(by_hour)


def test_the_latest_event_is_kept_and_no_page_looks_for_it(demo_store):
    from analysis.store import read

    with duckdb.connect(str(demo_store), read_only=True) as con:
        assert read.newest(con) == read.as_of(con)


def test_a_first_load_lies_in_order_of_line_and_chat_so_that_one_chat_is_a_few_blocks(demo_store):
    with duckdb.connect(str(demo_store), read_only=True) as con:
        kept = con.sql("select line, chat_id from message").pl()
    told = kept.with_columns(pl.col("line").fill_null("~"), pl.col("chat_id").fill_null("~"))
    assert told.equals(told.sort("line", "chat_id", maintain_order=True))


def test_one_lines_messages_are_those_of_the_whole_table_and_messages_told_without_a_line_are_among_them(store, write):
    line = "+14155550101"
    tables = "message_id,line,chat_id,direction,sent_at\n" + "".join(
        f"m{n},{line if n % 2 else '+14155550102'},{'A' if n % 2 else 'B'},outbound,2026-03-01T00:{n:02d}:00Z\n"
        for n in range(20)
    )
    later = [
        {"type": "message.delivered", "webhook_version": "2026-02-03", "created_at": "2026-03-01T05:00:00Z", "event_id": "e1",
         "data": {"id": "lone", "chat": {"id": "A"}, "direction": "outbound", "sent_at": "2026-03-01T04:59:00Z", "delivered_at": "2026-03-01T05:00:00Z"}},
    ]  # fmt: skip
    pipeline.load([write("messages.csv", tables)], store=store)
    pipeline.load([write("webhooks.jsonl", later)], store=store)
    whole = pipeline.messages(store)
    own = pipeline.messages(store, line=line)
    assert own.equals(whole.filter(pl.col("line") == line))
    assert own.height == whole.height - 10


def test_activity_is_that_of_the_messages(demo_store, messages):
    """`signals.gaps.activity_of` is its definition. What is new is counted in SQL: `same_as_in_full` holds that to the same."""
    with duckdb.connect(str(demo_store), read_only=True) as con:
        kept = con.sql("select * from activity order by line, slot").pl()
    assert kept.height > 1000
    assert kept.cast(dict(ACTIVITY)).equals(activity_of(messages))
