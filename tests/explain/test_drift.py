"""A change of the vendor's scoring shows only where many lines worsen at once without pressure of their own."""

from zoneinfo import ZoneInfo

from analysis.explain.constants import DAY
from analysis.explain.drift import ScoringChanges, scoring_changed

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
