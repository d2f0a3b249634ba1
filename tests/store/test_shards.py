"""A large fleet is worked on a group of lines at a time: the same marts come out, whatever the size of the groups."""

import os
import shutil
import sys
from threading import Lock
from time import sleep

import polars as pl
import pytest

from analysis import pipeline
from analysis.explain.shelf import Shelf
from analysis.pipeline import shards as sharding
from analysis.pipeline.shards import shards, side_by_side
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


def test_large_groups_are_worked_on_alone_and_small_ones_side_by_side():
    sizes, at_work, seen, beside, lock = [5, 3, 3, 9, 1, 1, 6], [], {}, [], Lock()

    def read():
        for group in enumerate(sizes):
            sleep(0.01)
            with lock:
                beside.append(sum(at_work))
            yield group

    def work(group):
        number, size = group
        with lock:
            at_work.append(size)
            seen[number] = list(at_work)
        sleep(0.05)
        with lock:
            at_work.remove(size)
        return number

    made = list(side_by_side(read(), work, size=lambda group: group[1], most=6))
    assert made == list(range(7))
    assert all(sum(there) <= 6 or len(there) == 1 for there in seen.values())
    assert max(beside) <= 6  # and nothing is read beside a large one
    assert max(len(there) for there in seen.values()) == (2 if (os.cpu_count() or 1) > 1 else 1)
