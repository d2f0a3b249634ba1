"""Weights are learned from many worsenings, never from few, and kept only where they tell later ones better; noisy lines need more."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.explain.attribution import Scale, Scales, confidence_of, rounded, shares_of
from analysis.explain.constants import CONSTANTS, DAY
from analysis.explain.found import Effects
from analysis.explain.quiet import SCALED, WIDTH, vector
from analysis.explain.weights import fitted, learned

DRIVERS = len(SCALED)
EVEN = np.ones(DRIVERS)
LEAST = CONSTANTS.weight_worsenings


def noise(rng, rows):
    """Log pressures that say nothing: the same before worsenings and in quiet times."""
    return rng.gamma(1.0, 0.5, (rows, DRIVERS))


def planted(rng, rows, strong=1, extra=1.0):
    """Worsenings that one driver drives; two others are noisy before them and in quiet times alike."""
    found = noise(rng, rows)
    found[:, strong] += rng.gamma(2.0, extra, rows)
    return found


def loud(rng, rows):
    """Quiet times in which all drivers but the planted one are often as high as before a worsening."""
    found = noise(rng, rows)
    found[:, 2:] *= 3
    return found


@pytest.mark.parametrize("seed", range(5))
def test_few_worsenings_teach_nothing(seed):
    rng = np.random.default_rng(seed)
    worse, quiet = planted(rng, LEAST), loud(rng, 400)
    assert learned(worse[: LEAST - 1], quiet) == pytest.approx(EVEN)
    assert learned(worse[:0], quiet) == pytest.approx(EVEN)
    assert learned(worse, quiet[:0]) == pytest.approx(EVEN)
    assert not np.allclose(learned(worse, quiet), EVEN)


@pytest.mark.parametrize("seed", range(5))
def test_a_planted_driver_is_learned_from_many(seed):
    rng = np.random.default_rng(seed)
    weights = learned(planted(rng, 600), loud(rng, 1500))
    assert int(np.argmax(weights)) == 1
    assert weights[1] > 1 > weights[2:].max()
    assert weights.min() >= CONSTANTS.weight_least


def test_the_more_worsenings_the_further_from_even():
    rng = np.random.default_rng(1)
    worse, quiet = planted(rng, 3000), loud(rng, 1500)
    away = [float(np.abs(learned(worse[:n], quiet) - 1).max()) for n in (LEAST - 1, 100, 500, 3000)]
    assert away[0] == 0
    assert away == sorted(away)
    assert away[-1] > 0.3


@pytest.mark.parametrize("seed", range(5))
def test_even_weights_stay_where_the_later_worsenings_have_another_cause(seed):
    """Two thirds are driven by one driver and the last third by those that it taught to ignore."""
    rng = np.random.default_rng(seed)
    earlier, quiet = planted(rng, 200), loud(rng, 600)
    later = noise(rng, 100)
    later[:, 2:] += rng.gamma(2.0, 2.0, (100, DRIVERS - 2))
    assert not np.allclose(learned(np.vstack((earlier, planted(rng, 100))), quiet), EVEN)
    assert learned(np.vstack((earlier, later)), quiet) == pytest.approx(EVEN)


def test_the_fit_stays_near_even_where_there_are_few_and_is_the_best_there_is():
    rng = np.random.default_rng(3)
    quiet = loud(rng, 400)
    few, many = fitted(planted(rng, 5), quiet), fitted(planted(rng, 2000), quiet)
    assert np.abs(few - 1).max() < 0.15
    assert np.abs(many - 1).max() > 0.3


class Quiet:
    """Quiet times as given, of the fleet and of one line."""

    def __init__(self, found, own=0):
        self.found, self.counts = found, np.ones(len(found))
        self.counts[:own] = CONSTANTS.own_weight

    def before(self, line, t):
        """The same at all times."""
        return self.found, self.counts


def one_driver(x=0.0, days=1.0, driver="opt_outs"):
    return Effects(0, {driver: x}, amount={driver: days})


def test_only_worsenings_of_earlier_days_teach_the_weights():
    rng = np.random.default_rng(1)
    worse = [(round((10 + i / 20) * DAY), vector(one_driver(1 + rng.gamma(2), 2, "opt_outs"))) for i in range(400)]
    quiet = np.zeros((500, WIDTH))
    quiet[:, SCALED.index("engagement")] = rng.gamma(1, 0.3, 500)
    quiet[:, DRIVERS + SCALED.index("engagement")] = 1
    scales = Scales(Quiet(quiet), worse)
    assert scales.at("+1", 10 * DAY).weights == pytest.approx(EVEN)
    assert scales.at("+1", 12 * DAY).weights == pytest.approx(EVEN)
    late = scales.at("+1", 40 * DAY).weights
    assert late[SCALED.index("engagement")] < 0.95
    assert late[SCALED.index("opt_outs")] > late[SCALED.index("engagement")]
    whole = Scales(Quiet(quiet), worse[:200]).at("+1", 20 * DAY).weights
    assert scales.at("+1", 20 * DAY).weights == pytest.approx(whole)


def test_a_noisy_quiet_past_of_the_line_needs_more_pressure_before_anything_is_named():
    """What the line itself shows while healthy is ordinary for it; what other lines show is not."""
    shown = np.tile(vector(one_driver(0.5, 2)), (30, 1))
    still, noisy, others = (
        Scales(quiet, []).at("+1", DAY) for quiet in (Quiet(0 * shown, own=30), Quiet(shown, own=30), Quiet(shown))
    )
    assert still.ordinary() == pytest.approx(1)
    assert others.ordinary() == pytest.approx(1)
    assert noisy.ordinary() > 1.5
    effects = one_driver(0.3, 1)
    left = [shares_of(effects, scale)["unexplained"] for scale in (still, noisy)]
    assert left[0] + 0.1 < left[1]
    stated = [confidence_of(rounded(shares_of(effects, scale)), 100) for scale in (still, noisy)]
    assert stated[0] > stated[1]


def test_the_more_quiet_days_of_its_own_the_more_they_weigh():
    levels = [
        Scale(quiet=np.full(n, 4.0), counts=np.full(n, float(CONSTANTS.own_weight))).ordinary() for n in (1, 5, 50)
    ]
    assert 1 < levels[0] < levels[1] < levels[2]
