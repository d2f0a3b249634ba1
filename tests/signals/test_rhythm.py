"""How surprising silences are: tails that cannot matter are not looked at."""

import numpy as np
import pytest

from analysis.signals.rhythm import Activity, Rhythms

WEEKS = 9
SLOTS = 7 * 24 * 12


def activity(seed):
    """Slots of three lines of unlike pace, quiet at night, for some weeks."""
    draw = np.random.default_rng(seed)
    slots = np.arange(1000 * SLOTS, (1000 + WEEKS) * SLOTS)
    awake = (slots // 12 % 24 > 6).astype(float)
    parts = [slots[draw.random(len(slots)) < pace * awake + 0.002] for pace in (0.02, 0.1, 0.4)]
    line, slot = np.repeat(np.arange(3), [len(p) for p in parts]), np.concatenate(parts)
    return Activity(line, slot, slot * 300_000, slot * 300_000 + 1000, np.ones(len(slot)))


@pytest.mark.parametrize("often", [0.01, 5.0, 300.0])
def test_silences_that_come_seldom_are_told_the_same_whether_others_are_looked_at_or_not(often):
    rhythms = Rhythms(activity(4))
    latest = int((1000 + WEEKS) * SLOTS * 300_000)
    whole = rhythms.silences(latest, 30, [], often=np.inf).by_chance_a_year
    some = rhythms.silences(latest, 30, [], often=often).by_chance_a_year
    seldom = whole <= often
    assert np.array_equal(some[seldom], whole[seldom])
    assert (some[~seldom] > often).all()
    assert np.isfinite(whole).all()
    assert np.isinf(some).any()
