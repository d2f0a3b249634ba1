"""Receipts that come weeks after their sends: they change their day's arrivals, and nothing else of the days since is counted again."""

import shutil
from datetime import timedelta

import duckdb
import polars as pl
import pytest

from analysis import pipeline
from tests.store.refreshing import differing, fleet_store, marts, same_as_in_full

OLD = timedelta(days=12)
"""Receipts come so long after their sends, or longer."""
CALM = (
    "direction = 'outbound' and failed_at is null and sent_at is not null and chat_id is not null and line is not null"
)


@pytest.fixture(scope="module")
def three_weeks(tmp_path_factory):
    return fleet_store(tmp_path_factory.mktemp("receipts"), lines=4, days=20, seed=3)


@pytest.fixture
def store(three_weeks, tmp_path):
    return shutil.copy(three_weeks, tmp_path / "store.duckdb")


@pytest.fixture
def wanted(monkeypatch):
    """Lines and days that were counted again."""
    seen = []
    monkeypatch.setattr(
        pipeline.counting.since,
        "want",
        lambda con, days, chats, _want=pipeline.counting.since.want: seen.append(days) or _want(con, days, chats),
    )
    return seen


def old_sends(store, which, most=8):
    """Sends of weeks ago, and the latest event."""
    with duckdb.connect(str(store), read_only=True) as con:
        ((last,),) = con.execute("select max(sent_at) from message").fetchall()
        columns = "message_id, line, chat_id, direction, sent_at, delivered_at, read_at"
        sql = f"select {columns} from message where {CALM} and {which} and sent_at < ? order by message_id limit {most}"
        found = con.sql(sql, params=[last - OLD]).pl()
    assert found.height > 0
    return found, last


def told(store, sends, tmp_path, *, refreshed=True):
    path = tmp_path / f"receipts-{sends.hash_rows().sum()}.csv"
    times = pl.col(pl.Datetime).dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
    sends.with_columns(times).write_csv(path)
    report = pipeline.load([path], store=store, refreshed=refreshed)
    assert report.totals["merged"] == sends.height
    return report


def arrived(store):
    return pl.DataFrame(marts(store)["delivery_day"]).group_by("line", "day").agg(pl.col("delivered").sum())


def test_first_receipts_of_weeks_before_change_their_days_arrivals_only(store, tmp_path, wanted):
    sends, last = old_sends(store, "delivered_at is null and read_at is null")
    before, was = marts(store), arrived(store)
    came = last + timedelta(minutes=3)
    told(store, sends.with_columns(delivered_at=pl.lit(came).dt.cast_time_unit("ms")), tmp_path)
    assert all((days["day"] > (last - OLD).date()).all() for days in wanted)
    now = arrived(store).join(was, on=["line", "day"]).filter(pl.col("delivered") != pl.col("delivered_right"))
    assert now["delivered"].sum() - now["delivered_right"].sum() == sends.height
    assert set(now.select("line", "day").rows()) == set(sends.select("line", pl.col("sent_at").dt.date()).rows())
    late = marts(store)["line_total"]["received_24h"].sum() - before["line_total"]["received_24h"].sum()
    assert late == sends.height
    assert "opener" not in differing(before, marts(store))
    assert same_as_in_full(store, tmp_path) == []


def test_reads_of_weeks_before_count_no_day_again_but_the_last(store, tmp_path, wanted):
    sends, last = old_sends(store, "delivered_at is not null and read_at is null")
    was = arrived(store)
    told(store, sends.with_columns(read_at=pl.lit(last).dt.cast_time_unit("ms")), tmp_path)
    assert all((days["day"] > (last - OLD).date()).all() for days in wanted)
    assert arrived(store).sort("line", "day").equals(was.sort("line", "day"))
    assert same_as_in_full(store, tmp_path) == []


def test_a_delivery_told_after_a_read_is_counted_as_late_on_its_day(store, tmp_path, wanted):
    sends, last = old_sends(store, "delivered_at is null and read_at is null", most=4)
    told(store, sends.with_columns(read_at=pl.lit(last).dt.cast_time_unit("ms")), tmp_path)
    before = marts(store)["line_day"]["received_24h"].sum()
    delivered = sends.with_columns(delivered_at=pl.lit(last).dt.cast_time_unit("ms"))
    told(store, delivered, tmp_path)
    assert marts(store)["line_day"]["received_24h"].sum() == before + sends.height
    assert all((days["day"] > (last - OLD).date()).all() for days in wanted)
    assert same_as_in_full(store, tmp_path) == []


def test_receipts_of_several_loads_are_counted_by_one_refresh(store, tmp_path):
    sends, last = old_sends(store, "delivered_at is null and read_at is null")
    came = sends.with_columns(delivered_at=pl.lit(last).dt.cast_time_unit("ms"))
    for part in (came.tail(2), came.head(came.height - 2)):
        told(store, part, tmp_path, refreshed=False)
    pipeline.refresh(store=store)
    assert same_as_in_full(store, tmp_path) == []


def test_a_delivery_after_a_failure_counts_its_line_again_from_that_day(store, tmp_path, wanted):
    with duckdb.connect(str(store), read_only=True) as con:
        ((last,),) = con.execute("select max(sent_at) from message").fetchall()
        failed = con.sql(
            "select message_id, line, chat_id, direction, sent_at, failed_at from message where failed_at is not null and delivered_at is null"
            " and read_at is null and sent_at < ? order by message_id limit 1",
            params=[last - OLD],
        ).pl()
    told(store, failed.with_columns(delivered_at=pl.lit(last).dt.cast_time_unit("ms")), tmp_path)
    days = wanted[0].filter(pl.col("line") == failed["line"][0])["day"]
    assert days[0] <= failed["sent_at"][0].date()
    assert same_as_in_full(store, tmp_path) == []


def test_a_chat_without_a_message_lately_is_read_as_one_message(store, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(
        pipeline.counting.since,
        "messages",
        lambda con, lines, _of=pipeline.counting.since.messages: read.append(_of(con, lines)) or read[-1],
    )
    last = pipeline.lines(store)["last_at"].max()
    row = {"message_id": "a", "line": pipeline.lines(store)["line"][0], "chat_id": "new", "direction": "outbound"}
    pl.DataFrame([row | {"sent_at": f"{(last + timedelta(minutes=5)).isoformat()}Z"}]).write_csv(tmp_path / "more.csv")
    pipeline.load([tmp_path / "more.csv"], store=store)
    chats = pl.concat(read).group_by("line", "chat_id").agg(pl.len(), pl.col("at").max())
    with duckdb.connect(str(store), read_only=True) as con:
        known = con.sql("select line, chat_id, sends + received as messages from chat_state").pl()
    told_of = chats.join(known, on=["line", "chat_id"])
    others = told_of.filter(pl.col("len") < pl.col("messages"))
    assert others.height > 10
    assert (others["len"] == 1).all()
    assert same_as_in_full(store, tmp_path) == []
