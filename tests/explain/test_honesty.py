"""What the data cannot show is said, shares add up, and nothing later than a worsening changes its explanation."""

from datetime import timedelta

import msgspec
import polars as pl
import pytest

from analysis.explain import explain
from analysis.schema import DRIVERS, VENDOR_DRIVERS
from analysis.settings import Settings
from tests.explain.builders import World, share

LATER = World().at(400)


def plain(explanations):
    return msgspec.to_builtins(explanations)


def busy(seed=1):
    """Two lines with several causes, worsenings and recoveries."""
    world = World(seed).steady(change=lambda d: {"reply": 0.1} if 30 <= d < 34 else {})
    world.steady("+2", reply=0.4, asks=20).burst("+2", 40.4, 70)
    for i in range(5):
        world.message("+2", f"+2-c{i}", 39)
        world.opt_out(f"+2-c{i}", 39.5)
        world.message("+2", f"+2-c{i}", 40.1 + i / 50)
    world.turn("+1", 33.1).turn("+1", 34.2, "CRITICAL", "AT_RISK").turn("+1", 37.1, "HEALTHY", "CRITICAL")
    return world.turn("+2", 40.9)


def test_shares_sum_to_one_and_unexplained_is_always_there():
    for e in busy().explain():
        assert sum(d.share for d in e.drivers) == pytest.approx(1, abs=1e-9)
        assert "unexplained" in {d.driver for d in e.drivers}
        assert [d.share for d in e.drivers] == sorted((d.share for d in e.drivers), reverse=True)
        assert all(d.driver in DRIVERS and d.vendor_driver == VENDOR_DRIVERS[d.driver] for d in e.drivers)
        assert all(round(d.share, 4) == d.share for d in e.drivers)
        assert 0 <= e.confidence_p <= 1


def test_explanations_are_oldest_first_and_in_iso_with_milliseconds():
    found = busy().explain()
    assert [e.at for e in found] == sorted(e.at for e in found)
    assert found[0].at == "2026-04-03T02:24:00.000Z"


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_later_than_a_worsening_changes_its_explanation(seed):
    world = busy(seed)
    messages, chats, health, spells, transitions = world.frames()
    whole = explain(messages, chats, health, spells, transitions, as_of=LATER, settings=Settings())
    for e, row in zip(whole, transitions.sort("at", "line", "kind").iter_rows(named=True), strict=True):
        at = row["at"]
        known = messages.filter(pl.col("at") <= at).with_columns(
            [pl.when(pl.col(c) <= at).then(pl.col(c)).alias(c) for c in ("delivered_at", "failed_at")]
        )
        cut = explain(
            known.with_columns(failed=pl.col("failed_at").is_not_null() & pl.col("delivered_at").is_null()),
            chats,
            health.filter(pl.col("at") <= at),
            spells.filter(pl.col("start_at") <= at),
            transitions.filter(pl.col("at") <= at),
            as_of=at,
            settings=Settings(),
        )
        assert plain(cut[-1]) == plain(e)


def test_row_order_does_not_matter():
    frames = busy().frames()
    shuffled = [frame.sample(fraction=1, shuffle=True, seed=5) for frame in frames]
    first = explain(*frames, as_of=LATER, settings=Settings())
    assert plain(explain(*shuffled, as_of=LATER, settings=Settings())) == plain(first)


def test_moving_all_times_by_eight_days_changes_only_the_dates():
    frames = busy().frames()
    later = [
        frame.with_columns(pl.selectors.datetime() + timedelta(days=8)) if frame.width else frame for frame in frames
    ]
    a = explain(*frames, as_of=LATER, settings=Settings())
    b = explain(*later, as_of=LATER, settings=Settings())
    assert [[(d.driver, d.share) for d in e.drivers] for e in a] == [
        [(d.driver, d.share) for d in e.drivers] for e in b
    ]


def test_a_sparse_line_has_not_enough_data():
    (e,) = World(1).steady(chats=10, asks=1, new=0).turn("+1", 40.2).explain()
    assert e.headline == "Not enough data to say: 9 sends in the week before the change."
    assert e.drivers[0].driver == "unexplained"
    assert e.confidence == "low"


def test_a_line_gone_quiet_is_not_judged_on_a_few_sends():
    world = World(1).steady(days=34)
    for i in range(29):
        world.message("+1", f"+1-c{i}", 38 + i / 15)
    (e,) = world.turn("+1", 41).explain()
    assert e.headline == "Not enough data to say: 29 sends in the week before the change."
    assert share(e, "unexplained") == 1


def test_a_young_line_claims_no_usual():
    (e,) = World(1).steady(days=5).burst("+1", 4.2, 300).turn("+1", 4.9).explain()
    assert e.headline.startswith("Not enough data to say: ")
    assert "no usual yet" in e.headline
    assert any("Young line" in note for note in e.notes)
    assert share(e, "unexplained") == 1


def test_a_young_line_with_told_new_chats_names_a_burst_above_the_limit():
    world = World(1).steady(days=5).burst("+1", 4.2, 300).turn("+1", 4.9)
    world.chats = [
        {"chat_id": f"+1-b{i}", "line": "+1", "is_group": False, "created_at": world.at(4.2)} for i in range(300)
    ]
    (e,) = world.explain()
    assert e.drivers[0].driver == "new_conversations"
    assert "too young to have a usual" in e.headline
    assert e.drivers[0].evidence["usual"] is None


def test_a_thin_line_still_names_what_needs_no_usual():
    world = World(1).steady(chats=10, asks=1, new=0)
    for i in range(8):
        world.opt_out(f"+1-c{i}", 39)
        world.message("+1", f"+1-c{i}", 39.5 + i / 50)
    (e,) = world.turn("+1", 40.2).explain()
    assert e.drivers[0].driver == "opt_outs"
    assert "opted out" in e.headline


def test_no_messages_at_all_and_none_before_the_change():
    (e,) = World(1).turn("+1", 3).explain()
    assert e.headline == "Not enough data to say: no message of this line before the change is loaded."
    (e,) = World(1).steady(first=5, days=9).turn("+1", 3).explain()
    assert e.headline == "Not enough data to say: no message of this line before the change is loaded."
    assert World(1).steady(days=3).explain() == []


def test_missed_reports_and_unknown_states_are_noted():
    (e,) = World(1).steady().turn("+1", 41, missed=True).explain()
    assert any("not reported" in note for note in e.notes)
    (e,) = World(1).steady().turn("+1", 41, previous=None).explain()
    assert any("not known" in note for note in e.notes)
    assert any("chat health" in note for note in e.notes)


def test_actions_carry_a_number_and_never_move_chats():
    for e in busy().explain():
        assert all(a["expected_effect"] for a in e.actions)
        assert (
            any(c.isdigit() for a in e.actions[:-1] for c in a["action"])
            or e.drivers[0].driver == "unexplained"
            or e.new == "HEALTHY"
        )
        assert "moving them to another one spreads the problem" in e.actions[-1]["action"]
        assert not any("would have" in a["expected_effect"] for a in e.actions)


def test_at_most_the_set_number_of_chats_is_listed():
    (e,) = World(1).steady().burst("+1", 41.5, 70).turn("+1", 42.1).explain()
    assert len(e.chats_to_fix) == 15
    (e,) = World(1).steady().burst("+1", 41.5, 70).turn("+1", 42.1).explain(explain_chats_to_fix=3)
    assert len(e.chats_to_fix) == 3
