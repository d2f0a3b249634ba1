"""linehealth alerts on a store: told, repeated until delivered, then not again; at a past time from nothing later."""

import json
import shutil
from datetime import datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analysis import pipeline
from tests.sweep import EVERY


@pytest.fixture
def fleet(demo_store, tmp_path, monkeypatch):
    """The made-up fleet, to be written to."""
    own = tmp_path / "own.duckdb"
    shutil.copy(demo_store, own)
    monkeypatch.setenv("LINEHEALTH_STORE", str(own))
    return own


def told(command, *words):
    code, out, _ = command("alerts", *words, "--json")
    assert code == 0
    return json.loads(out)


def test_alerts_are_repeated_until_they_are_marked_and_then_not(command, fleet):
    first = told(command)
    assert first["messages"]
    assert told(command)["messages"] == first["messages"]  # no delivery was confirmed
    assert told(command, "--mark")["messages"] == first["messages"]
    assert told(command, "--mark")["messages"] == []
    kept = pipeline.alerted(fleet)
    assert kept.height == sum(len(m["alerts"]) for m in first["messages"])
    assert set(kept["group"]) == {m["group"] for m in first["messages"]}


def test_marked_alerts_outlive_a_new_computation_and_marking_twice_is_as_once(fleet):
    found = pipeline.alerts(fleet)
    pipeline.mark_alerts(fleet, found)
    pipeline.mark_alerts(fleet, found)
    assert pipeline.alerted(fleet).height == found.rows.height
    pipeline.set_setting("alert_from", "0.9", store=fleet)
    assert pipeline.alerts(fleet).rows.is_empty()


@pytest.mark.skipif(not EVERY, reason="slow: a part of the sweep with LINEHEALTH_EVERY=1")
def test_a_line_told_as_likely_is_told_again_after_it_was_calm(fleet):
    pipeline.set_setting("alert_from", "0.001", store=fleet)
    first = pipeline.alerts(fleet, mark=True).rows.filter(pl.col("kind") == "likely")
    assert first.height
    assert pipeline.alerts(fleet).rows.is_empty()
    pipeline.set_setting("alert_from", "1", store=fleet)
    assert pipeline.alerts(fleet, mark=True).calmed == sorted(set(first["line"]))
    assert pipeline.alerted(fleet).filter(pl.col("calm_at").is_null(), pl.col("kind") == "likely").is_empty()
    pipeline.set_setting("alert_from", "0.001", store=fleet)
    assert pipeline.alerts(fleet).rows["line"].to_list() == first["line"].to_list()


def test_the_words_say_first_how_right_such_alerts_have_been_and_then_only_news(command, fleet):
    _, out, _ = command("alerts", "--mark")
    assert out.startswith("Too few changes to say how right such alerts are here: 5 falls could be tried in the last ")
    assert "turned worse: failed sends\n  +1" in out
    assert command("alerts")[1] == "nothing new to tell\n"


def test_with_the_clock_old_data_says_nothing_of_what_is_likely_and_old_changes_are_no_news(command, fleet):
    pipeline.set_setting("alert_from", "0.001", store=fleet)
    newest = datetime.fromisoformat(pipeline.status(fleet)["as_of"])
    kinds = [set(pipeline.alerts(fleet, clock=newest + timedelta(hours=h)).rows["kind"]) for h in (1, 30, 100)]
    assert kinds == [{"changed", "likely"}, {"changed"}, set()]


def test_at_a_past_time_nothing_later_is_used(tmp_path, write):
    start, then = datetime(2026, 3, 1), datetime(2026, 4, 3, 13)
    rows = []
    for n in range(3):
        for hour in range(24 * 40):
            for chat in range(1 + (hour + n) % 3):
                at = start + timedelta(hours=hour, minutes=9 * chat + n)
                rows.append((at, f"s{n}-{hour}-{chat},+1415555000{n},c{n}-{(hour + chat) % 29},outbound"))
                if (hour + chat) % 2 and not (n == 0 and hour > 24 * 31):
                    rows.append(
                        (
                            at + timedelta(minutes=40),
                            f"r{n}-{hour}-{chat},+1415555000{n},c{n}-{(hour + chat) % 29},inbound",
                        )
                    )
    falls = [
        (datetime(2026, 4, 3, 9), "0,HEALTHY,AT_RISK"),
        (datetime(2026, 4, 4), "0,AT_RISK,CRITICAL"),
        (datetime(2026, 4, 4), "1,HEALTHY,AT_RISK"),
    ]
    stores = {}
    for name, end in (("whole", datetime(2027, 1, 1)), ("cut", then)):
        sends = "".join(f"{what},{at:%Y-%m-%dT%H:%M:%SZ}\n" for at, what in rows if at <= end)
        changed = "".join(
            f"+1415555000{what.split(',')[0]},{at:%Y-%m-%dT%H:%M:%SZ},{what.split(',', 1)[1]}\n"
            for at, what in falls
            if at <= end
        )
        files = [
            write(f"{name}/messages.csv", "message_id,line,chat_id,direction,sent_at\n" + sends),
            write(f"{name}/changes.csv", "line,changed_at,previous_health,new_health\n" + changed),
        ]
        stores[name] = tmp_path / f"{name}.duckdb"
        pipeline.set_setting("alert_from", "0.0001", store=stores[name])
        pipeline.load(files, store=stores[name])
    whole, cut = (pipeline.alerts(store, at=then) for store in stores.values())
    assert set(cut.rows["kind"]) == {"likely", "changed"}
    assert_frame_equal(whole.rows, cut.rows)
    pipeline.mark_alerts(stores["whole"], pipeline.alerts(stores["whole"]))  # told later: not known then
    assert_frame_equal(pipeline.alerts(stores["whole"], at=then).rows, cut.rows)
