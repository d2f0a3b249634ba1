"""The card of Ahead that tries a rule on a line's past: asked for by the address, never computed before."""

from datetime import date, timedelta

import pytest

from analysis import pipeline
from analysis.pages import _words as words
from tests.pages.conftest import words_of


@pytest.fixture(scope="module")
def fall(demo_store):
    """The made-up fleet's first fall: its line, and the address of a rule tried on the week up to it."""
    first = next(e for e in pipeline.explanations(demo_store) if e.kind == "health" and e.previous == "HEALTHY")
    end = date.fromisoformat(first.at[:10])
    days = {"begin": f"{end - timedelta(days=6)}", "end": f"{end}"}
    return first.line, {"hist": words.line_key(first.line), "rule": "spread", "n": "14", **days}


def never(*_, **__):
    raise AssertionError("computed before it was asked for")


def test_nothing_is_computed_until_it_is_asked_for(open_app, demo_store, monkeypatch):
    monkeypatch.setattr(pipeline, "replay", never)
    at = open_app(demo_store, "ahead")
    assert not at.exception
    assert "Nothing is computed until you ask" in words_of(at)
    last = [e for e in pipeline.explanations(demo_store) if e.kind == "health" and e.previous == "HEALTHY"][-1]
    assert at.selectbox(key="replay_line").value == last.line
    period = at.date_input(key=f"replay_days_{words.line_key(last.line)}").value
    assert period == (date.fromisoformat(last.at[:10]) - timedelta(days=6), date.fromisoformat(last.at[:10]))


def test_an_address_shows_the_rule_its_result_and_its_limits_again(open_app, demo_store, fall):
    line, query = fall
    at = open_app(demo_store, "ahead", **query)
    assert not at.exception
    assert (at.selectbox(key="replay_line").value, at.selectbox(key="replay_rule").value) == (line, "spread")
    assert at.number_input(key="replay_n_spread").value == 14
    record = pipeline.replay(
        demo_store,
        line=line,
        since=query["begin"],
        until=date.fromisoformat(query["end"]) + timedelta(days=1),
        spread=14,
    ).record
    said = words_of(at)
    assert "in this model" in said.lower()
    for sentence in (*record["sentences"], *record["limits"]):
        assert sentence.replace(" %", f"{words.THIN}%").split(";")[0][:60].replace("'", "&#x27;") in said.replace(" %", f"{words.THIN}%")  # fmt: skip


def test_the_chart_draws_the_chance_before_and_after_and_the_chance_from_which_to_hold_back(open_app, demo_store, fall):
    at = open_app(demo_store, "ahead", **fall[1])
    risk = float(pipeline.settings(demo_store).gate_risk)
    (spec,) = (c.proto.spec for c in at.get("vega_lite_chart") if "p_before" in c.proto.spec)
    assert f'"level": {risk}' in spec


def test_the_button_puts_what_is_chosen_into_the_address(open_app, demo_store, fall):
    at = open_app(demo_store, "ahead", **fall[1])
    at.number_input(key="replay_n_spread").set_value(10).run()
    assert "Press Try it for the new choice" in words_of(at)
    at.button(key="replay_try").click().run()
    assert not at.exception
    assert at.query_params["n"] in ("10", ["10"])
    assert "spread over 10 days" in words_of(at)
    assert "Press Try it" not in words_of(at)


def test_what_can_not_be_tried_says_why(open_app, demo_store, fall):
    at = open_app(demo_store, "ahead", **{**fall[1], "rule": "cap", "n": "900"})
    assert not at.exception
    assert "would move nothing" in words_of(at)


@pytest.mark.parametrize(
    "broken",
    [
        {"hist": "123"},
        {"begin": "soon"},
        {"rule": "magic"},
        {"n": "x"},
        {"rule": "lines", "others": "9"},
        {"rule": "lines"},
        {"end": "2026-01-01"},
    ],
)
def test_an_address_that_names_nothing_known_asks_for_nothing(open_app, demo_store, fall, broken, monkeypatch):
    monkeypatch.setattr(pipeline, "replay", never)
    at = open_app(demo_store, "ahead", **{**fall[1], **broken})
    assert not at.exception
    assert "Nothing is computed until you ask" in words_of(at)
