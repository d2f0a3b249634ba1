"""The decision per line: hard stops, what is left of today, what binds it, and data that is too old."""

import json
from datetime import timedelta

import polars as pl
import pytest

from analysis.ahead.forecast import forecast_of
from analysis.ahead.gate import gate_of
from analysis.schema import GATE
from analysis.settings import Settings
from tests.ahead.made import NO_CHANGES, NO_SPELLS, START, fleet, hours

NOON = START + timedelta(days=30, hours=12)
TODAY = 30 * 24


def decide(rows, *, at=NOON, newest=NOON, **settings):
    rows = rows.filter(pl.col("hour") <= min(at, newest))
    ahead = forecast_of(rows, NO_SPELLS, NO_CHANGES, at=min(at, newest))
    found = gate_of(ahead, rows, settings=Settings(**settings), newest=newest, at=at)
    assert found.schema == GATE
    return found


def one(rows, **more):
    return decide(rows, **more).row(0, named=True)


@pytest.mark.parametrize(
    ("state", "status", "decision"),
    [
        ("HEALTHY", "ACTIVE", "send"),
        ("HEALTHY", None, "send"),
        ("AT_RISK", "ACTIVE", "slow"),
        (None, None, "slow"),
        ("CRITICAL", "ACTIVE", "pause"),
        ("HEALTHY", "FLAGGED", "pause"),
        (None, "FLAGGED", "pause"),
    ],
)
def test_health_and_flag_decide_first_and_only_healthy_lines_open(state, status, decision):
    got = one(
        hours(
            31,
            state=state,
            status=status,
            outbound=lambda n: 9 if n < TODAY else 4,
            inbound=2,
            replied=2,
            new_conversations=lambda n: int(n % 8 == 0),
        )
    )
    assert got["decision"] == decision
    assert (got["new_recipients_left_today"] > 0) == (decision == "send")
    assert (got["sends_left_today"] == 0) == (decision == "pause")
    assert got["why"]


def test_a_line_at_risk_keeps_half_of_its_usual_day_less_what_it_sent():
    got = one(
        hours(31, state="AT_RISK", outbound=lambda n: 10 if n < TODAY else 1).with_columns(
            health=pl.when(pl.col("hour") < START + timedelta(days=28)).then(pl.lit("HEALTHY")).otherwise("health")
        )
    )
    assert got["sends_today"] == 13
    assert got["usual_sends"] == pytest.approx(240, rel=0.02)
    assert got["sends_left_today"] == pytest.approx(120 - 13, abs=2)


def test_what_is_left_is_one_and_a_half_times_the_busiest_usual_day_less_today():
    got = one(hours(31, outbound=4, inbound=2, replied=2, new_conversations=lambda n: 1 if n % 2 else 0))
    assert (got["new_today"], got["bound"]) == (6, "own")
    assert got["new_recipients_left_today"] == 18 - 6


def test_no_line_goes_over_the_published_limit():
    got = one(hours(31, outbound=20, inbound=10, replied=10, new_conversations=3))
    assert (got["new_today"], got["bound"], got["new_recipients_left_today"]) == (39, "published", 11)
    assert (
        one(hours(31, outbound=20, inbound=10, replied=10, new_conversations=3), gate_new_per_day=40)[
            "new_recipients_left_today"
        ]
        == 1
    )


def test_openers_of_this_hour_count_against_the_hours_limit():
    got = one(hours(31, outbound=20, inbound=10, replied=10, new_conversations=lambda n: 12 if n == TODAY + 12 else 2))
    assert got["new_left_this_hour"] == 3


def test_a_line_without_a_usual_of_openers_begins_small():
    got = one(hours(31, outbound=4, inbound=2, replied=2))
    assert got["new_recipients_left_today"] == 10
    assert (
        one(hours(31, outbound=4).filter(pl.col("hour") >= START + timedelta(days=28)))["new_recipients_left_today"]
        == 10
    )


def test_today_begins_at_midnight_of_the_zone():
    rows = hours(31, outbound=4, inbound=2, replied=2, new_conversations=lambda n: 2 if n % 4 == 0 else 0)
    assert one(rows)["sends_today"] == 13 * 4
    assert one(rows, timezone="America/New_York")["sends_today"] == 9 * 4


def test_more_openers_never_make_it_likelier_to_stay_well_and_the_risk_can_bind():
    rows = hours(
        31,
        outbound=4,
        inbound=lambda n: 0 if n >= TODAY - 24 else 2,
        replied=2,
        new_conversations=lambda n: 1 if n % 2 else 0,
    )
    loose, tight = one(rows, gate_risk=1.0), one(rows, gate_risk=0.10)
    curve = json.loads(loose["risk_by_new"])
    assert curve == sorted(curve)
    assert curve[30] > curve[0]
    left = tight["new_recipients_left_today"]
    assert left < loose["new_recipients_left_today"]
    assert left == 0 or curve[left] <= 0.10 + 1e-4


def test_a_healthy_line_likely_to_fall_goes_slow():
    rows = hours(
        31,
        outbound=4,
        inbound=lambda n: 0 if n >= TODAY - 48 else 2,
        replied=2,
        new_conversations=lambda n: 12 if n >= TODAY - 24 else 0,
    )
    got = one(rows)
    assert got["p_worse_24h"] > 0.15
    assert (got["decision"], got["new_recipients_left_today"], got["bound"]) == ("slow", 0, "risk")


def test_with_old_data_nothing_new_may_be_opened_and_it_says_so():
    rows = hours(31, outbound=4, inbound=2, replied=2)
    fresh, old = one(rows, at=NOON + timedelta(hours=20)), one(rows, at=NOON + timedelta(hours=30))
    assert fresh["decision"] == "send"
    assert (old["decision"], old["new_recipients_left_today"], old["bound"]) == ("slow", 0, "stale")
    assert "30 hours old" in old["why"]


def test_a_whole_fleet_keeps_the_rules():
    rows, spells, transitions, as_of = fleet("drawn", "sickness", 44, lines=30, days=40)
    ahead = forecast_of(rows, spells, transitions, at=as_of)
    found = gate_of(ahead, rows, settings=Settings(), newest=as_of, at=as_of)
    opens = found.filter(pl.col("new_recipients_left_today") > 0)
    assert set(opens["health"]) == {"HEALTHY"}
    assert (opens["new_recipients_left_today"] + opens["new_today"] <= 50).all()
    assert (found["new_recipients_left_today"] <= found["sends_left_today"]).all()
    assert found.height == rows["line"].n_unique()
    assert set(found.filter(pl.col("health") == "CRITICAL")["decision"]) <= {"pause"}
