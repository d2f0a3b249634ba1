"""How right forecasts have been: alarms by hand, calibration by hand, and fresh fleets against simpler forecasts."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from analysis.ahead.backtest import TRIED, alarm_of, calibration_error, record_of, skill, tried
from analysis.ahead.forecast import forecast_of
from tests.ahead.made import START, fleet
from tests.sweep import EVERY


def told(*rows):
    """TRIED of (line, hour, chance, hour of the worsening or None)."""
    data = []
    for line, hour, p, worse in rows:
        lead = None if worse is None else worse - hour
        came = [float(lead is not None and lead <= h) for h in (24, 72)]
        worse_at = None if worse is None else START + timedelta(hours=worse)
        data.append((line, START + timedelta(hours=hour), worse_at, p, 0.1, came[0], p, 0.1, came[1], 0.1, 0.1))
    return pl.DataFrame(data, schema=TRIED, orient="row")


def test_an_alarm_counts_once_and_is_false_only_where_nothing_follows():
    calm = [("a", 6 * i, 0.01, None) for i in range(400)]
    warned = [("b", 6 * i, 0.9 if 4 <= i < 10 else 0.01, 70) for i in range(11)]
    false = [("c", 6 * i, 0.8 if i in (3, 4, 5) else 0.01, None) for i in range(400)]
    missed = [("d", 6 * i, 0.01, 30) for i in range(5)]
    alarm = alarm_of(told(*calm, *warned, *false, *missed))
    months = (400 + 11 + 400 + 5) / 4 / 30
    assert (alarm.warned, alarm.worsenings) == (1, 2)
    assert alarm.false_a_month in (0.0, pytest.approx(1 / months))
    assert alarm.lead_hours == 70 - 24


def test_a_warning_in_the_last_hours_is_too_late():
    late = [("b", 6 * i, 0.9 if i == 10 else 0.01, 64) for i in range(11)]
    assert alarm_of(told(*late, *[("a", 6 * i, 0.02, None) for i in range(400)])).warned == 0


def test_calibration_and_skill_by_hand():
    p, y = (
        np.array([0.1] * 50 + [0.5] * 50),
        np.array([1.0, 1, 0, 0, 0, 0, 0, 0, 0, 0] * 5 + [1.0, 1, 1, 1, 0, 0, 0, 0, 0, 0] * 5),
    )
    assert calibration_error(p, y) == pytest.approx(0.1)
    assert skill(y, y, np.full(100, 0.3)) == 1
    assert skill(np.full(100, 0.3), y, np.full(100, 0.3)) == 0


def test_too_few_worsenings_say_nothing():
    assert record_of(told(*[("a", 6 * i, 0.1, 50) for i in range(8)])) is None
    assert record_of(pl.DataFrame(schema=TRIED)) is None


def test_each_week_is_forecast_from_what_came_before_it():
    rows, spells, transitions, as_of = fleet("drawn", "ledger", 45, lines=12, days=45)
    whole = forecast_of(rows, spells, transitions, at=as_of)
    found = tried(whole.ticks(), at=whole.learned_at)
    cut = whole.learned_at - timedelta(days=7)
    # the last week's worsenings moved away: earlier forecasts stay as they were
    other = whole.ticks().with_columns(worse_at=pl.when(pl.col("worse_at") <= cut).then("worse_at"))
    again = tried(other, at=whole.learned_at)
    before = found.filter(pl.col("at") <= cut)
    assert before.height
    assert before["p_24"].equals(again.filter(pl.col("at") <= cut)["p_24"])


@pytest.mark.parametrize(
    ("family", "scorer", "seed"),
    [("drawn", "ledger", 77), *([("drawn", "sickness", 78), ("replay", "annoyance", 79)] if EVERY else [])],
)
def test_on_fresh_fleets_it_beats_the_base_rate_yesterday_and_the_best_signal(family, scorer, seed):
    rows, spells, transitions, as_of = fleet(family, scorer, seed, lines=60, days=63)
    ahead = forecast_of(rows, spells, transitions, at=as_of)
    record = record_of(tried(ahead.ticks(), at=ahead.learned_at))
    day = record["horizons"]["24"]
    assert day["skill"] > 0.03
    assert day["ahead_of_peers"]["yesterday"] > 0.02
    assert day["ahead_of_peers"]["single"] > 0.0
    assert day["calibration_error"] <= 0.05
    assert record["alarm"]["false_a_month"] <= 1
    assert record["alarm"]["warned"] >= 0.25 * record["alarm"]["worsenings"]
