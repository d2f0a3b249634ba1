"""A page is of one state of the store: where a load replaces it while the page is read, the page is that of the new one, whole."""

import shutil
import sys
from datetime import timedelta

import pytest

from analysis import pipeline
from analysis.pages import _words as words
from analysis.report import report
from tests.pages.conftest import MESSAGES, words_of
from tests.sweep import SWEEP


@pytest.fixture
def moving(demo_store, tmp_path, write):
    """A copy of the demo store, and a load that gives its first line a message later than all, and a new line."""
    store = tmp_path / "moving.duckdb"
    shutil.copy(demo_store, store)
    at = words.instant(pipeline.status(store)["as_of"]) + timedelta(hours=3)
    line = pipeline.lines(store)["line"][0]
    rows = f"x1,{line},x,inbound,{at:%Y-%m-%dT%H:%M:%SZ}\nx2,+14155559999,y,outbound,{at:%Y-%m-%dT%H:%M:%SZ}\n"
    path = write("later.csv", MESSAGES + rows)
    return store, lambda: pipeline.load([path], store=store)


def in_the_middle(monkeypatch, verb, act, times=1, room=pipeline):
    """Let something happen just before a verb reads, so many times."""
    plain, left = getattr(room, verb), [times]

    def _verb(*args, **named):
        if left[0]:
            left[0] -= 1
            act()
        return plain(*args, **named)

    _verb.__name__ = verb
    monkeypatch.setattr(room, verb, _verb)
    return left


@pytest.mark.parametrize("verb", ["lines", "explanations"])
def test_a_page_during_which_the_store_is_replaced_shows_the_new_state_only(open_app, moving, monkeypatch, verb):
    store, load = moving
    before = words_of(open_app(store))
    snapshot = pipeline.snapshot(store)
    with monkeypatch.context() as patch:
        store.touch()  # nothing is kept of it
        left = in_the_middle(patch, verb, load)
        during = open_app(store)
    assert left == [0]
    assert not during.exception
    assert pipeline.snapshot(store) != snapshot
    assert words_of(during) == words_of(open_app(store)) != before


def test_a_store_that_is_replaced_again_and_again_ends_in_a_sentence(open_app, moving, monkeypatch):
    store, _ = moving
    in_the_middle(monkeypatch, "status", lambda: store.touch(), times=100)
    at = open_app(store)
    assert not at.exception
    assert "The store changes faster than this page can be read." in words_of(at)


@SWEEP
def test_a_report_is_of_one_state(moving, monkeypatch):
    store, load = moving
    with monkeypatch.context() as patch:
        left = in_the_middle(patch, "lines", load)
        during = report(store)
    assert left == [0]
    assert during.markdown == report(store).markdown


def test_the_evidence_of_a_change_is_of_one_state(moving, monkeypatch):
    store, load = moving
    e = pipeline.explanations(store)[-1]
    before = pipeline.evidence(store, line=e.line, at=e.at)
    with monkeypatch.context() as patch:
        left = in_the_middle(patch, "fingerprint", load, room=sys.modules["analysis.pipeline.evidence"])
        during = pipeline.evidence(store, line=e.line, at=e.at)
    assert left == [0]
    assert during == before
    assert during != pipeline.evidence(store, line=e.line, at=e.at)
