"""Shares on hand-made effects: they add up, unexplained follows the pressure, and quiet times set the scale."""

import numpy as np
import pytest

from analysis.explain.attribution import UNITS, Scale, confidence_of, rounded, shares_of
from analysis.explain.constants import CONSTANTS
from analysis.explain.effects import Effects

FIXED = Scale()


def of(**units):
    """Effects in multiples of each driver's unit."""
    return Effects(0, {d: n * UNITS[d] if d in UNITS else n for d, n in units.items()})


@pytest.mark.parametrize(
    "effects", [of(), of(engagement=0.3), of(engagement=3, opt_outs=1), of(flagged=1, send_pace=2), of(flagged=1)]
)
def test_shares_add_up_before_rounding_and_after(effects):
    shares = shares_of(effects, FIXED)
    assert sum(shares.values()) == pytest.approx(1, abs=1e-12)
    assert min(shares.values()) >= 0
    assert sum(s for _, s in rounded(shares)) == pytest.approx(1, abs=1e-12)


def test_more_pressure_leaves_less_unexplained():
    left = [shares_of(of(engagement=n), FIXED)["unexplained"] for n in (0, 0.3, 0.6, 1, 2)]
    assert left == sorted(left, reverse=True)
    assert left[0] == 1
    assert left[-1] == pytest.approx(CONSTANTS.unexplained_floor)


def test_pressure_that_quiet_times_also_show_explains_little():
    often = Scale(quiet=np.array([1.2] * 20 + [0.0] * 80), counts=np.ones(100))
    never = Scale(quiet=np.zeros(100), counts=np.ones(100))
    effects = of(engagement=1.1)
    assert shares_of(effects, often)["unexplained"] > 0.6 > 0.1 > shares_of(effects, never)["unexplained"]


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
    assert confidence_of(strong, 5) < confidence_of(strong, 100) <= 0.92
    assert confidence_of([("engagement", 0.5), ("opt_outs", 0.45), ("unexplained", 0.05)], 100) < 0.5
    assert confidence_of([("unexplained", 1.0)], 1000) <= 0.6
    assert confidence_of([("unexplained", 1.0)], 0) == 0.3
