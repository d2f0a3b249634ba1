"""Shares on hand-made effects: they add up, unexplained follows the pressure, and quiet times set the scale."""

import numpy as np
import pytest

from analysis.explain.attribution import UNITS, Scale, confidence_of, rounded, shares_of, units_of
from analysis.explain.constants import CONSTANTS
from analysis.explain.found import Effects
from analysis.explain.quiet import vector

FIXED = Scale()


def of(days=1.0, **units):
    """Effects in multiples of each driver's unit, with so many usual days of each."""
    return Effects(
        0, {d: n * UNITS[d] if d in UNITS else n for d, n in units.items()}, amount=dict.fromkeys(units, days)
    )


@pytest.mark.parametrize(
    "effects", [of(), of(engagement=0.3), of(engagement=3, opt_outs=1), of(flagged=1, send_pace=2), of(flagged=1)]
)
def test_shares_add_up_before_rounding_and_after(effects):
    shares = shares_of(effects, FIXED)
    assert sum(shares.values()) == pytest.approx(1, abs=1e-12)
    assert min(shares.values()) >= 0
    assert sum(s for _, s in rounded(shares)) == pytest.approx(1, abs=1e-12)


def test_more_pressure_leaves_less_unexplained():
    left = [shares_of(of(engagement=n), FIXED)["unexplained"] for n in (0, 0.03, 0.1, 0.3, 1, 3)]
    assert left == sorted(left, reverse=True)
    assert left[0] == 1
    assert left[1] > 0.5 > left[3]
    assert left[-1] == pytest.approx(CONSTANTS.unexplained_floor)


def test_more_of_the_same_leaves_less_unexplained():
    left = [shares_of(of(days, engagement=0.1), FIXED)["unexplained"] for days in (0, 0.3, 1, 3)]
    assert left == sorted(left, reverse=True)
    assert left[0] > 0.6 > 0.4 > left[-1]


def test_what_quiet_times_also_show_explains_less():
    usual = vector(of(engagement=1.0))
    often = Scale(units=units_of(np.tile(usual, (100, 1)), np.ones(100)))
    never = Scale(units=units_of(np.zeros((100, len(usual))), np.ones(100)))
    effects = of(engagement=0.2)
    assert shares_of(effects, often)["unexplained"] > 1.2 * shares_of(effects, never)["unexplained"]
    assert often.units[1:] == pytest.approx(never.units[1:])


def test_an_effect_of_one_unit_in_a_usual_day_is_ten_times_the_ordinary():
    assert FIXED.z(of(opt_outs=1))["opt_outs"] == pytest.approx(1 / CONSTANTS.ordinary)


def test_a_flag_takes_four_fifths_and_the_rest_keep_their_proportions():
    plain, flagged = (
        shares_of(of(engagement=2, opt_outs=1), FIXED),
        shares_of(of(engagement=2, opt_outs=1, flagged=1), FIXED),
    )
    assert flagged["flagged"] == pytest.approx(0.8)
    for driver, share in plain.items():
        assert flagged[driver] == pytest.approx(0.2 * share)


def test_the_rounding_remainder_goes_to_the_largest():
    assert rounded({"engagement": 1 / 3, "opt_outs": 1 / 3, "unexplained": 1 / 3}) == [
        ("engagement", 0.3334),
        ("opt_outs", 0.3333),
        ("unexplained", 0.3333),
    ]
    assert rounded({"engagement": 0.99996, "unexplained": 0.00004}) == [("engagement", 1.0), ("unexplained", 0.0)]


def test_confidence_grows_with_share_and_data_and_is_low_without_a_cause():
    strong = [("engagement", 0.97), ("unexplained", 0.03)]
    assert confidence_of(strong, 5) < confidence_of(strong, 100) <= 0.97
    assert confidence_of([("engagement", 0.5), ("opt_outs", 0.45), ("unexplained", 0.05)], 100) < 0.5
    assert confidence_of([("unexplained", 1.0)], 1000) < 0.75  # never "high"
    assert confidence_of([("unexplained", 1.0)], 0) == 0.3
