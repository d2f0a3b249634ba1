"""The marts of chats and deliveries: an older store is brought up to date and filled, and they agree with the signals and messages."""

import shutil
from datetime import date, timedelta

import duckdb
import polars as pl
import pytest

from analysis import pipeline
from analysis.errors import StoreError
from analysis.store.asked import TABLES as TOLD


def test_an_older_store_is_refused_until_refresh_brings_it_up_to_date_and_fills_the_marts(demo_store, tmp_path):
    old = tmp_path / "old.duckdb"
    shutil.copyfile(demo_store, old)
    with duckdb.connect(str(old)) as con:
        for view, table in (
            ("chat_states", "chat_state"),
            ("deliveries", "delivery_day"),
            ("line_totals", "line_total"),
            ("openers", "opener"),
            ("failures_by_hour", "failure_hour"),
            ("actions", "action"),
        ):
            con.execute(f"drop view {view}")
            con.execute(f"drop table {table}")
        con.execute("drop table progress")
        for table in (
            "alert",
            "observation",
            "observed_change",
            "activity",
            "forgotten",
            "quiet_time",
            "lesson",
            "line_day",
            *TOLD,
        ):
            con.execute(f"drop table {table}")
        con.execute("alter table explanation drop column measured_p; alter table explanation drop column compared_from")
        con.execute("update meta set value = '4' where key = 'schema_version'")
    with pytest.raises(StoreError, match="older version"):
        pipeline.chat_states(old)
    pipeline.refresh(store=old)
    assert pipeline.chat_states(old).equals(pipeline.chat_states(demo_store))
    assert pipeline.deliveries(old).equals(pipeline.deliveries(demo_store))
    assert pipeline.deliveries(old).height > 1000


def test_deliveries_add_up_to_the_day_signals(demo_store):
    names = ["outbound", "failed", "mature", "replied"]
    days = pipeline.signals(demo_store).filter(pl.col("outbound") > 0).select("line", "day", *names)
    sums = (
        pipeline.deliveries(demo_store)
        .group_by("line", "day")
        .agg(pl.col("sends", "failed", "mature", "replied").sum())
        .rename({"sends": "outbound"})
        .sort("line", "day")
    )
    assert sums.select("line", "day", *names).equals(days)


def test_a_days_chats_and_a_chats_messages_are_those_of_the_messages_table(demo_store):
    line = pipeline.lines(demo_store)["line"][0]
    day = pipeline.signals(demo_store, line=line)["day"][20]
    told = pipeline.messages(demo_store, line=line, since=day.isoformat(), until=(day + timedelta(days=1)).isoformat())
    listed = pipeline.chats_on(demo_store, line=line, day=day)
    counts = {c: (s, r, f) for c, s, r, f in listed.select("chat_id", "sends", "received", "failed").iter_rows()}
    for (chat,), mine in told.group_by("chat_id"):
        sent = mine.filter(pl.col("direction") == "outbound")
        assert counts.pop(chat) == (sent.height, mine.height - sent.height, sent["failed"].sum())
    assert counts == {}
    chat = listed["chat_id"][0]
    whole = pipeline.messages(demo_store, line=line).filter(chat_id=chat)
    mine = pipeline.chat_messages(demo_store, line=line, chat_id=chat)
    assert mine.drop("unanswered").equals(whole)
    assert mine["unanswered"][-1] == pipeline.chat_states(demo_store, chat_id=chat)["unanswered"].item()
    assert pipeline.chat_states(demo_store, chat_id=chat)["sends"].item() == (whole["direction"] == "outbound").sum()


def test_a_day_begins_where_the_stores_zone_has_it(store, write):
    """New York is 5 h behind UTC in winter: a message at 04:59 UTC is of the day before."""
    rows = "message_id,line,chat_id,direction,sent_at\n"
    for number, at in enumerate(("2026-01-10T04:59:59Z", "2026-01-10T05:00:00Z", "2026-01-11T04:59:59Z")):
        rows += f"m{number},+14155550101,c{number},outbound,{at}\n"
    pipeline.load(write("m.csv", rows), store=store)
    pipeline.set_setting("timezone", "America/New_York", store=store)
    on = pipeline.chats_on(store, line="+14155550101", day=date(2026, 1, 10))
    assert sorted(on["chat_id"]) == ["c1", "c2"]
    assert pipeline.deliveries(store)["day"].to_list() == [date(2026, 1, 9), date(2026, 1, 10)]
    opened = pipeline.opened(store, since=date(2026, 1, 10), until=date(2026, 1, 11))
    assert opened.select("opened_by", "chats").rows() == [("before", 2)]


def test_streaks_count_active_chats_and_the_longest_come_first(demo_store):
    states, status = pipeline.chat_states(demo_store), pipeline.status(demo_store)
    week = pl.lit(status["as_of"].rstrip("Z")).str.to_datetime(time_unit="ms") - timedelta(days=7)
    active = states.filter(pl.max_horizontal("last_sent_at", "last_received_at") > week)
    expected = active.group_by("line", "unanswered").agg(chats=pl.len().cast(pl.Int64)).sort("line", "unanswered")
    assert pipeline.streaks(demo_store).equals(expected)
    assert pipeline.streaks(demo_store, as_of=status["as_of"]).equals(expected)
    longest = pipeline.chat_states(demo_store, active=True, least_unanswered=3, most=5)["unanswered"].to_list()
    assert longest == active["unanswered"].sort(descending=True).head(5).to_list()
