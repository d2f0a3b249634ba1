"""A planted level is found within its interval; where nothing depends on a behaviour none shows; few answers, or volume, decide."""

from datetime import timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest

from analysis.ahead.features import known_by_hour
from analysis.ahead.thresholds import BEHAVIOURS, THRESHOLDS, thresholds_of
from tests.ahead.made import NO_SPELLS, fleet
from tests.ahead.planted import planted
from tests.sweep import EVERY, SWEEP


def found(hours, transitions, until, spells=NO_SPELLS):
    past = known_by_hour(hours, spells, as_of=until, every=6)
    rows = thresholds_of(past, hours, transitions, until=until)
    assert rows.schema == THRESHOLDS
    return {(r["behaviour"], r["line_group"]): r for r in rows.iter_rows(named=True)}


@cache
def levels(seed, **how):
    return found(*planted(seed, **how))


def rotated(hours, seed):
    """Move each line's openers along its own time: what a line does stays, what came before a fall does not."""
    rng = np.random.default_rng(seed)
    parts = []
    for _, own in hours.sort("line", "hour").group_by("line", maintain_order=True):
        by = int(rng.integers(7 * 24, max(8 * 24, own.height - 7 * 24)))
        parts.append(own.with_columns(pl.Series("new_conversations", np.roll(own["new_conversations"].to_numpy(), by))))
    return pl.concat(parts)


@pytest.mark.parametrize("seed", [101, 102, 103] if EVERY else [101])
@pytest.mark.parametrize(("by", "level"), [("openers", 20), ("openers", 40), ("failures", 4)])
def test_a_planted_level_is_found_within_its_interval_and_what_comes_with_it_is_not_blamed(by, level, seed):
    every = levels(seed, by=by, level=level, often=0.35)
    got = every[by, "all"]
    assert got["answer"] == "level"
    assert got["level_low"] <= level <= got["level_high"]
    assert got["level_high"] < 2.5 * level
    assert got["held_out"] > 2
    assert got["falls_above"] + 0 < got["falls"]
    others = [every[b, "all"]["answer"] for b in BEHAVIOURS if b != by]
    assert others.count("level") <= 1, others


def test_the_sentence_has_the_counts_of_both_sides():
    got = levels(101, by="openers", level=20, often=0.35)["openers", "all"]
    below = got["falls"] - got["falls_above"]
    assert f"{got['falls_above']} falls in {got['line_days_above']:,.0f} line-days, else {below} in " in got["sentence"]
    assert f"more than {got['level']:.0f} ({got['level_low']:.0f} to {got['level_high']:.0f}) a day" in got["sentence"]
    again = (got["falls_above"] / got["line_days_above"]) / (below / (got["line_days"] - got["line_days_above"]))
    assert got["times"] == pytest.approx(again)


@SWEEP
def test_where_nothing_depends_on_openers_it_says_so_in_nine_of_ten():
    told = [levels(200 + n, level=1e9, else_=0.05, steady=float(n % 2))["openers", "all"]["answer"] for n in range(10)]
    assert told.count("no level") >= 9, told


@pytest.mark.parametrize(
    ("family", "scorer"),
    [("drawn", "ledger"), *([("drawn", "surprise"), ("replay", "annoyance"), ("replay", "forest")] if EVERY else [])],
)
@SWEEP
def test_openers_that_came_at_other_times_show_nothing_on_any_scorer(family, scorer):
    hours, spells, transitions, until = fleet(family, scorer, 931, 20, 42)
    got = found(rotated(hours, 5), transitions, until, spells)["openers", "all"]
    assert got["answer"] in ("no level", "goes with", "not enough data")


def test_many_sends_that_matter_only_with_few_replies_are_told_with_them():
    got = levels(301, by="sends", level=150, often=0.6, only_silent=True)["sends", "all"]
    assert got["answer"] == "level"
    with_few = got["falls_few_replies"] / max(got["line_days_few_replies"], 0.25)
    assert with_few > 2 * got["falls_above"] / got["line_days_above"]
    assert got["days_with"] == "few replies" or "With few replies: " in got["sentence"]


def test_few_falls_say_not_enough_and_give_the_counts():
    got = levels(401, lines=6, days=20, level=1e9, else_=0.02)["openers", "all"]
    assert got["falls"] < 10
    assert got["answer"] == "not enough data"
    assert got["level"] is None
    assert got["sentence"].startswith("Not enough data for a level of new conversations a day: ")


def test_lines_are_split_by_volume_where_each_third_has_twenty():
    hours, transitions, until = planted(501, lines=60, days=24, level=1e9)
    rows = found(hours, transitions, until)
    thirds = [rows["openers", name] for name in ("small", "middle", "large")]
    assert [t["lines"] for t in thirds] == [20, 20, 20]
    assert thirds[0]["group_high"] <= thirds[1]["group_low"] <= thirds[1]["group_high"] <= thirds[2]["group_low"]
    assert ("openers", "small") not in found(*planted(502, lines=30, days=24, level=1e9))


def test_nothing_later_than_the_midnight_it_learned_at_matters():
    hours, transitions, until = planted(601, lines=12, days=40, level=20, often=0.4)
    then = until - timedelta(days=5)
    known = hours.filter(pl.col("hour") < then), transitions.filter(pl.col("at") <= then)
    past = known_by_hour(hours, NO_SPELLS, as_of=until, every=6)
    before = known_by_hour(known[0], NO_SPELLS, as_of=then, every=6)
    assert thresholds_of(past, hours, transitions, until=then).equals(thresholds_of(before, *known, until=then))


def test_an_empty_fleet_has_not_enough_data():
    hours, transitions, until = planted(1, lines=1, days=2)
    rows = found(hours.clear(), transitions.clear(), until)
    assert {r["answer"] for r in rows.values()} == {"not enough data"}
