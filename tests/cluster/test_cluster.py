"""A store shared out: rows of the local run with any shards and workers, also where a worker is killed mid-run; refusals in one sentence."""

import json

import pytest
from polars.testing import assert_frame_equal

from analysis import pipeline
from analysis.cluster import explaining, export, run
from analysis.cluster.folder import Folder
from analysis.errors import StoreError, UsageError
from tests.cluster.killing import one_killed
from tests.sweep import SWEEP


@pytest.fixture(scope="module")
def exported(demo_store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster") / "export"
    told = export.export(demo_store, str(folder))
    assert told.messages == pipeline.messages(demo_store).height
    return str(folder)


def same_as_local(store, out):
    for table, grain in (("signal_day", "day"), ("signal_hour", "hour")):
        local = pipeline.signals(store, grain=grain)
        assert local.height > 100
        assert_frame_equal(run.table(str(out), table), local)


@pytest.mark.parametrize("most", [1, 2_000, 10_000_000])
def test_any_shards_give_the_rows_of_the_local_run(demo_store, exported, tmp_path, most):
    told = run.signals(exported, str(tmp_path / "out"), most=most)
    lines = pipeline.lines(demo_store).height
    assert told.shards == (lines if most == 1 else 1) or most == 2_000
    same_as_local(demo_store, tmp_path / "out")


@SWEEP
def test_two_processes_and_one_killed_mid_run_give_the_rows_of_the_local_run(demo_store, exported, tmp_path):
    out = tmp_path / "out"
    with one_killed(out, at="signal_day/*", seen="signal_hour/*") as (address, killed):
        told = run.signals(exported, str(out), workers_=address, most=1)
    assert told.shards > 2
    assert killed[0] < told.shards  # it was killed before the last shard was done
    same_as_local(demo_store, out)


def test_a_url_of_another_file_system_is_read_and_written(demo_store, tmp_path):
    export.export(demo_store, "memory://linehealth-test/export")
    run.signals("memory://linehealth-test/export", "memory://linehealth-test/out")
    same_as_local(demo_store, "memory://linehealth-test/out")


def test_refusals_say_what_to_do(demo_store, exported, tmp_path, store):
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "mine").write_text("x")
    with pytest.raises(UsageError, match="not empty"):
        export.export(demo_store, str(tmp_path / "held"))
    with pytest.raises(UsageError, match="not empty"):
        run.signals(exported, str(tmp_path / "held"))
    with pytest.raises(UsageError, match="no export"):
        run.signals(str(tmp_path / "held"), str(tmp_path / "out"))
    with pytest.raises(UsageError, match="no export"):
        explaining.explain(str(tmp_path / "held"), str(tmp_path / "out"))
    with pytest.raises(UsageError, match="not empty"):
        explaining.explain(exported, str(tmp_path / "held"))
    old = Folder(str(tmp_path / "old"))
    old.write_json("facts.json", {"version": 1})
    with pytest.raises(UsageError, match="another version"):
        explaining.explain(old.url, str(tmp_path / "out"))
    with pytest.raises(UsageError, match="neither a number nor an address"):
        run.signals(exported, str(tmp_path / "out"), workers_="two")
    with pytest.raises(UsageError, match="not all of them"):
        run.table(str(tmp_path / "held"), "signal_day")
    with pytest.raises(StoreError, match="no store"):
        export.export(store, str(tmp_path / "out"))


def test_the_commands(command, demo_store, tmp_path):
    code, told, _ = command("cluster", "export", tmp_path / "e", "--store", demo_store, "--json")
    assert (code, json.loads(told)["messages"]) == (0, pipeline.messages(demo_store).height)
    code, told, _ = command("cluster", "signals", tmp_path / "e", "--out", tmp_path / "o", "--json")
    assert (code, json.loads(told)["rows"]["signal_day"]) == (0, pipeline.signals(demo_store).height)
    code, _, wrong = command("cluster", "signals", tmp_path / "e", "--out", tmp_path / "o")
    assert code == 2
    assert "not empty" in wrong
    code, told, _ = command("cluster", "explain", tmp_path / "e", "--out", tmp_path / "w", "--json")
    assert (code, json.loads(told)["rows"]) == (0, {"explanation": len(pipeline.explanations(demo_store))})
