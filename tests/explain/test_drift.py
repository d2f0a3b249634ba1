"""A change of the vendor's scoring shows only where many lines worsen at once without pressure of their own."""

from zoneinfo import ZoneInfo

import pytest

from analysis.explain.constants import DAY
from analysis.explain.drift import ScoringChanges, scoring_changed
from tests.explain.builders import World

LINES = {f"+{i}": 0 for i in range(30)}
BEFORE = [(d * DAY, f"+{d}", 0.9) for d in (10, 20, 30)]


def scoring_change(worsenings, t, starts):
    return ScoringChanges(worsenings, starts).at(t)


def at_once(n, day=40, share=0.9):
    return [(round((day + i / 10) * DAY), f"+{i + 5}", share) for i in range(n)]


def test_many_lines_at_once_are_told_with_their_day():
    found = scoring_change(BEFORE + at_once(8), 41 * DAY, LINES)
    assert (found.since, found.lines, found.of) == (40 * DAY, 8, 30)
    assert scoring_changed(found, ZoneInfo("UTC")) == (
        "No cause in this line's own sends: 8 of 30 lines worsened since 10 Feb without pressure of their own. "
        "The vendor may have changed its scoring around then."
    )


def test_few_lines_explained_ones_and_later_ones_do_not_count():
    assert scoring_change(BEFORE + at_once(3), 41 * DAY, LINES) is None
    assert scoring_change(BEFORE + at_once(8, share=0.3), 41 * DAY, LINES) is None
    assert scoring_change(BEFORE + at_once(8), 39 * DAY, LINES) is None
    assert scoring_change(BEFORE + at_once(8), round(40.25 * DAY), LINES) is None


def test_worsenings_at_a_steady_rate_show_no_change():
    steady = [(round(d * DAY / 2), f"+{d % 30}", 0.9) for d in range(100)]
    assert scoring_change(steady, 50 * DAY, LINES) is None


def test_the_same_line_again_and_again_is_one_line():
    assert scoring_change([(40 * DAY + i, "+1", 0.9) for i in range(20)], 41 * DAY, LINES) is None


def test_a_line_that_was_not_there_yet_is_not_counted_among_the_fleet():
    late = {f"+{100 + i}": 60 * DAY for i in range(500)}
    assert scoring_change(BEFORE + at_once(8), 41 * DAY, LINES | late).of == 30


def test_with_too_little_before_it_nobody_knows_what_is_usual():
    assert scoring_change(at_once(8, day=10), 11 * DAY, LINES) is None
    assert scoring_change(at_once(8, day=20), 21 * DAY, LINES) is not None
    young = dict.fromkeys(LINES, 8 * DAY)
    assert scoring_change(at_once(8, day=20), 21 * DAY, young) is None


@pytest.mark.parametrize("day", [4.5, 8.5])
def test_a_fleet_that_worsens_in_its_first_days_does_not_put_it_on_the_vendor(day):
    """Lines without a usual explain nothing; that says nothing of the vendor."""
    world = World(3)
    for i in range(10):
        world.steady(f"+{i}", days=day + 1).turn(f"+{i}", day + i / 24)
    assert not [e.headline for e in world.explain() if "vendor" in e.headline]


def test_a_grown_fleet_that_worsens_at_once_without_a_cause_says_so():
    world = World(3)
    for i in range(10):
        world.steady(f"+{i}", days=36).turn(f"+{i}", 35 + i / 24)
    told = [e.headline for e in world.explain() if "The vendor may have changed its scoring" in e.headline]
    assert len(told) >= 5
    assert all("since 5 Apr" in text for text in told)
