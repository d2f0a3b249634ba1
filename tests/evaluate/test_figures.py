"""The figures of `linehealth evaluate`, held against counts by hand, a slow oracle and what intervals must be like."""

import numpy as np
import pytest

from analysis.evaluate.cases import OURS
from analysis.evaluate.figures import Lines, calibration_error, figures, right
from analysis.evaluate.run import evaluated
from analysis.evaluate.simple import METHODS
from analysis.evaluate.text import as_text
from tests.evaluate.builders import START, case, cases

ALL = (OURS, *METHODS)

EIGHT = cases(
    case("+1", "engagement", "engagement", **{"largest z-score": "engagement"}),
    case("+1", "engagement", "engagement"),
    case("+2", "send_pace", "engagement", ranked=["send_pace", "opt_outs", "engagement"]),
    case("+2", "engagement", "engagement"),
    case("+3", "opt_outs", "opt_outs", **{"largest z-score": "opt_outs"}),
    case("+3", "send_pace", "recipient_spread", also_ok=["new_conversations"], ranked=["send_pace", "flagged"]),
    case("+4", "engagement", "deliverability", also_ok=["engagement"], ranked=["engagement", "deliverability"]),
    case("+4", "unexplained", "unexplained", **{"largest z-score": "engagement"}),
)


def test_shares_counted_by_hand():
    told = figures(EIGHT, ALL)
    ours, z = told["methods"][OURS], told["methods"]["largest z-score"]
    z_planted = 2  # engagement once, opt_outs once
    assert (told["n"], told["planted"]) == (8, 7)
    assert (ours["right"]["value"], ours["right"]["n"]) == (5 / 8, 8)
    assert (ours["planted"]["value"], ours["planted"]["n"]) == (round(4 / 7, 4), 7)
    assert ours["lenient"]["value"] == 6 / 8  # deliverability, where engagement was of similar size
    assert ours["vendor_key"]["value"] == 6 / 8  # spread and pace are both the vendor's volume_spike
    assert (z["right"]["value"], z["lenient"]["value"]) == (2 / 8, 2 / 8)
    assert told["paired"]["largest z-score"]["value"] == 3 / 8
    assert told["paired_planted"]["largest z-score"]["value"] == round((4 - z_planted) / 7, 4)
    assert told["top3"]["value"] == 7 / 8
    assert told["drivers"]["engagement"][OURS]["value"] == 3 / 4
    assert told["drivers"]["engagement"][OURS]["n"] == 4


def test_every_driver_counts_the_same_in_the_macro_figure():
    told = figures(EIGHT, ALL)["methods"]
    assert told[OURS]["macro"]["value"] == round((3 / 4 + 1 + 0 + 0 + 1) / 5, 4)
    assert told["largest z-score"]["macro"]["value"] == round((1 / 4 + 1) / 5, 4)


def test_a_fourth_place_is_not_among_the_first_three():
    ranked = ["send_pace", "opt_outs", "flagged", "engagement"]
    assert figures(cases(case(said="send_pace", ranked=ranked)), ALL)["top3"]["value"] == 0


def test_onset_is_judged_where_the_cause_has_one_and_a_missing_answer_is_a_miss():
    told = figures(
        cases(
            case(onset=START, onset_error_h=-6.0),
            case(onset=START, onset_error_h=7.0),
            case(said="opt_outs", onset=START, onset_error_h=20.0),
            case(onset=START, onset_error_h=30.0),
            case(onset=START, onset_error_h=None),
            case(onset=None, onset_error_h=None),
            case(said="unexplained", driver="unexplained", onset=START, onset_error_h=0.0),
        ),
        ALL,
    )["onset"]
    assert (told["within_6h"]["value"], told["within_6h"]["n"]) == (1 / 5, 5)
    assert told["within_24h"]["value"] == 3 / 5
    assert told["median_h"] == 20.0
    assert told["median_h_where_right"] == (7 + 30) / 2


def test_a_median_that_no_answer_reaches_is_none():
    told = figures(cases(case(onset=START, onset_error_h=1.0), *[case(onset=START)] * 2), ALL)["onset"]
    assert told["median_h"] is None


def test_calibration_error_by_hand():
    p, hit = np.array([0.95, 0.91, 0.15, 0.12]), np.array([1.0, 0.0, 0.0, 0.0])
    assert calibration_error(p, hit) == pytest.approx((0.93 - 0.5) / 2 + 0.135 / 2)
    assert calibration_error(np.array([1.0, 1.0]), np.array([1.0, 1.0])) == 0
    assert calibration_error(np.array([0.25] * 4), np.array([1.0, 0, 0, 0])) == 0
    assert calibration_error(np.array([]), np.array([])) is None


@pytest.mark.parametrize("seed", range(5))
def test_calibration_error_equals_the_slow_count(seed):
    rng = np.random.default_rng(seed)
    p = rng.random(200)
    hit = (rng.random(200) < p**2).astype(float)
    slow = 0.0
    for low in range(10):
        inside = [(a, b) for a, b in zip(p, hit, strict=True) if low <= a * 10 < low + 1]
        if inside:
            stated, seen = (sum(x[k] for x in inside) / len(inside) for k in (0, 1))
            slow += abs(stated - seen) * len(inside) / 200
    assert calibration_error(p, hit) == pytest.approx(slow, abs=1e-4)


def many(lines, rows=1, share=0.5, seed=0):
    """Lines of so many rows each, a share of the rows right."""
    hits = np.random.default_rng(seed).random((lines, rows)) < share
    return cases(
        *(case(f"+{i}", "engagement" if hit else "opt_outs") for i, row in enumerate(hits.tolist()) for hit in row)
    )


def interval(of):
    return of["low"], of["high"]


@pytest.mark.parametrize("seed", range(4))
def test_every_interval_contains_its_figure(seed):
    rows = many(40, rows=3, share=0.6, seed=seed)
    told = figures(rows, ALL)
    for of in (*told["methods"][OURS].values(), *told["paired"].values()):
        assert of["low"] <= of["value"] <= of["high"]
        assert of["low"] < of["high"]


def test_an_interval_is_as_wide_as_theory_has_it():
    share = Lines(many(400)).share(right(many(400), OURS))
    width = 2 * 1.96 * np.sqrt(share.value * (1 - share.value) / 400)
    assert share.high - share.low == pytest.approx(width, rel=0.15)


def test_more_rows_of_the_same_lines_do_not_narrow_an_interval():
    one = many(30, seed=3)
    ten = cases(*(row for row in one.to_dicts() for _ in range(10)))
    few, more = figures(one, ALL)["methods"][OURS], figures(ten, ALL)["methods"][OURS]
    assert more["right"]["n"] == 10 * few["right"]["n"]
    for name in ("right", "macro", "lenient"):
        assert interval(more[name]) == interval(few[name])


def test_two_lines_leave_everything_open_however_many_rows_they_have():
    rows = cases(*[case("+1")] * 100, *[case("+2", "opt_outs")] * 100)
    assert interval(figures(rows, ALL)["methods"][OURS]["right"]) == (0, 1)


def test_equal_lines_of_other_fleets_are_other_lines():
    one = [case("+1", "engagement" if seed % 2 else "opt_outs", seed=seed) for seed in range(60)]
    told = figures(cases(*one), ALL)["methods"][OURS]["right"]
    assert 0.3 < told["low"] < told["high"] < 0.7


def test_a_difference_is_drawn_in_pairs():
    hard = [case(f"+{i}", "opt_outs") for i in range(30)]
    easy = [case(f"+{30 + i}", **{"largest z-score": "engagement"}) for i in range(30)]
    told = figures(cases(*hard, *easy), ALL)
    apart = told["methods"][OURS]["right"]
    assert apart["high"] - apart["low"] > 0.2
    assert interval(told["paired"]["largest z-score"]) == (0, 0)
    assert told["paired"]["prior order"]["low"] > 0.3


def test_a_seed_gives_the_same_interval_again_and_another_seed_another():
    rows = many(50)
    hits = right(rows, OURS)
    assert Lines(rows, seed=1).share(hits) == Lines(rows, seed=1).share(hits)
    assert Lines(rows, seed=1).share(hits) != Lines(rows, seed=2).share(hits)
    assert figures(rows, ALL) == figures(rows, ALL)


def test_what_was_not_drawn_is_not_counted_as_wrong():
    rows = cases(case("+0", "opt_outs", "opt_outs"), *(case(f"+{i}") for i in range(1, 40)))
    told = figures(rows, ALL)["drivers"]["opt_outs"][OURS]
    assert (told["value"], told["n"], *interval(told)) == (1, 1, 1, 1)


def test_nothing_counted_has_no_share():
    told = figures(cases(case(driver="unexplained", said="unexplained")), ALL)
    assert told["methods"][OURS]["planted"] == {"value": None, "n": 0, "low": None, "high": None}
    assert told["onset"]["within_6h"]["n"] == 0
    assert " –" in as_text({"scorers": {"drawn/ledger": told}, "worst": {}})


def test_the_worst_scorer_of_each_figure_is_told():
    good = [case(f"+{i}", confidence_p=1.0, onset=START, onset_error_h=0.0) for i in range(4)]
    bad = [
        case(f"+{i}", "opt_outs" if i else "engagement", scorer="surprise", confidence_p=0.25, onset=START,
             onset_error_h=0.0 if i < 2 else 100.0, **{"largest z-score": "engagement"})
        for i in range(4)
    ]  # fmt: skip
    told = evaluated(cases(*good, *bad))
    assert list(told["scorers"]) == ["drawn/ledger", "drawn/surprise"]
    assert told["worst"] == {
        "right": 0.25, "planted": 0.25, "macro": 0.25, "ahead_of_largest_z_score": -0.75, "ahead_on_planted": -0.75, "onset_within_6h": 0.5,
        "calibration_error": 0.0,
    }  # fmt: skip
    surer = evaluated(cases(*good, *(row | {"confidence_p": 0.75} for row in bad)))
    assert surer["worst"]["calibration_error"] == 0.5


def test_text_has_every_figure_with_its_interval_and_its_count():
    told = {"scorers": {"drawn/ledger": figures(EIGHT, ALL)}, "worst": {"right": 0.625}}
    text = as_text(told, causes=True)
    ours = told["scorers"]["drawn/ledger"]["methods"][OURS]["right"]
    assert "8 worsenings, 7 of them with a planted cause" in text
    assert f"{ours['value']:.2f} [{ours['low']:.2f}, {ours['high']:.2f}]" in text
    assert "engagement 0.75 of 4" in text
    assert "per cause: collapse" in text
    assert "per cause" not in as_text(told)
