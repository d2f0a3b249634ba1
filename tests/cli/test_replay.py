"""linehealth replay: one rule at a time, in words or as JSON, and reasons where nothing can be tried."""

import json

import pytest

from analysis import pipeline


@pytest.fixture(scope="module")
def fall(demo_store):
    """The last fall of the line of the made-up fleet that fell first: it has weeks of data before it."""
    falls = [e for e in pipeline.explanations(demo_store) if e.kind == "health" and e.previous == "HEALTHY"]
    return [e for e in falls if e.line == falls[0].line][-1]


@pytest.fixture
def replay(command, demo_store, fall, monkeypatch):
    """Run the command on the line of the fall."""
    monkeypatch.setenv("LINEHEALTH_STORE", str(demo_store))
    return lambda *more, line=fall.line: command("replay", "--line", line, *more)


def test_without_a_period_the_week_before_the_last_fall_is_taken(replay, fall):
    code, out, _ = replay("--spread", "14", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["until"] == fall.at
    assert told["rule"] == {"spread": 14}
    assert told["rows"][0].keys() == {"line", "hour", "p_before", "p_after", "change_low", "change_high"}
    assert len(told["rows"]) >= 7 * 24


def test_words_say_what_was_changed_what_it_does_and_what_it_can_not_say(replay):
    code, out, _ = replay("--stop-after", "2")
    assert code == 0
    for part in ("are left out", "80 % interval", "Falls expected", "What this can't say:", "The vendor may score by"):
        assert part in out


def test_other_lines_may_take_over_where_they_were_healthy_all_the_time(replay, demo_store, fall):
    falls = pipeline.transitions(demo_store).filter(kind="health", worsening=True).sort("at")
    period = ("--since", "2026-10-06", "--until", "2026-10-13")
    late = list(dict.fromkeys(r["line"] for r in falls.iter_rows(named=True) if f"{r['at']:%m-%d}" > "10-20"))
    first = set(falls.filter(falls["at"] < falls["at"][4])["line"])
    one, other = [line for line in late if line not in first and line != fall.line][:2]
    code, out, _ = replay("--over-lines", f"{one}, {other}", *period, "--json")
    told = json.loads(out)
    assert code == 0
    assert set(told["worst"]) == {fall.line, one, other}
    assert told["moved"] == pytest.approx(told["opened"] * 2 / 3, abs=1)
    _, _, err = replay("--over-lines", falls["line"][1], "--since", "2026-10-14", "--until", "2026-10-21")
    assert "not healthy all through the period" in err


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ((), "one rule at a time"),
        (("--spread", "7", "--cap", "3"), "one rule at a time"),
        (("--spread", "0"), "out of range"),
        (("--spread", "7", "--since", "2026-11-01", "--until", "2026-11-01T10:00:00Z"), "1 to 60 days long"),
        (("--spread", "7", "--since", "2020-01-01", "--until", "2020-01-08"), "outside the line's data"),
        (("--spread", "7", "--since", "2030-01-01", "--until", "2030-01-08"), "outside the line's data"),
        (("--over-lines", "+19995550000"), "no such line"),
        (("--cap", "500"), "would move nothing"),
    ],
)
def test_what_can_not_be_tried_is_refused_with_a_reason(replay, more, told):
    code, _, err = replay(*more)
    assert code == 2
    assert told in err


def test_an_unknown_line_is_refused(replay):
    code, _, err = replay("--spread", "7", line="+19995550000")
    assert (code, "no such line" in err) == (2, True)
