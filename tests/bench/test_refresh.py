"""A small fleet refreshed in full and in part, beside the SQL: marts are equal or it is an error; one test a promise of `linehealth bench refresh`."""

import json

import pytest

from analysis.bench import refresh, signals
from tests.sweep import SWEEP


@SWEEP
def test_a_day_more_and_a_late_message_end_in_the_marts_of_a_full_refresh(tmp_path, command):
    data = signals.fleet(tmp_path / "fleet", messages=6_000, lines=4, days=30, seed=4)
    code, told, _ = command("bench", "refresh", "--data", data, "--folder", tmp_path / "work", "--json")
    assert code == 0
    found = json.loads(told)
    assert 0 < found["messages"] <= 6_000  # up to the last change
    assert found["transitions"] > 0
    assert list(found["costs"]) == [refresh.SQL, refresh.FULL, refresh.DAY, refresh.LATE]
    assert all(c["seconds"] > 0 and c["peak_mb"] > 20 for c in found["costs"].values())
    for name, stages in found["stages"].items():
        assert list(stages) == list(refresh.STAGES)
        assert 0 < sum(stages.values()) <= found["costs"][name]["seconds"]
    assert list((tmp_path / "work").iterdir()) == []


def test_other_marts_are_an_error_that_names_them(tmp_path, monkeypatch):
    found = iter([{"gap": [1, "7"], "spell": [2, "8"]}, {"gap": [1, "7"], "spell": [2, "9"]}])
    monkeypatch.setattr(refresh, "_run", lambda *_: next(found))
    with pytest.raises(refresh.DifferentError, match="spell differ from a full refresh"):
        refresh._compare(tmp_path, tmp_path, refresh.DAY)
