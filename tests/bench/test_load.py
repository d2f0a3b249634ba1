"""Small loads beside DuckDB's plain tables: equal ids, and other ids are an error; one test a promise of `linehealth bench load`."""

import json

import pytest

from analysis.bench import load, signals, steps
from tests.sweep import SWEEP


@SWEEP
def test_both_kinds_are_loaded_in_fresh_processes_and_equal_their_peers_in_every_id(tmp_path, command):
    data = signals.fleet(tmp_path / "fleet", messages=5_000, lines=3, days=20, seed=2)
    out = tmp_path / "table.md"
    where = ("--data", data, "--folder", tmp_path / "work", "--out", out)
    code, told, _ = command("bench", "load", *where, "--deliveries", 700, "--runs", 1, "--json")
    assert code == 0
    table, log = json.loads(told)["loads"]
    assert (table["kind"], table["rows"], table["messages"]) == ("messages Parquet", 5_000, 5_000)
    assert (log["kind"], log["rows"], log["messages"]) == ("deliveries JSON", 700, 400)
    for kind in (table, log):
        assert [c["way"] for c in kind["costs"]] == ["ours", "ours, the same again", "duckdb"]
        assert all(c["seconds"] > 0 and c["peak_mb"] > 20 for c in kind["costs"])
        assert kind["costs"][1]["processor"] < kind["costs"][0]["processor"], (
            "a file known by its fingerprint is read again"
        )
    text = out.read_text()
    assert "5,000 rows of messages Parquet: 5,000 messages, equal in every id" in text
    assert list((tmp_path / "work").iterdir()) == []


def test_a_peer_with_other_messages_is_an_error(tmp_path, monkeypatch):
    found = {"messages": 7, "seconds": 1, "processor": 1, "peak_mb": 1}
    monkeypatch.setattr(steps, "run", lambda module, way, *_, where: found | {"ids": way})
    with pytest.raises(load.DifferentError, match="ours are 7 messages"):
        load.measured([], deliveries=[10], folder=tmp_path, runs=1)
