"""A large fleet is worked on a group of lines at a time: the same marts come out, whatever the size of the groups."""

import shutil
import sys

import polars as pl
import pytest

from analysis import pipeline
from analysis.explain.shelf import Shelf
from analysis.pipeline import shards as sharding
from analysis.pipeline.shards import shards
from tests.store.refreshing import differing, marts
from tests.sweep import EVERY


@pytest.mark.parametrize("most", [1, 9_000] if EVERY else [9_000])
def test_groups_of_any_size_give_the_same_marts(demo_store, tmp_path, monkeypatch, most):
    store = tmp_path / "copy.duckdb"
    shutil.copy(demo_store, store)
    monkeypatch.setattr(sharding, "shards", lambda firsts, **_: shards(firsts, most=most))
    monkeypatch.setattr(
        sys.modules[Shelf.__module__], "HELD", most
    )  # histories and cases of more lines go to disk, or are measured again
    pipeline.refresh(store=store, full=True)
    assert differing(marts(demo_store), marts(store)) == []


def test_groups_hold_every_line_once_in_order_and_no_more_than_asked():
    firsts = pl.DataFrame({"line": ["b", "a", "c", "c", "d"], "messages": [3, 4, 9, 4, 1]})
    assert shards(firsts, most=8) == [["a", "b"], ["c"], ["d"]]
    assert shards(firsts, most=100) == [["a", "b", "c", "d"]]
    assert shards(firsts.clear()) == []
