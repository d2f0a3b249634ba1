"""Did it help? On fleets written by hand: counts, comparisons, verdicts, and what is no help."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from analysis.helped.effect import Effect
from analysis.helped.near import STARTS, beside
from analysis.helped.words import changed, near_text, verdict_of
from tests.ahead.made import START
from tests.helped.made import Made, line
from tests.sweep import EVERY


def effect_of(told, measure):
    return next(e for e in told.effects if e.measure == measure)


def test_counts_are_those_of_the_week_after_and_the_week_before():
    made = Made()
    (told,) = made.judged((0, 40, "new_copy"))
    e = effect_of(told, "replies")
    assert (e.top_before, e.bottom_before) == (made.replied[0, 33:40].sum(), made.outbound[0, 33:40].sum())
    assert (e.top_after, e.bottom_after) == (made.replied[0, 40:47].sum(), made.outbound[0, 40:47].sum())
    assert (e.against, e.compared, told.days) == ("lines", 11, 7)


def test_a_gain_that_the_other_lines_did_not_have_is_help_with_its_counts_and_interval():
    made = Made()
    made.answered(0, slice(40, None), 0.75)
    (told,) = made.judged((0, 40, "new_copy"))
    e = effect_of(told, "replies")
    assert told.verdict == "helped"
    assert e.low < 0.35 < e.high
    assert e.low > 0.15
    a, b, c, d = (f"{int(v):,}" for v in (e.top_before, e.bottom_before, e.top_after, e.bottom_after))
    assert told.sentence.startswith(f"Replies rose from {a} of {b} to {c} of {d} sends answered (+")
    assert told.sentence.endswith("beyond what 11 other healthy lines did): it helped.")


def test_a_gain_that_every_line_had_is_no_help():
    made = Made()
    for n in range(12):
        made.answered(n, slice(40, None), 0.6)
    (told,) = made.judged((0, 40, "new_copy"))
    assert told.verdict != "helped"
    assert abs(effect_of(told, "replies").effect) < 0.1


def test_a_return_to_the_usual_after_a_bad_week_is_no_help_by_itself():
    made = Made()
    made.answered(0, slice(33, 40), 0.15)  # a bad week of a healthy line, then as before it
    (told,) = made.judged((0, 40, "pause"))
    assert effect_of(told, "replies").top_after > 2 * effect_of(told, "replies").top_before
    assert told.verdict == "can't tell"


def test_with_too_few_weeks_to_tell_how_much_comes_back_all_of_it_is_taken_to():
    made = Made(lines=6)
    for of in (made.outbound, made.replied):  # the others are new: no earlier weeks
        of[1:, :33] = of[0, :19] = 0
    made.answered(0, slice(33, 40), 0.15)
    (told,) = made.judged((0, 40, "pause"))
    assert abs(effect_of(told, "replies").effect) < 0.12  # of a rise by 25 points
    assert told.verdict != "helped"


def test_spells_that_were_not_as_bad_are_no_comparison():
    made = Made(lines=14)
    for n in range(8):
        made.ill(n, 36, 60)
    made.answered(0, slice(33, 40), 0.15)
    (told,) = made.judged((0, 40, "slower"))
    assert effect_of(told, "replies").against == "usual"


def test_in_trouble_with_nobody_as_bad_only_what_goes_beyond_the_usual_counts_and_the_sentence_says_so():
    made = Made()
    made.ill(0, 36, 45)
    made.answered(0, slice(33, 40), 0.15)
    (back,) = made.judged((0, 40, "slower"))
    assert effect_of(back, "replies").against == "usual"
    assert back.verdict == "can't tell"
    assert "a return to the usual does not count" in back.sentence
    made.answered(0, slice(40, None), 0.8)
    (beyond,) = made.judged((0, 40, "slower"))
    assert beyond.verdict == "helped"
    assert "beyond a return to its usual" in beyond.sentence


@pytest.mark.parametrize(("others_stay_bad", "verdict"), [(True, "helped"), (False, "can't tell")])
def test_equally_bad_lines_that_did_nothing_tell_what_would_have_come(others_stay_bad, verdict):
    made = Made(lines=14)
    for n in range(8):
        made.ill(n, 36, 60)
        made.answered(n, slice(33, 60 if others_stay_bad and n else 40), 0.15)
    (told,) = made.judged((0, 40, "slower"))
    e = effect_of(told, "replies")
    assert e.against == "spells"
    assert e.compared >= 7
    assert told.verdict == verdict
    if others_stay_bad:
        assert f"beyond what {e.compared} equally bad spells without an action did" in told.sentence


def test_lines_that_acted_in_the_same_weeks_are_no_comparison():
    made = Made()
    (told, *_) = made.judged((0, 40, "slower"), *((n, 38, "pause") for n in range(1, 5)))
    assert effect_of(told, "replies").compared == 7


def test_a_loss_is_no_help_and_says_what_was_lost():
    made = Made()
    made.answered(0, slice(40, None), 0.1)
    (told,) = made.judged((0, 40, "new_copy"))
    assert told.verdict == "did not help"
    assert told.sentence.startswith("It did not help: replies fell from ")


def test_follow_ups_that_stop_are_found():
    made = Made()
    made.late[0, 20:40] = made.rng.poisson(20, 20)
    made.late[0, 40:] = 0
    (told,) = made.judged((0, 40, "slower"))
    assert told.verdict == "helped"
    assert told.sentence.startswith(f"Unanswered follow-ups fell from {made.late[0, 33:40].sum()} to 0 (−")


def test_a_gain_with_a_loss_beside_it_is_one_verdict_only():
    made = Made()
    made.answered(0, slice(40, None), 0.75)
    made.failed[0, 40:] = made.rng.binomial(made.outbound[0, 40:], 0.4)
    (told,) = made.judged((0, 40, "new_copy"))
    assert told.verdict == "can't tell"
    assert "replies rose" in told.sentence
    assert "but failures rose" in told.sentence


def test_few_sends_few_days_and_no_week_before_cannot_tell():
    made = Made(sends=1.5)
    made.openers[:] = made.late[:] = 0
    few, early, late = made.judged((0, 40, "pause"), (1, 2, "pause"), (2, 62, "pause"))
    assert {v.verdict for v in (few, early, late)} == {"can't tell"}
    sends = (made.outbound[0, 33:40].sum(), made.outbound[0, 40:47].sum())
    assert f"{sends[0]} sends before and {sends[1]} after are too few" in few.sentence
    assert "no whole week before" in early.sentence
    assert "1 whole day after it, 2 are needed" in late.sentence


def test_the_next_action_ends_the_time_after_and_the_same_weekdays_stand_before():
    made = Made()
    first, _ = made.judged((0, 40, "slower"), (0, 43.5, "new_copy"))
    assert first.days == 3
    assert effect_of(first, "replies").bottom_before == made.outbound[0, 33:36].sum()
    both, _ = made.judged((0, 40, "slower"), (0, 40.5, "new_copy"))
    assert both.days == 7
    assert "1 other action within a day of it cannot be told apart" in both.sentence


def test_an_action_of_the_whole_fleet_is_compared_with_its_earlier_weeks():
    made = Made()
    for n in range(12):
        made.answered(n, slice(40, None), 0.6)
    (told,) = made.judged((None, 40, "deploy"))
    e = effect_of(told, "replies")
    assert (e.against, e.bottom_after) == ("weeks", made.outbound[:, 40:47].sum())
    assert told.verdict == "helped"


def test_a_line_too_small_or_too_large_is_no_sibling():
    made = Made()
    made.outbound[1] *= 10
    made.replied[1] *= 10
    (told,) = made.judged((0, 40, "slower"))
    assert effect_of(told, "replies").compared == 10


def test_no_gain_worth_having_is_told_as_none_where_the_counts_suffice():
    e = Effect("replies", 400, 1000, 402, 1000, 0.002, -0.03, 0.034, "lines", 11)
    assert verdict_of([e]) == (
        "did not help",
        "It did not help: replies rose from 400 of 1,000 to 402 of 1,000 sends answered (+0.2 points, −3 to +3, "
        "beyond what 11 other healthy lines did); a gain of 5 points can be ruled out.",
    )


def test_amounts_are_points_of_rates_and_percent_of_counts():
    rate = Effect("failures", 40, 200, 4, 200, -0.18, -0.25, -0.09, "lines", 8)
    number = Effect("openers", 41, 7, 3, 7, -0.927, -0.97, -0.8, "spells", 6)
    assert (
        changed(rate)
        == "failures fell from 40 of 200 to 4 of 200 sends (−18 points, −25 to −9, beyond what 8 other healthy lines did)"
    )
    assert "new conversations fell from 41 to 3 (−93\u2009%, −97 to −80\u2009%, beyond" in changed(number)
    assert rate.better
    assert number.better


def test_health_since_stands_beside_falls_left_alone():
    made = Made()
    made.ill(0, 36, 42)
    for n, days in ((1, 8), (2, 10), (3, 12), (4, 2)):  # the last was over before it had lasted as long
        made.ill(n, 20, 20 + days)
    (told,) = made.judged((0, 40, "pause"))
    assert (
        told.health
        == "Healthy again 2 days later; of 3 falls left alone that had lasted as long, half took 6 days or less from there."
    )


def test_the_same_action_gives_the_same_figures_each_time():
    made = Made()
    assert made.judged((0, 40, "pause")) == made.judged((0, 40, "pause"))


def test_a_burst_within_a_day_is_named_beside_how_often_one_is_so_near():
    at, span = START + timedelta(days=10), timedelta(days=40)
    starts = pl.DataFrame(
        [(line(0), at + timedelta(hours=3)), (line(0), START + timedelta(days=30)), (line(1), at)],
        schema=STARTS,
        orient="row",
    )
    near = beside(at, line(0), starts, span)
    assert (near.at, near.by_chance) == (at + timedelta(hours=3), pytest.approx(4 / 40))
    assert (
        near_text("burst", near, at, line(0))
        == "A burst began 3 hours later (10 % of all hours of this line are so near to one)."
    )
    far = beside(at + timedelta(days=5), line(0), starts, span)
    assert far.at is None
    assert near_text("burst", far, at, line(0)) == "No burst began within 24 h of it."
    assert beside(at, None, starts, span).line == line(1)


def test_intervals_hold_the_truth_as_often_as_they_say():
    inside = []
    for seed in range(40 if EVERY else 14):
        made = Made(seed=seed, lines=8)
        made.answered(0, slice(40, None), 0.5)
        e = effect_of(made.judged((0, 40, "new_copy"))[0], "replies")
        inside.append(e.low <= 0.1 <= e.high)
    assert np.mean(inside) >= (0.9 if EVERY else 0.8)
