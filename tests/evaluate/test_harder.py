"""Harder fleets: each is what it says, plain ones stay as they were, and each has a row of its own."""

import json
from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest
from click.testing import CliRunner
from polars.testing import assert_frame_equal, assert_frame_not_equal

from analysis.ahead.backtest import LEAST_WORSE
from analysis.cli import cli
from analysis.errors import UsageError
from analysis.evaluate import VARIANTS, Fleet, all_harder_ticks, harder, harder_evaluated, harder_text
from analysis.evaluate.forecasts import TICKS, ticks_of
from analysis.evaluate.harder import (
    DRIFT,
    FEW,
    HARDER,
    LINES_A_WORSENING,
    LOST,
    LOST_ONE,
    NO_CHAT_HEALTH,
    ONE,
    PLAIN,
    TIGHTER,
    harder_frames,
)
from analysis.signals import health
from tests.evaluate.builders import START
from tests.sweep import EVERY, SWEEP

FRAMES = ("messages", "chats", "chat_health", "changes", "truth")
SMALL = Fleet("drawn", "ledger", 4, 6, 49)
RECEIPTS = ("delivered_at", "read_at", "failed_at")
FIGURES = ("skill_24", "skill_72", "ahead_of_yesterday", "ahead_of_single", "calibration_error_24", "warned_planted")


def same(a, b, *, but=()):
    """Both have the same frames, but for these."""
    assert a.as_of == b.as_of
    for name in set(FRAMES) - set(but):
        assert_frame_equal(getattr(a, name), getattr(b, name))


def falls(frames):
    return health.transitions(frames.changes).filter(pl.col("kind") == "health", pl.col("worsening"))


@pytest.fixture(scope="module")
def kin():
    return dict(harder_frames(SMALL))


@pytest.fixture(scope="module")
def ticks():
    return all_harder_ticks([SMALL])


@pytest.fixture(scope="module")
def day(kin):
    """The lost day, as the rows that are gone tell it."""
    (plain,), (lost,) = kin[PLAIN], kin[LOST]
    gone = plain.messages.join(lost.messages, on="message_id", how="anti")["at"]
    assert gone.min().date() == gone.max().date()
    return gone.min().replace(hour=0, minute=0, second=0, microsecond=0)


@SWEEP
def test_every_kind_of_fleet_is_made_and_its_past_forecast(kin, ticks):
    assert tuple(kin) == tuple(VARIANTS)
    assert ticks.schema == HARDER
    assert set(ticks["variant"]) == set(VARIANTS)


def test_the_plain_row_is_the_fleet_that_is_forecast_without_harder_ones(kin, ticks):
    same(kin[PLAIN][0], SMALL.frames())
    assert_frame_equal(ticks.filter(pl.col("variant") == PLAIN).select(TICKS.names()), ticks_of(SMALL)[1])


def test_limits_that_drift_are_the_same_lines_under_tighter_limits(kin):
    (plain,), (drift,) = kin[PLAIN], kin[DRIFT]
    same(drift, replace(SMALL, drift=TIGHTER).frames())
    same(drift, plain, but=("changes", "truth"))
    assert falls(drift).height > falls(plain).height


@pytest.mark.parametrize(
    "scorer", [("drawn", "ledger"), *([("drawn", "surprise"), ("replay", "forest")] if EVERY else [])]
)
def test_few_worsenings_are_about_one_to_three_lines_of_as_many_lines(scorer):
    lines = 15
    few = harder.few_worsenings(Fleet(*scorer, 3, lines, 35))
    kept = few.messages["line"].n_unique()
    assert lines * 0.6 <= kept <= lines  # of a scorer under which nearly all lines fall, fewer lines are left
    assert kept // LINES_A_WORSENING - 1 <= falls(few).height <= kept // LINES_A_WORSENING
    assert set(few.changes["line"]) <= set(few.messages["line"])


def test_one_line_only_is_every_line_with_nothing_of_the_others(kin, ticks):
    (plain,) = kin[PLAIN]
    assert [set(one.messages["line"]) for one in kin[ONE]] == [{x} for x in sorted(set(plain.messages["line"]))]
    for one in kin[ONE]:
        (line,) = set(one.messages["line"])
        for name in ("messages", "chats", "changes", "truth"):
            assert_frame_equal(getattr(one, name), getattr(plain, name).filter(pl.col("line") == line))
        assert set(one.chat_health["chat_id"]) <= set(one.chats["chat_id"])
        assert one.as_of == plain.as_of
    assert (
        sum(one.chat_health.height for one in kin[ONE])
        == plain.chat_health.join(plain.chats, on="chat_id", how="semi").height
    )
    alone, fleet = (ticks.filter(pl.col("variant") == v).drop("variant") for v in (ONE, PLAIN))
    alone = alone.sort("line", "at")
    assert alone.select("line", "at").is_unique().all()
    assert_frame_not_equal(alone.select("p_24"), fleet.join(alone, on=["line", "at"], how="semi").select("p_24"))


def test_single_lines_are_a_few_drawn_ones_of_a_large_fleet(monkeypatch):
    monkeypatch.setattr(harder, "SINGLES", 2)
    chosen = [
        tuple(one.messages["line"][0] for one in dict(harder_frames(replace(SMALL, days=14, seed=s)))[ONE])
        for s in range(3)
    ]
    assert {len(set(lines)) for lines in chosen} == {2}
    assert len(set(chosen)) > 1


def test_no_chat_health_is_all_but_the_chat_health(kin):
    (plain,), (without,) = kin[PLAIN], kin[NO_CHAT_HEALTH]
    assert plain.chat_health.height > 0
    assert without.chat_health.is_empty()
    same(without, plain, but=("chat_health",))


def within(column, day):
    return pl.col(column).is_between(day, day + timedelta(days=1), closed="left").fill_null(value=False)


def test_a_lost_day_has_no_message_and_no_receipt_and_the_others_have_all(kin, day):
    (plain,), (lost,) = kin[PLAIN], kin[LOST]
    for column in ("at", *RECEIPTS):
        assert column == "failed_at" or plain.messages.filter(within(column, day)).height > 0
        assert lost.messages.filter(within(column, day)).is_empty()
    others = plain.messages.filter(~within("at", day))
    assert_frame_equal(lost.messages.drop(*RECEIPTS, "failed", "failure_code"), others.drop(*RECEIPTS, "failed", "failure_code"))  # fmt: skip
    for column in RECEIPTS:
        kept = ~others.select(within(column, day)).to_series()
        assert_frame_equal(lost.messages.filter(kept).select(column), others.filter(kept).select(column))
    untouched = ~others.select(pl.any_horizontal(within(c, day) for c in RECEIPTS)).to_series()
    assert_frame_equal(lost.messages.filter(untouched), others.filter(untouched))
    assert set(lost.chats["chat_id"]) == set(lost.messages["chat_id"])
    same(lost, plain, but=("messages", "chats"))


def test_a_failure_that_was_told_on_the_lost_day_is_no_failure(kin):
    (plain,) = kin[PLAIN]
    late = plain.messages.filter(pl.col("failed_at").dt.date() > pl.col("at").dt.date()).head(1)
    if late.is_empty():  # made by hand where the fleet has none
        row = plain.messages.filter("failed").head(1)
        late = row.with_columns(failed_at=pl.col("at") + timedelta(days=1))
    day = late["failed_at"][0].replace(hour=0, minute=0, second=0, microsecond=0)
    seen = harder.without_day(replace(plain, messages=late), day, late["line"].to_list()).messages
    assert seen.select("failed", "failed_at", "failure_code").rows() == [(False, None, None)]


def test_the_lost_day_is_one_that_is_forecast_after(day, ticks):
    told = ticks.filter(pl.col("variant") == PLAIN)["at"]
    assert told.min() - timedelta(hours=6) <= day <= told.max() - timedelta(days=1)


def test_of_a_fleet_too_young_for_forecasts_the_last_whole_day_is_lost():
    young = replace(SMALL, lines=1, days=14).frames()
    assert (young.as_of.date() - harder.lost_day(young, None).date()).days == 1


def test_on_one_line_the_day_is_lost_and_the_others_have_theirs(kin, day):
    (plain,), (lost,) = kin[PLAIN], kin[LOST_ONE]
    hit = set(plain.messages.join(lost.messages, on="message_id", how="anti")["line"])
    assert len(hit) == 1
    mine = pl.col("line").is_in(list(hit))
    assert lost.messages.filter(mine, within("at", day)).is_empty()
    assert_frame_equal(lost.messages.filter(~mine), plain.messages.filter(~mine))
    same(lost, plain, but=("messages", "chats"))


@pytest.mark.skipif(not EVERY, reason="slow: a part of the sweep with LINEHEALTH_EVERY=1")
def test_several_cores_give_what_one_gives():
    fleets = [replace(SMALL, lines=2, days=36, seed=s) for s in (1, 2)]
    one = all_harder_ticks(fleets, processes=1)
    assert one["seed"].unique(maintain_order=True).to_list() == [1, 2]
    assert_frame_equal(all_harder_ticks(fleets, processes=2), one)


def made(variant, count):
    """HARDER of one line that is forecast every 6 hours and gets worse so many times, every four days."""
    rows = []
    for n in range(16 * max(count, 1)):
        at, next_fall = START + timedelta(hours=6 * n), START + timedelta(days=4 * (n // 16 + 1))
        hours = (next_fall - at).total_seconds() / 3600 if count else 999
        came_24, came_72 = float(hours <= 24), float(hours <= 72)
        rows.append(
            {
                "variant": variant, "family": "drawn", "scorer": "ledger", "seed": 1, "planted": True, "in_time": True, "line": "+1", "at": at,
                "worse_at": next_fall if count else None, "p_24": 0.1 + 0.7 * came_24, "base_24": 0.25, "came_24": came_24,
                "p_72": 0.1 + 0.7 * came_72, "base_72": 0.75, "came_72": came_72, "yesterday": 0.25, "single": 0.25,
            }
        )  # fmt: skip
    return pl.DataFrame(rows, schema=HARDER)


def test_under_ten_worsenings_a_row_says_so_instead_of_numbers():
    told = harder_evaluated(pl.concat([made(PLAIN, LEAST_WORSE), made(FEW, LEAST_WORSE - 1), made(ONE, 0)]))
    of = told["scorers"]["drawn/ledger"]
    assert of[PLAIN]["too_few"] is False
    assert of[PLAIN]["skill_24"]["value"] > 0.5
    assert of[FEW] == {"lines": 1, "worsenings": 9, "ticks": 9 * 16, "too_few": True}
    assert of[ONE]["worsenings"] == 0
    assert of[LOST] == {"lines": 0, "worsenings": 0, "ticks": 0, "too_few": True}
    _, plain, _, few, *_ = harder_text(told).splitlines()
    assert "too few" not in plain
    assert few.endswith("  9           too few worsenings (under 10)")


def test_nothing_to_count_says_what_to_do():
    with pytest.raises(UsageError, match="more lines or days"):
        harder_evaluated(pl.DataFrame(schema=HARDER))


@pytest.fixture(scope="module")
def told():
    words = ("--family", "drawn", "--scorer", "ledger", "--lines", 16, "--days", 49, "--seeds", 1, "--seed", 4)
    asked = ["evaluate", "--forecast", "--harder", *map(str, words), "--json"]
    return json.loads(CliRunner().invoke(cli, asked, catch_exceptions=False).stdout)


@SWEEP
def test_json_has_every_figure_of_every_kind_and_what_was_asked(told):
    assert {k: told[k] for k in ("seed", "seeds", "lines", "days")} == {"seed": 4, "seeds": 1, "lines": 16, "days": 49}
    assert told["variants"] == VARIANTS
    (of,) = told["scorers"].values()
    assert list(of) == list(VARIANTS)
    for f in of.values():
        assert f["too_few"] == (f["worsenings"] < LEAST_WORSE)
        assert f["too_few"] or set(FIGURES) <= set(f)
    assert of[FEW]["too_few"]
    assert of[DRIFT]["worsenings"] > of[PLAIN]["worsenings"]


@SWEEP
def test_the_table_has_a_row_for_every_kind_with_its_count_and_intervals(told):
    (of,) = told["scorers"].values()
    head, *rows = harder_text(told).splitlines()
    assert len(rows) == len(VARIANTS)
    at = head.index("skill 24 h")
    for (name, f), row in zip(of.items(), rows, strict=True):
        assert row.startswith(f"drawn/ledger  {name}  ")
        assert row[head.index("worsenings") :].split()[0] == str(f["worsenings"])
        if not f["too_few"]:
            s = f["skill_24"]
            assert row[at:].startswith(f"{s['value']:+.3f} [{s['low']:+.3f}, {s['high']:+.3f}]")
            assert f"{f['warned_planted']['value']:.2f} of {f['warned_planted']['n']}" in row


def test_of_a_cause_that_began_too_late_nobody_could_warn():
    """Twelve falls, all warned of a day ahead but four; of these four three began within 6 h of the fall."""
    told = made(PLAIN, 12)
    fall = ((pl.col("worse_at") - START).dt.total_days() / 4).round().cast(pl.Int64)
    told = told.with_columns(
        in_time=~fall.is_in([2, 3, 4]), p_24=pl.when(fall.is_in([2, 3, 4, 5])).then(0.1).otherwise("p_24")
    )
    f = harder_evaluated(told)["scorers"]["drawn/ledger"][PLAIN]
    assert (f["warned_planted"]["n"], f["warned_in_time"]["n"]) == (12, 9)
    assert f["warned_planted"]["value"] == pytest.approx(8 / 12)
    assert f["warned_in_time"]["value"] == pytest.approx(8 / 9)
    assert "0.67 of 12" in harder_text({"scorers": {"drawn/ledger": {PLAIN: f}}, "variants": {PLAIN: ""}})
