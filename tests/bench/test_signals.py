"""Ours and the peers on a small fleet: equal in every cell, and a peer that is not equal is an error that names the cell."""

import polars as pl
import pytest

from analysis.bench import phases, signals
from analysis.bench.peers import ours, pandas, sql
from analysis.errors import UsageError


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    data = signals.fleet(tmp_path_factory.mktemp("bench"), messages=30_000, lines=6, days=60, seed=5)
    return signals.coded(data)


def test_ours_duckdb_and_pandas_agree_in_every_cell(database):
    mine = signals._told(ours.by_day(database, rows=8_000), database)
    assert mine.height > 300
    for column in signals.COLUMNS:
        assert mine[column].sum() > 0, f"{column} is 0 everywhere: its comparison says nothing"
    for name, peer in (("duckdb", sql), ("pandas", pandas)):
        signals.compare(mine, signals._told(peer.by_day(database), database), name)


def test_one_other_cell_is_named(database):
    mine = signals._told(sql.by_day(database), database)
    other = mine.with_columns(
        replied=pl.when(pl.int_range(pl.len()) == 7).then(pl.col("replied") + 1).otherwise("replied")
    )
    line, day = mine.select("line_no", "day").row(7)
    with pytest.raises(signals.DifferentError, match=f"replied of line {line} on day {day}"):
        signals.compare(mine, other, "theirs")
    with pytest.raises(signals.DifferentError, match="line-days"):
        signals.compare(mine, mine.head(-1), "theirs")


def test_fresh_processes_are_measured_and_a_missing_library_is_said(database, monkeypatch):
    monkeypatch.setitem(signals.NEEDS, "clickhouse", "no_such_library")
    told = signals.measured([database.parent], peers=["duckdb", "clickhouse"], runs=1)
    ((messages, _, costs),) = told.sizes
    assert messages == 30_000
    assert [c.name for c in costs] == ["ours", "duckdb"]
    assert all(c.seconds > 0 and c.peak_mb > 20 for c in costs)
    assert "clickhouse is left out" in told.as_text()


def test_every_step_of_counting_is_timed_and_nothing_is_counted_twice(database):
    told = phases.measured(database.parent)
    assert told.messages == 30_000
    assert list(told.steps) == list(dict.fromkeys(name for name, _, _ in phases.STEPS))
    assert all(spent > 0 for spent in told.steps.values())  # a step that was renamed would stand at 0
    assert sum(told.steps.values()) <= told.whole
    assert f"{told.messages:,} messages" in told.as_text()


def test_an_unknown_peer_is_wrong_use(database):
    with pytest.raises(UsageError, match="there is no peer spark"):
        signals.measured([database.parent], peers=["spark"], runs=1)
