"""`linehealth evaluate` as a person meets it: tiny fleets in; figures, text, constants and errors out."""

import json
import sys

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from polars.testing import assert_frame_equal

from analysis.ahead.features import NAMES
from analysis.cli import cli, main
from analysis.errors import UsageError
from analysis.evaluate import FAMILIES, Fleet, all_cases, evaluated, fitted, fleets
from analysis.evaluate.cases import CASES, OURS
from analysis.evaluate.simple import METHODS
from analysis.explain.constants import CONSTANTS
from analysis.explain.quiet import SCALED
from analysis.schema import DRIVERS, SEVERITY
from tests.evaluate.builders import case, cases

TINY = ("--family", "drawn", "--scorer", "ledger", "--lines", "6", "--days", "28", "--seeds", "1")


def evaluate(*words):
    """Run the command within this process; what goes wrong is raised."""
    done = CliRunner().invoke(cli, ["evaluate", *TINY, *map(str, words)], catch_exceptions=False, standalone_mode=False)
    assert done.exit_code == 0
    return done.stdout


def shares(told):
    """Every share in a JSON, wherever it is, with the path to it."""
    if isinstance(told, dict) and {"value", "n", "low", "high"} <= set(told):
        yield told
    elif isinstance(told, dict):
        for value in told.values():
            yield from shares(value)


@pytest.fixture(scope="module")
def told():
    return json.loads(evaluate("--seed", 5, "--json"))


def test_json_has_the_fleets_and_every_figure(told):
    assert {k: told[k] for k in ("seed", "seeds", "lines", "days", "strength", "noise")} == {
        "seed": 5, "seeds": 1, "lines": 6, "days": 28, "strength": 1.0, "noise": 1.0,
    }  # fmt: skip
    (f,) = told["scorers"].values()
    assert list(told["scorers"]) == ["drawn/ledger"]
    assert set(f["methods"]) == {OURS, *METHODS}
    assert set(f["paired"]) == set(METHODS)
    assert set(f["drivers"]) <= set(DRIVERS)
    for of in f["methods"].values():
        assert set(of) == {"right", "planted", "lenient", "vendor_key", "macro"}
    assert set(told["worst"]) == {
        "right", "planted", "macro", "ahead_of_largest_z_score", "ahead_on_planted", "onset_within_6h",
        "calibration_error",
    }  # fmt: skip
    assert told["worst"]["right"] == f["methods"][OURS]["right"]["value"]


def test_figures_are_in_range_and_counts_add_up(told):
    (f,) = told["scorers"].values()
    found = list(shares({k: v for k, v in f.items() if not k.startswith("paired")}))
    assert len(found) > 20
    for of in found:
        assert 0 <= of["n"] <= f["n"]
        if of["n"]:
            assert 0 <= of["low"] <= of["high"] <= 1
            assert 0 <= of["value"] <= 1
    for of in shares({k: f[k] for k in ("paired", "paired_planted")}):
        assert -1 <= of["low"] <= of["high"] <= 1
    assert 0 < f["planted"] <= f["n"]
    for column in ("causes", "line_types"):
        assert sum(of["n"] for of in f[column].values()) == f["n"]
    assert sum(of[OURS]["n"] for of in f["drivers"].values()) == f["n"]
    for of in f["methods"].values():
        assert of["right"]["value"] <= min(of["lenient"]["value"], of["vendor_key"]["value"])
    assert f["methods"][OURS]["right"]["value"] <= f["top3"]["value"]
    assert 0 <= f["calibration_error"] <= 1
    assert 0 < f["mean_confidence"] <= 1


def test_without_a_seed_one_is_drawn_and_told_and_gives_what_it_gives_when_asked_for_and_another_others(
    told, monkeypatch
):
    monkeypatch.setattr("secrets.randbelow", lambda below: 5)
    assert json.loads(evaluate("--json")) == told
    assert json.loads(evaluate("--seed", 6, "--json"))["scorers"] != told["scorers"]


def test_text_shows_shares_with_intervals_and_counts(told):
    text = evaluate("--seed", 5, "--causes")
    (f,) = told["scorers"].values()
    right = f["methods"][OURS]["right"]
    assert text.startswith(f"drawn/ledger: {f['n']} worsenings, {f['planted']} of them with a planted cause")
    assert f"{right['value']:.2f} [{right['low']:.2f}, {right['high']:.2f}]" in text
    assert f"of {f['onset']['within_6h']['n']}, within 24 h" in text
    for name, of in (*f["causes"].items(), *f["line_types"].items()):
        assert f"{name} {of['value']:.2f} of {of['n']}" in text
    for method in METHODS:
        assert f"\n  {method} " in text


def test_the_labelled_peer_joins_on_request():
    pytest.importorskip("interpret", reason="the labelled peer needs the extra `evaluate`")
    (f,) = json.loads(evaluate("--seed", 5, "--json", "--labelled"))["scorers"].values()
    assert f["methods"]["boosting with labels"]["right"]["n"] == f["n"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--scorer", "oracle"], "no fleet scorer 'oracle'; choose of ledger, sickness, surprise, annoyance"),
        (["--family", "real"], "no fleet family 'real'; choose of drawn, replay"),
        (["--family", "drawn", "--scorer", "forest"], "drawn has ledger, sickness, surprise; replay has annoyance"),
        (["--days", "5"], "5 is not in the range"),
        (["--strength", "-1"], "the strength is not from 0 to 10"),
        (["--noise", "nan"], "the noise is not from 0 to 10"),
        (["--harder"], "--harder tries forecasts; give it with --forecast, without --fit"),
        (["--forecast", "--fit", "--harder"], "--harder tries forecasts; give it with --forecast"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(words, says, monkeypatch, capsys):
    small = ("--seed", "1", "--seeds", "1", "--lines", "1", "--days", "14")
    monkeypatch.setattr("sys.argv", ["linehealth", "evaluate", *small, *words])
    with pytest.raises(SystemExit) as left:
        main()
    out, err = capsys.readouterr()
    assert left.value.code == 2
    assert says in err
    assert out == ""
    assert len(err.strip().splitlines()) == 1


def test_fleets_are_one_for_each_scorer_of_each_family_and_seed():
    every = fleets(seeds=[1, 2], lines=3, days=14)
    assert [(f.family, f.scorer, f.seed) for f in every] == [
        (family, scorer, seed) for family, (_, scorers) in FAMILIES.items() for scorer in scorers for seed in (1, 2)
    ]
    some = fleets(seeds=[1], lines=3, days=14, scorers=("forest", "ledger"))
    assert [(f.family, f.scorer) for f in some] == [("drawn", "ledger"), ("replay", "forest")]


def test_a_family_named_twice_counts_once():
    twice = fleets(seeds=[1], lines=3, days=14, families=("drawn", "drawn"), scorers=("ledger", "ledger"))
    assert len(twice) == 1


@pytest.fixture(scope="module")
def some():
    """Tiny fleets of both families."""
    return [
        Fleet("drawn", "surprise", 1, 5, 28),
        Fleet("drawn", "surprise", 2, 5, 28),
        Fleet("replay", "forest", 1, 6, 28),
    ]


@pytest.fixture(scope="module")
def explained(some):
    return all_cases(some, processes=1)


def test_every_worsening_of_a_fleet_is_a_case(some, explained):
    assert explained.schema == CASES
    wanted = []
    for fleet in some:
        for row in fleet.frames().truth.filter(pl.col("kind") == "health").iter_rows(named=True):
            if SEVERITY[row["new"]] > SEVERITY[row["previous"]]:
                wanted.append((fleet.family, fleet.seed, row["line"], row["at"], row["driver"]))
    assert sorted(explained.select("family", "seed", "line", "at", "driver").rows()) == sorted(wanted)
    assert explained.select(pl.col("ranked").list.first() == pl.col(OURS)).to_series().all()


def test_all_cores_give_what_one_gives(some, explained):
    assert_frame_equal(all_cases(some, processes=2), explained)


def test_onset_error_is_ours_less_the_true_one(explained):
    errors = explained.drop_nulls("onset_error_h")
    assert errors.height > 0
    assert errors["onset"].null_count() == 0
    assert (errors["onset_error_h"] <= (errors["at"] - errors["onset"]).dt.total_seconds() / 3600 + 0.001).all()


def test_fit_prints_the_constants_now_and_fitted():
    told = json.loads(evaluate("--seed", 5, "--fit", "--json"))
    assert told["now"] == {name: getattr(CONSTANTS, name) for name in told["constants"]}
    assert told["loss"] <= told["loss_now"]
    assert min(told["constants"].values()) > 0
    assert told["n"] > 0
    text = evaluate("--seed", 5, "--fit")
    assert f"fitted on {told['n']} worsenings" in text
    for name, value in told["constants"].items():
        assert any(line.split() == [name, str(told["now"][name]), "->", str(value)] for line in text.splitlines())


def found(**effects):
    """Effects by driver, each with a usual day's amount, as the fit takes them."""
    x = [float(effects.get(d, 0.0)) for d in SCALED]
    return {"found": [*x, *[float(d in effects) for d in SCALED]], "reach": [0.0] * len(SCALED)}


def test_the_fit_finds_a_unit_that_fits_the_effects():
    rng = np.random.default_rng(3)
    causeless = [case(said="unexplained", driver="unexplained", **found()) for _ in range(20)]
    for factor, moves in ((0.03, np.less), (1.0, np.greater)):
        size = CONSTANTS.unit_opt_outs * factor
        true = [case(driver="opt_outs", **found(opt_outs=size * rng.uniform(0.8, 1.2))) for _ in range(40)]
        quiet = [case(driver="unexplained", **found(opt_outs=size * rng.uniform(0.1, 0.3))) for _ in range(40)]
        fit = fitted(cases(*true, *quiet, *causeless))
        assert moves(fit["constants"]["unit_opt_outs"], CONSTANTS.unit_opt_outs)
        assert fit["loss"] < fit["loss_now"]


def test_the_fit_is_checked_on_the_family_left_out_and_leaves_flags_out():
    rows = [
        case(driver=d, family=f, **found(**{d: 1.0})) for f in ("drawn", "replay") for d in SCALED for _ in range(3)
    ]
    flags = [case(said="flagged", driver="flagged", **found()) for _ in range(5)]
    fit = fitted(cases(*rows, *flags))
    assert fit["n"] == len(rows)
    assert set(fit["crossed"]) == {"drawn", "replay"}
    assert all(loss >= 0 for loss in fit["crossed"].values())


def test_without_the_extra_the_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "interpret.glassbox", None)
    with pytest.raises(UsageError, match="extra `evaluate`; pip install"):
        evaluated(cases(case()), labelled=True)


def test_nothing_to_count_says_what_to_do():
    for verb in (evaluated, fitted):
        with pytest.raises(UsageError, match="more lines or days"):
            verb(cases())


def test_forecasts_are_told_by_scorer_with_intervals_and_their_prior_can_be_fitted_again():
    words = (
        "--family",
        "drawn",
        "--scorer",
        "ledger",
        "--lines",
        "16",
        "--days",
        "49",
        "--seeds",
        "1",
        "--seed",
        "4",
        "--forecast",
    )
    run = lambda *more: CliRunner().invoke(cli, ["evaluate", *words, *more, "--json"], catch_exceptions=False).stdout  # noqa: E731
    f = json.loads(run())["scorers"]["drawn/ledger"]
    assert f["worsenings"] >= 10
    for figure in ("skill_24", "ahead_of_yesterday", "ahead_of_single", "calibration_error_24"):
        assert f[figure]["low"] <= f[figure]["value"] <= f[figure]["high"] or figure.startswith("calibration")
    assert 0 <= f["warned_planted"]["value"] <= 1
    prior = json.loads(run("--fit"))
    assert set(prior) == {"24", "72"}
    assert set(prior["24"]) == {"intercept", *NAMES}
