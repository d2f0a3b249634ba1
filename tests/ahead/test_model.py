"""The chance of turning worse: what is learned, what stays the prior's, and what is not said."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from analysis.ahead import rows as rows_of_lines
from analysis.ahead.forecast import forecast_of
from analysis.ahead.model import FEATURES, HORIZONS, came, fitted, labelled, learned
from analysis.ahead.prior import PRIOR
from analysis.schema import DRIVERS
from tests.ahead.made import LINE, NO_CHANGES, NO_SPELLS, START, changes, fleet, hours

ZERO = dict.fromkeys(("intercept", *FEATURES), 0.0)


def test_without_a_row_the_weights_are_the_priors():
    model = fitted(np.zeros((0, len(FEATURES))), np.zeros(0), np.zeros(0), hours=24, prior=PRIOR[24])
    assert model.told() == pytest.approx(PRIOR[24], abs=1e-3)


def test_many_changes_teach_the_weights_behind_them():
    rng = np.random.default_rng(5)
    x, true = rng.normal(size=(40_000, len(FEATURES))), np.zeros(len(FEATURES))
    true[:3] = 1.0, -0.5, 0.8
    y = (rng.random(len(x)) < 1 / (1 + np.exp(2 - x @ true))).astype(float)
    model = fitted(x, y, np.ones(len(x)), hours=24, prior=ZERO)
    assert model.weights == pytest.approx(np.array([-2, *true]), abs=0.12)
    low, high = model.interval(x[:500])
    truth = 1 / (1 + np.exp(2 - x[:500] @ true))
    assert 0.65 < ((low <= truth) & (truth <= high)).mean() < 0.95


def test_a_tick_is_marked_by_the_next_worsening_within_the_horizon_only():
    rows = hours(20, outbound=2)
    from analysis.ahead.features import known_by_hour

    ticks = labelled(
        known_by_hour(rows, NO_SPELLS, as_of=START + timedelta(days=20)), changes((LINE, 15.5, "HEALTHY", "AT_RISK"))
    )
    worse = ticks.filter(pl.Series(came(ticks, 24)) > 0)["at"]
    assert (worse.min(), worse.max(), worse.len()) == (
        START + timedelta(days=14.5),
        START + timedelta(days=15, hours=11),
        24,
    )
    assert ticks["at"].min() >= START + timedelta(days=7)


def test_what_comes_later_is_not_looked_at():
    rows, spells, transitions, as_of = fleet("drawn", "ledger", 42, lines=10, days=35)
    from analysis.ahead.features import known_by_hour

    at = as_of - timedelta(days=7)
    known = known_by_hour(rows, spells, as_of=as_of, every=6)
    for horizon in HORIZONS:
        told = learned(labelled(known, transitions), at=at, hours=horizon)
        before = learned(labelled(known, transitions.filter(pl.col("at") <= at)), at=at, hours=horizon)
        assert told.told() == before.told()


def test_young_lines_have_no_chance_and_critical_ones_none_to_fear():
    rows = pl.concat([hours(20, outbound=2), hours(20, line="+1critical", state="CRITICAL", outbound=2)])
    young = hours(20, line="+1young", outbound=2).filter(pl.col("hour") >= START + timedelta(days=15))
    found = forecast_of(pl.concat([rows, young]), NO_SPELLS, NO_CHANGES, at=START + timedelta(days=20, minutes=-1)).rows
    by_line = {r["line"]: r for r in found.iter_rows(named=True)}
    assert by_line["+1young"]["p_worse_24h"] is None
    assert "not enough history" in by_line["+1young"]["note"]
    assert by_line["+1critical"]["p_worse_72h"] == 0
    assert 0 < by_line[LINE]["p_worse_24h_low"] < by_line[LINE]["p_worse_24h"] < by_line[LINE]["p_worse_24h_high"] < 0.2


def test_three_days_are_never_less_likely_than_one():
    rows, spells, transitions, as_of = fleet("replay", "forest", 43, lines=10, days=35)
    found = forecast_of(rows, spells, transitions, at=as_of).rows.drop_nulls("p_worse_24h")
    assert (found["p_worse_72h"] >= found["p_worse_24h"]).all()
    assert (found["p_worse_24h_low"] <= found["p_worse_24h"]).all()


@pytest.mark.parametrize(("lines", "batch"), [(8, 100), (8, 7), (1, 100)])
def test_with_what_was_learned_at_hand_the_forecast_is_the_same(monkeypatch, lines, batch):
    """To the last digit, of a line alone in its batch too."""
    monkeypatch.setattr(rows_of_lines, "BATCH", batch)
    rows, spells, transitions, as_of = fleet("drawn", "ledger", 46, lines=lines, days=35)
    for back in range(4):
        at = as_of - timedelta(hours=back)
        whole = forecast_of(rows, spells, transitions, at=at)
        again = forecast_of(rows, spells, transitions, at=at, models=whole.models)
        assert again.rows.equals(whole.rows)
        assert again.known.equals(whole.known)
        assert again.drivers == whole.drivers
        assert again.past.height == lines < whole.past.height  # and only the last hour was looked at


def test_what_is_learned_is_the_same_at_every_hour_of_a_day():
    rows, spells, transitions, as_of = fleet("drawn", "ledger", 47, lines=6, days=35)
    midnight = as_of.replace(hour=0, minute=0)
    known = [forecast_of(rows, spells, transitions, at=midnight + timedelta(hours=h)) for h in (0.2, 1.2, 5.9, 17)]
    for ahead in known[1:]:
        assert [m.told() for m in ahead.models.values()] == [m.told() for m in known[0].models.values()]
        assert (ahead.models[24].weights == known[0].models[24].weights).all()


def test_a_burst_without_replies_raises_the_chance_and_is_named_with_its_counts():
    calm = {"outbound": 2, "inbound": 1, "replied": 1}
    quiet = [hours(30, line=f"+1415555020{i}", **calm) for i in range(5)]
    loud = hours(
        30,
        **{
            **calm,
            "new_conversations": lambda n: 4 if n >= 29 * 24 else 0,
            "outbound": lambda n: 8 if n >= 29 * 24 else 2,
        },
    )
    ahead = forecast_of(pl.concat([loud, *quiet]), NO_SPELLS, NO_CHANGES, at=START + timedelta(days=30, minutes=-1))
    chance = dict(ahead.rows.select("line", "p_worse_24h").iter_rows())
    assert chance[LINE] > 3 * max(p for line, p in chance.items() if line != LINE)
    told = {d["driver"]: d for d in ahead.drivers[LINE]}
    assert told["new_conversations"]["evidence"]["observed"] == 96
    assert "96 new conversations in 24 h" in told["new_conversations"]["summary"]
    assert set(told) <= set(DRIVERS)
    assert sum(d["share"] for d in told.values()) <= 1.001
