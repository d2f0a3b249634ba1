"""The card Alerts on Ahead: what would be told, how right that would have been, and what governs it."""

import shutil

import pytest

from analysis import pipeline
from tests.pages.conftest import words_of
from tests.pages.test_foot import with_record
from tests.sweep import EVERY


def test_the_card_tells_what_is_due_with_the_reason_and_the_record_by_level(open_app, demo_store, tmp_path):
    said = words_of(open_app(with_record(demo_store, tmp_path), "ahead"))
    due = pipeline.alerts(demo_store)
    lines = due.rows["line"].n_unique()
    assert f"Alerts: {len(due.messages)} messages are due, on {lines} lines" in said
    assert "1 line turned worse: failed sends" in said
    assert "+1 415 555 0105: critical since 21 Nov 12:34 UTC, was at risk." in said
    assert "● 15\u202f%, in force" in said
    assert said.count("in force</b>") == 1
    assert "14 of 22<" in said  # under 30 alerts: no share
    assert "Of the last 8 weeks' 11 falls these alerts would have told 6, 17 h ahead" in said.replace("&#x27;", "'")


@pytest.mark.parametrize(
    ("quiet", "says"),
    [("22-07", "quiet hours 22-07 (UTC)"), *([("", "no quiet hours; recoveries off")] if EVERY else [])],
)
def test_with_too_few_falls_the_card_says_so_and_which_settings_govern(open_app, demo_store, tmp_path, quiet, says):
    own = tmp_path / "own.duckdb"
    shutil.copy(demo_store, own)
    if quiet:
        pipeline.set_setting("alert_quiet", quiet, store=own)
    said = words_of(open_app(own, "ahead"))
    assert "Too few changes to say how right such alerts are here: 5 falls could be tried" in said
    assert says in said
    waiting = pipeline.alerts(own).waiting
    assert (waiting > 0) is bool(quiet)
    assert (f"{waiting} alerts wait for them to end" in said) is bool(quiet)


def test_with_nothing_new_the_card_says_so(open_app, demo_store, tmp_path):
    own = tmp_path / "own.duckdb"
    shutil.copy(demo_store, own)
    pipeline.alerts(own, mark=True)
    said = words_of(open_app(own, "ahead"))
    assert "Alerts: no message is due" in said
    assert "Nothing new to tell." in said
