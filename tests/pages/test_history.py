"""The cards of what the own history shows: a sentence a behaviour with its counts, a curve where there are enough recoveries."""

import json
import shutil

import duckdb

from analysis import pipeline
from analysis.ahead.thresholds import BEHAVIOURS
from tests.pages.conftest import words_of


def charts_of(at):
    return [c for c in at.get("vega_lite_chart") if "healthy again" in c.proto.spec]


def test_each_behaviour_has_its_sentence_and_a_few_recoveries_only_counts(demo_store, open_app):
    at = open_app(demo_store, "ahead")
    assert not at.exception
    told = words_of(at)
    for row in pipeline.thresholds(demo_store).filter(line_group="all").iter_rows(named=True):
        assert row["sentence"].split("(")[0].strip() in told
    risk = pipeline.lags(demo_store)["recovery"][0]
    assert 0 < risk["recovered"] < 10
    assert f"{risk['recovered']} of {risk['falls']} falls to at risk came back to healthy so far" in told
    assert not charts_of(at)


def test_with_enough_recoveries_the_curve_is_drawn_and_its_median_is_the_title(demo_store, tmp_path, open_app):
    kept = tmp_path / "many.duckdb"
    shutil.copy(demo_store, kept)
    times = pipeline.lags(kept)
    curve = [
        {"day": d, "healthy": h, "low": h / 2, "high": (1 + h) / 2, "open": 20.0}
        for d, h in ((0.0, 0.0), (3.5, 0.5), (9.0, 0.75))
    ]
    times["recovery"][0] |= {
        "falls": 20,
        "recovered": 15,
        "days": 3.5,
        "days_low": 2.0,
        "days_high": 9.0,
        "curve": curve,
    }
    with duckdb.connect(str(kept)) as con:
        con.execute("update meta set value = ? where key = 'lags'", [json.dumps(times)])
    at = open_app(kept, "ahead")
    assert not at.exception
    assert "Half of the lines at risk are healthy again within 3.5 days" in words_of(at)
    assert "15 of 20 healthy" in words_of(at)
    assert len(charts_of(at)) == 1


def test_the_command_prints_the_same_levels_and_times_as_the_verbs(command, demo_store):
    code, out, _ = command("thresholds", "--store", demo_store, "--json")
    assert code == 0
    assert json.loads(out) == {
        "thresholds": pipeline.thresholds(demo_store).to_dicts(),
        "lags": pipeline.lags(demo_store),
    }
    code, out, _ = command("thresholds", "--store", demo_store)
    assert code == 0
    assert out.count("all (") == len(BEHAVIOURS)
    assert "Fell again within 7 days: " in out
