"""Fleets that reasons are tried on: what both families promise of their frames, of their knobs and of their truth."""

import subprocess
import sys
from datetime import timedelta
from functools import cache
from itertools import product

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analysis.errors import UsageError
from analysis.schema import DRIVERS
from analysis.simulate import drawn, replay
from analysis.simulate.drawn.kinds import KINDS as DRAWN_KINDS
from analysis.simulate.shared import frames as framing
from analysis.simulate.shared.draws import HOUR
from analysis.simulate.shared.judge import ORGANIC, VENDOR, judged
from tests.sweep import EVERY, SWEEP

MAKE = {"drawn": drawn.drawn_frames, "replay": replay.replay_frames}
ROOMS = {"drawn": drawn, "replay": replay}
SCORERS = [("drawn", s) for s in drawn.SCORERS] + [("replay", s) for s in replay.SCORERS]
SOME = SCORERS if EVERY else [("drawn", drawn.SCORERS[0]), ("replay", replay.SCORERS[0])]
"""One scorer of each family, where fleets of several seeds must be made of each."""
FRAMES = ("messages", "chats", "chat_health", "changes", "truth")
SEEDS = (11, 12, 13)
DAYS = 35


@cache
def made(family, scorer, seed, lines=6, days=DAYS, **knobs):
    return MAKE[family](seed=seed, lines=lines, days=days, scorer=scorer, **knobs)


def every(family, seeds=SEEDS, **size):
    """Fleets of every scorer of a family, of several seeds."""
    return [made(family, scorer, seed, **size) for of, scorer in SCORERS if of == family for seed in seeds]


def worse(frames):
    """Worsenings of health, with what caused them."""
    levels = pl.Enum(["HEALTHY", "AT_RISK", "CRITICAL"])
    health = frames.truth.filter(pl.col("kind") == "health")
    return health.filter(pl.col("new").cast(levels).to_physical() > pl.col("previous").cast(levels).to_physical())


@pytest.fixture(params=SCORERS, ids=lambda p: "-".join(p))
def fleet(request):
    return made(*request.param, SEEDS[0])


@pytest.mark.parametrize("family", MAKE)
def test_equal_seeds_give_equal_fleets_and_other_seeds_give_others(family):
    scorer = ROOMS[family].SCORERS[-1]
    one, two, other = (MAKE[family](seed=s, lines=3, days=21, scorer=scorer) for s in (3, 3, 4))
    for name in FRAMES:
        assert_frame_equal(getattr(one, name), getattr(two, name))
    assert one.as_of == two.as_of
    assert one.truth.height > 0
    for name in ("messages", "truth"):
        assert not getattr(one, name).equals(getattr(other, name))


def test_every_change_that_has_a_truth_is_told_and_none_is_without(fleet):
    told = fleet.changes.filter(pl.col("previous_health") != pl.col("new_health")).select("line", at="changed_at")
    known = fleet.truth.filter(pl.col("kind") == "health").select("line", "at")
    assert_frame_equal(told.sort("line", "at"), known.sort("line", "at"))
    assert set(fleet.truth["driver"]) <= set(DRIVERS)


def test_a_cause_begins_before_its_change_and_within_what_was_seen(fleet):
    begun = fleet.truth.drop_nulls("onset")
    assert (begun["onset"] <= begun["at"]).all()
    assert (begun["onset"] >= fleet.messages["at"].min()).all()
    assert begun.height > 0


def test_replies_follow_what_they_answer(fleet):
    first = fleet.messages.group_by("chat_id").agg(pl.col("direction").sort_by("at").first())
    assert set(first["direction"]) == {"inbound", "outbound"}
    assert fleet.messages["message_id"].n_unique() == fleet.messages.height
    assert (fleet.messages["at"] <= fleet.as_of).all()


@pytest.mark.parametrize(("family", "scorer"), SOME)
def test_a_planted_change_does_not_come_without_its_incident(family, scorer, monkeypatch):
    room, planted, alone = ROOMS[family], 0, 0
    monkeypatch.setattr(room, "frames_of", lambda judge, *_, **__: judge)
    for seed in SEEDS:
        judge = MAKE[family](seed=seed, lines=5, days=28, scorer=scorer)
        for place, line in enumerate(judge.lines):
            _, changes = judged(judge, place)
            incidents = {i.number: i for i in line.incidents}
            all_of_it = frozenset(incidents) | {VENDOR, ORGANIC}
            for change in changes:
                if change.kind != "health" or change.new <= change.previous or not change.planted:
                    continue
                if change.cause == "vendor_side":
                    guilty = {VENDOR}
                else:
                    guilty = {n for n, i in incidents.items() if i.kind == change.cause and i.start <= change.at}
                    assert {incidents[n].driver or "unexplained" for n in guilty} == {change.driver}
                hour = (change.at - line.start) // HOUR
                prevented = set()
                for n in all_of_it:
                    left = all_of_it - {n}
                    states = judge.states(judge.observed(place, judge.live(line, left), left))
                    if (states[hour : hour + 6] < change.new).all():
                        prevented.add(n)
                planted += 1
                alone += bool(prevented & guilty)
                assert prevented & guilty or not prevented  # two causes, each enough: neither alone prevents it
    assert planted > 5
    assert alone >= 0.85 * planted


@pytest.mark.parametrize("family", MAKE if EVERY else list(MAKE)[:1])
def test_every_driver_and_every_kind_of_cause_occurs(family):
    told = pl.concat(worse(f) for f in every(family, seeds=SEEDS[: None if EVERY else 2], lines=10, days=42))
    assert set(told["driver"]) == set(DRIVERS) - {"repeated_content"}
    assert {"chance", "organic", "vendor_side"} <= set(told["cause"])


def test_every_incident_of_a_drawn_fleet_can_make_a_line_worse():
    told = pl.concat(worse(f) for f in every("drawn", seeds=SEEDS[: None if EVERY else 2], lines=10, days=42))
    wanted = {name: kind.driver for name, kind in DRAWN_KINDS.items() if kind.driver}
    assert dict(told.select("cause", "driver").unique().rows()).items() >= wanted.items()


@pytest.mark.parametrize(("family", "scorer"), SOME)
def test_weaker_incidents_make_fewer_changes(family, scorer):
    planted = pl.col("planted") & ~pl.col("cause").is_in(["vendor_side", "carrier_flag"])  # a flag has no size
    weak, usual = (
        sum(worse(made(family, scorer, s, 5, 28, strength=k)).filter(planted).height for s in SEEDS)
        for k in (0.15, 1.0)
    )
    assert weak < 0.7 * usual


@pytest.mark.parametrize(("family", "scorer"), SCORERS)
@SWEEP
def test_a_noisier_vendor_makes_more_changes_that_nothing_explains(family, scorer):
    without = pl.col("driver") == "unexplained"
    calm, usual, noisy = (
        sum(worse(made(family, scorer, s, 5, 28, noise=k)).filter(without).height for s in SEEDS)
        for k in (0.0, 1.0, 4.0)
    )
    assert noisy > 2 * usual
    assert noisy > 2 * calm
    assert all("organic" not in set(made(family, scorer, s, 5, 28, noise=0.0).truth["cause"]) for s in SEEDS)


@pytest.mark.parametrize(("family", "scorer"), SOME)
def test_incidents_without_size_cause_nothing(family, scorer):
    kept = ("vendor_side", "good_growth", "busy_answered", "organic", "chance")
    for seed in range(6 if EVERY else 3):
        quiet = made(family, scorer, seed, 4, 28, strength=0.0)
        assert set(quiet.truth["cause"]) <= set(kept)


@pytest.mark.parametrize("family", MAKE)
@pytest.mark.parametrize("wrong", [{"scorer": "oracle"}, {"lines": 0}, {"days": 3}])
def test_a_fleet_that_cannot_be_made_says_so(family, wrong):
    with pytest.raises(UsageError):
        MAKE[family](**{"seed": 1, "lines": 1, "days": 14, "scorer": ROOMS[family].SCORERS[0], **wrong})


def test_hidden_scorers_know_no_signal_and_no_explanation():
    code = (
        "import pkgutil, importlib, sys, analysis.simulate as room\n"
        "names = [m.name for m in pkgutil.walk_packages(room.__path__, 'analysis.simulate.')]\n"
        "[importlib.import_module(name) for name in names]\n"
        "assert 'analysis.simulate.drawn.scorers' in sys.modules\n"
        "print(*(m for m in sys.modules if m.startswith(('analysis.explain', 'analysis.signals', 'analysis.pipeline'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("family", MAKE)
def test_some_lines_are_young_and_most_are_not(family):
    ages = []
    for seed in range(20, 28 if EVERY else 24):
        f = made(family, ROOMS[family].SCORERS[0], seed, 8, 28)
        first = f.messages.group_by("line").agg(pl.col("at").min())["at"]
        ages += [(f.as_of - at) / timedelta(days=28) for at in first]
    young = [age for age in ages if age < 0.75]
    assert 0.03 < len(young) / len(ages) < 0.3


def test_the_history_is_cut_at_the_start(fleet):
    begin = fleet.messages["at"].min()
    seen = fleet.messages.filter(pl.col("at") < begin + timedelta(days=7))["chat_id"].unique()
    old = fleet.chats.filter(pl.col("created_at") < begin)
    assert old["chat_id"].is_in(seen.implode()).any()
    unknown = fleet.chats.filter(pl.col("line").is_in(old["line"].implode()).not_())
    assert 0 < unknown["created_at"].null_count() < unknown.height  # the rest of the lines know only what began since
    assert fleet.chat_health.filter(pl.col("at") < begin, pl.col("health") == "OPTED_OUT").height > 0


def test_receipts_come_late_or_never_and_some_failures_are_delivered_after_all(fleet):
    sent = fleet.messages.filter(pl.col("direction") == "outbound")
    plain = sent.filter(pl.col("service") == "iMessage", pl.col("failed_at").is_null())
    assert 0 < plain["delivered_at"].null_count() < 0.1 * plain.height
    assert plain.filter(pl.col("delivered_at") - pl.col("at") > timedelta(hours=2)).height > 0
    assert (plain.drop_nulls("delivered_at").select(pl.col("delivered_at") >= pl.col("at"))).to_series().all()
    assert sent.filter(pl.col("service") == "SMS")["delivered_at"].null_count() > 0
    assert sent.filter("failed")["delivered_at"].null_count() == sent.filter("failed").height > 0


@pytest.mark.parametrize("family", MAKE)
def test_some_failures_are_delivered_after_all(family):
    sent = pl.concat(f.messages for f in every(family, seeds=SEEDS[:1]))
    both = sent.filter(pl.col("failed_at").is_not_null(), pl.col("delivered_at").is_not_null())
    assert both.height > 0
    assert not both["failed"].any()


@pytest.mark.parametrize("family", MAKE)
def test_outages_lose_events_and_nothing_else(family, monkeypatch):
    scorer, seeds = ROOMS[family].SCORERS[0], range(30, 36)
    seen = [made(family, scorer, s, 2, 28) for s in seeds]
    monkeypatch.setattr(framing, "outages", lambda *_, **__: [])
    lost_of = []
    for s, with_gaps in zip(seeds, seen, strict=True):
        whole = MAKE[family](seed=s, lines=2, days=28, scorer=scorer)
        lost = whole.messages.join(with_gaps.messages, on="message_id", how="anti")
        assert with_gaps.messages.join(whole.messages, on="message_id", how="anti").is_empty()
        hours = lost["at"].dt.truncate("1h").n_unique() if lost.height else 0
        assert hours <= 0.05 * 28 * 24
        assert with_gaps.truth.height <= whole.truth.height
        lost_of.append(lost.height)
        receipts = with_gaps.messages["delivered_at"].is_not_null().sum()
        assert receipts <= whole.messages["delivered_at"].is_not_null().sum()
    assert sum(n > 0 for n in lost_of) >= 3


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_days_keep_their_local_hours_when_the_clocks_change(seed):
    lines = drawn.line.fleet(seed=seed, lines=10, days=56, end=drawn.milliseconds(drawn.END), strength=1.0)
    shifted = 0
    for line in lines:
        touched = pl.Series(line.base.at[line.base.kind == drawn.line.TOUCH]).cast(pl.Datetime("ms"))
        local = touched.dt.replace_time_zone("UTC").dt.convert_time_zone(line.zone)
        assert local.dt.hour().is_between(7, 21).all()
        shifted += local.dt.dst_offset().n_unique() == 2
    assert shifted >= 5


def test_the_zones_of_a_fleet_lie_on_both_sides_of_the_equator():
    zones = {
        i.zone
        for seed in range(5)
        for i in drawn.line.fleet(seed=seed, lines=8, days=21, end=drawn.milliseconds(drawn.END), strength=1.0)
    }
    assert zones == set(drawn.kinds.ZONES)


@pytest.mark.parametrize("family", MAKE if EVERY else list(MAKE)[:1])
@SWEEP
def test_limits_that_drift_are_the_old_ones_until_the_middle_day_and_tighter_from_then_on(family):
    more, onsets = 0, []
    for scorer, seed in product(ROOMS[family].SCORERS, SEEDS):
        plain, drift = (made(family, scorer, seed, drift=d) for d in (1.0, 0.5))
        middle = ROOMS[family].END - timedelta(days=DAYS) + timedelta(days=DAYS // 2)
        for name in ("messages", "chats", "chat_health"):
            assert_frame_equal(getattr(plain, name), getattr(drift, name))
        before = pl.col("changed_at") < middle
        assert_frame_equal(plain.changes.filter(before), drift.changes.filter(before))
        more += worse(drift).filter(pl.col("at") >= middle).height - worse(plain).filter(pl.col("at") >= middle).height
        vendors = worse(drift).filter(pl.col("at") >= middle, pl.col("cause") == "vendor_side")
        assert vendors.height > 0
        assert (vendors["onset"] >= middle).all()  # later where the vendor moved once more
        onsets += vendors["onset"].to_list()
    assert more >= 10
    assert onsets.count(middle) >= 10


def test_a_drift_of_one_leaves_every_fleet_as_it_is():
    for family, scorer in SCORERS:
        for name in FRAMES:
            assert_frame_equal(
                getattr(made(family, scorer, 11, 2, 21), name),
                getattr(made(family, scorer, 11, 2, 21, drift=1.0), name),
            )
