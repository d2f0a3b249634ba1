"""The decision per line: hard stops, what is left of today, what binds it, and data that is too old."""

import json
from datetime import timedelta

import polars as pl
import pytest

from analysis.ahead.features import known_by_hour
from analysis.ahead.forecast import forecast_of
from analysis.ahead.gate import gate_of
from analysis.pipeline.ahead import foresee
from analysis.schema import GAPS, GATE
from analysis.settings import Settings
from analysis.signals.gaps import seen
from tests.ahead.made import LINE, NO_CHANGES, NO_SPELLS, START, fleet, hours

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


@pytest.mark.parametrize(
    ("start", "end", "opens"), [(2, 3, False), (2, None, False), (-30, 3, False), (-30, -14, True)]
)  # fmt: skip
@pytest.mark.parametrize("whose", [LINE, None])
def test_on_a_day_whose_deliveries_are_missing_nothing_new_is_opened(start, end, opens, whose):
    """What was sent in the gap is not known: room that may be used up is not given away."""
    rows = hours(31, outbound=9, inbound=3, replied=3, new_conversations=lambda n: int(n % 4 == 0))
    rows = pl.concat([rows, rows.with_columns(line=pl.lit("+14155550102"))]).filter(pl.col("hour") <= NOON)
    midnight = START + timedelta(days=30)
    gap = (whose, midnight + timedelta(hours=start), midnight + timedelta(hours=end) if end else None, 9.0, 0.0)
    lost = pl.DataFrame([gap], schema=GAPS, orient="row")
    found = foresee(rows, NO_SPELLS, NO_CHANGES, at=NOON, newest=NOON, settings=Settings(), lost=lost).gate
    mine, other = found.sort("line").to_dicts()
    assert (mine["decision"] == "send") == opens
    assert (mine["new_recipients_left_today"] > 0) == opens
    assert ("deliveries of" in mine["why"]) == (not opens)
    assert (other["decision"] == "send") == (opens or whose is not None)


def test_a_gap_is_no_fall_in_replies():
    """Half of the sends were answered; then the fleet's deliveries stop for six hours, and the answers of a day before are lost with them."""
    lost_from = 29 * 24
    answered = lambda n: 0 if lost_from - 24 <= n < lost_from + 6 else 2  # noqa: E731
    rows = hours(31, outbound=4, inbound=answered, replied=answered)
    rows = rows.filter(pl.col("hour") <= START + timedelta(hours=lost_from + 8))
    at = START + timedelta(hours=lost_from + 8)
    gap = (None, START + timedelta(hours=lost_from), START + timedelta(hours=lost_from + 6), 99.0, 0.0)
    lost = pl.DataFrame([gap], schema=GAPS, orient="row")
    blind_, told = (
        foresee(rows, NO_SPELLS, NO_CHANGES, at=at, newest=at, settings=Settings(), lost=gaps) for gaps in (None, lost)
    )
    p_blind, p = (f.forecast["p_worse_24h"].item() for f in (blind_, told))
    assert p < p_blind / 2
    features = (
        known_by_hour(seen(rows, lost, within=timedelta(hours=24)), NO_SPELLS, as_of=at).tail(1).row(0, named=True)
    )
    assert abs(features["few_replies_2d"]) < 0.5
    assert abs(features["silent_today"]) < 0.5
