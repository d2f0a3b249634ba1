"""Many changes of health are measured and told by several processes: the same marts come out, whatever becomes of these processes."""

import os
import shutil
import signal
import sys

import loky
import numpy as np
import pytest

from analysis import logs, pipeline
from analysis.explain.attribution import Scales
from analysis.pipeline import processes
from tests.store.refreshing import differing, marts


@pytest.fixture
def noted(monkeypatch):
    events = []
    monkeypatch.setattr(logs, "note", lambda event, **told: events.append((event, told)))
    return events


@pytest.fixture
def two(monkeypatch):
    """Two processes for whatever there is to do; what is spread over them is counted."""
    spread, counts = processes._spread, []

    def counted(executor, work, tasks):
        counts.append(len(tasks))
        return spread(executor, work, tasks)

    monkeypatch.setattr(processes, "ENOUGH", 1)
    monkeypatch.setattr(loky, "cpu_count", lambda: 2)
    monkeypatch.setattr(processes, "_spread", counted)
    return counts


def refreshed(store, folder):
    copy = folder / "copy.duckdb"
    shutil.copy(store, copy)
    pipeline.refresh(store=copy, full=True)
    return marts(copy)


def test_the_marts_are_those_of_one_process(demo_store, tmp_path, two):
    found = refreshed(demo_store, tmp_path)
    assert differing(marts(demo_store), found) == []
    lines = {line for (line,) in found["transition"].select("line").unique().iter_rows()}
    assert [count >= len(lines) - 1 > 1 for count in two] == [True, True]  # to measure, and to tell


def test_weights_are_learned_here_for_all(demo_store, tmp_path, two, monkeypatch):
    def weights(worse, quiet):  # the demo fleet teaches none of its own
        return np.linspace(1, 1 + len(worse) / 10, worse.shape[1])

    monkeypatch.setattr(sys.modules[Scales.__module__], "learned", weights)
    found = refreshed(demo_store, tmp_path)
    monkeypatch.setattr(processes, "ENOUGH", 1_000_000)
    alone = refreshed(demo_store, tmp_path)
    assert len(two) == 2
    assert differing(alone, found) == []
    assert "explanation" in differing(marts(demo_store), found)


@pytest.mark.parametrize("when", ["measuring", "telling"])
def test_what_a_killed_process_had_not_done_is_done_here(demo_store, tmp_path, two, noted, monkeypatch, when):
    spread, killed = processes._spread, []

    def killing(executor, work, tasks):
        for found in spread(executor, work, tasks):
            yield found
            if not killed and len(two) == (1 if when == "measuring" else 2):
                killed.append(next(iter(executor._processes)))
                os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr(processes, "_spread", killing)
    assert differing(marts(demo_store), refreshed(demo_store, tmp_path)) == []
    assert killed
    assert [event for event, _ in noted if event.startswith("processes ended early")]


def test_processes_end_with_the_block_also_where_work_fails(two, monkeypatch):
    make, begun = processes._executor, []

    def kept(largest):
        executor = make(largest)
        executor.submit(abs, 1).result()
        begun.extend(executor._processes.values())
        return executor

    monkeypatch.setattr(processes, "_executor", kept)
    with processes.for_tasks(1, 1) as spread:
        assert sorted(spread(abs, [-3, 2, -1])) == [1, 2, 3]
        assert [process.is_alive() for process in begun] == [True, True]
    assert [process.is_alive() for process in begun] == [False, False]
    with pytest.raises(ValueError, match="invalid literal"), processes.for_tasks(1, 1) as spread:
        list(spread(int, ["3", "no number", "4"]))
    assert [process.is_alive() for process in begun] == [False] * 4


def test_little_to_do_is_done_here_and_so_is_all_where_there_is_one_core_or_no_room(two, monkeypatch):
    def made(count, largest):
        with processes.for_tasks(count, largest) as spread:
            return spread is not None

    assert made(1, 100_000)
    assert not made(0, 100_000)
    assert not made(1, 3_000_000)  # two such lines take more than there is
    monkeypatch.setattr(loky, "cpu_count", lambda: 1)
    assert not made(1, 100_000)


def test_where_the_system_gives_no_processes_all_is_done_here(two, noted, monkeypatch):
    def none(*_, **__):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(loky, "ProcessPoolExecutor", none)
    with processes.for_tasks(1, 1) as spread:
        assert spread is None
    assert noted == [("no processes, all is done here", {"error": "OSError"})]
