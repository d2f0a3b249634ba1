"""A large fleet is worked on a group of lines at a time: the same marts come out, whatever the size of the groups."""

import shutil

import duckdb
import polars as pl
import pytest

from analysis import pipeline
from analysis.pipeline import counting, explaining
from analysis.pipeline.shards import shards

MARTS = (
    "signal_day",
    "signal_hour",
    "spell",
    "transition",
    "explanation",
    "gap",
    "forecast",
    "gate",
    "chat_state",
    "delivery_day",
)


def marts(path):
    with duckdb.connect(str(path), read_only=True) as con:
        return {name: con.sql(f"select * from {name} order by all").pl() for name in MARTS}


@pytest.mark.parametrize("most", [1, 9_000])
def test_groups_of_any_size_give_the_same_marts(demo_store, tmp_path, monkeypatch, most):
    store = tmp_path / "copy.duckdb"
    shutil.copy(demo_store, store)
    for module in (counting, explaining):
        monkeypatch.setattr(module, "shards", lambda firsts: shards(firsts, most=most))
    pipeline.refresh(store=store, full=True)
    before, after = marts(demo_store), marts(store)
    assert [name for name in MARTS if not before[name].equals(after[name])] == []


def test_groups_hold_every_line_once_in_order_and_no_more_than_asked():
    firsts = pl.DataFrame({"line": ["b", "a", "c", "c", "d"], "messages": [3, 4, 9, 4, 1]})
    assert shards(firsts, most=8) == [["a", "b"], ["c"], ["d"]]
    assert shards(firsts, most=100) == [["a", "b", "c", "d"]]
    assert shards(firsts.clear()) == []
