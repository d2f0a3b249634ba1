"""One spell of trouble is one story, from its first worsening to the return to health; two spells are two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from analysis.explain.change import Change, episode_of
from tests.explain.builders import World
from tests.explain.recount import day_of
from tests.sweep import SEEDS

MINUTE = 1 / 24 / 60
ORDER = {"HEALTHY": 0, "AT_RISK": 1, "CRITICAL": 2, "ACTIVE": 0, "FLAGGED": 1}


def fallen(seed=1, **more):
    """Replies fall on day 30 for a week."""
    return World(seed).steady(change=lambda d: {"reply": 0.1} if 30 <= d < 37 else {}, **more)


def stories(world: World, **settings):
    return [e.episode for e in world.explain(**settings)]


class TestOneStory:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_at_risk_then_critical_for_the_same_reason(self, seed):
        first, second = stories(fallen(seed).turn("+1", 33.1).turn("+1", 34.2, "CRITICAL", "AT_RISK"))
        assert first is None  # its own story
        assert day_of(second["began"]) == pytest.approx(33.1, abs=1e-6)
        assert second["step"] == 2
        assert second["story"] == "At risk since 3 Apr 02:24 (replies); worse after a day for the same reason."

    @pytest.mark.parametrize("seed", SEEDS)
    def test_another_cause_is_told_on_top(self, seed):
        world = World(seed).steady()
        for i in range(15):
            world.opt_out(f"+1-c{i}", 32)
            world.message("+1", f"+1-c{i}", 32.5 + i / 100)
        world.burst("+1", 39.3, 90).turn("+1", 33.1).turn("+1", 40.1, "CRITICAL", "AT_RISK")
        _, second = stories(world)
        assert second["story"] == (
            "At risk since 3 Apr 02:24 (opt-outs); worse after 7 days with new conversations on top."
        )

    def test_worse_without_a_cause_in_the_data_is_said_so(self):
        world = fallen().turn("+1", 33.1).turn("+1", 45, "CRITICAL", "AT_RISK")
        assert stories(world)[1]["story"].endswith("; worse after 12 days without a new cause in the data.")
        world = World(1).steady().turn("+1", 33.1).turn("+1", 37.1, "CRITICAL", "AT_RISK")
        assert stories(world)[1]["story"] == (
            "At risk since 3 Apr 02:24 (no clear cause); worse after 4 days, still without a clear cause."
        )

    def test_easing_to_at_risk_does_not_end_it_and_is_no_step(self):
        world = fallen().turn("+1", 32.1).turn("+1", 33.1, "CRITICAL", "AT_RISK")
        world.turn("+1", 34.1, "AT_RISK", "CRITICAL").turn("+1", 35.1, "CRITICAL", "AT_RISK")
        _, second, eased, third = stories(world)
        assert (second["step"], third["step"]) == (2, 3)
        assert day_of(second["began"]) == day_of(third["began"]) == pytest.approx(32.1, abs=1e-6)
        assert eased is None

    def test_times_are_in_the_zone_of_the_user(self):
        world = fallen().turn("+1", 33.1).turn("+1", 34.2, "CRITICAL", "AT_RISK")
        assert stories(world, timezone="America/New_York")[1]["story"].startswith("At risk since 2 Apr 22:24 ")

    def test_the_headline_of_the_recovery_counts_from_its_first_step(self):
        world = fallen().turn("+1", 33.1).turn("+1", 34.2, "CRITICAL", "AT_RISK")
        *_, recovered = world.turn("+1", 40.1, "HEALTHY", "CRITICAL").explain()
        assert recovered.headline.startswith("Healthy again after 7 days")


class TestTwoStories:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_a_return_to_health_ends_it(self, seed):
        world = fallen(seed).turn("+1", 33.1).turn("+1", 34.1, "CRITICAL", "AT_RISK")
        world.turn("+1", 38, "HEALTHY", "CRITICAL").burst("+1", 42.3, 90)
        world.turn("+1", 42.9).turn("+1", 43.5, "CRITICAL", "AT_RISK")
        found = stories(world)
        assert [s and s["step"] for s in found] == [None, 2, None, None, 2]
        assert day_of(found[-1]["began"]) == pytest.approx(42.9, abs=1e-6)
        assert "(new conversations)" in found[-1]["story"]

    def test_a_return_to_health_that_was_not_reported_ends_it_too(self):
        """The second report says that the line was healthy before it: a change between was missed."""
        world = fallen().turn("+1", 31.1).turn("+1", 44, missed=True).turn("+1", 44.5, "CRITICAL", "AT_RISK")
        _, second, third = stories(world)
        assert second is None
        assert third["step"] == 2
        assert day_of(third["began"]) == pytest.approx(44, abs=1e-6)

    def test_health_and_the_carriers_flag_are_two_stories(self):
        world = fallen().turn("+1", 33.1).turn("+1", 33.5, "FLAGGED", "ACTIVE", kind="status")
        world.turn("+1", 34.1, "CRITICAL", "AT_RISK")
        _, flag, health = stories(world)
        assert flag is None
        assert health["step"] == 2
        assert health["story"].endswith("with the carrier's flag on top.")
        world = fallen().turn("+1", 33.1).turn("+1", 33.5, "ACTIVE", "FLAGGED", kind="status")
        assert stories(world.turn("+1", 34.1, "CRITICAL", "AT_RISK"))[-1]["step"] == 2  # a lifted flag is no health

    def test_another_lines_trouble_is_not_this_lines(self):
        world = fallen().steady("+2").turn("+2", 33.1).turn("+1", 33.5).turn("+2", 34, "CRITICAL", "AT_RISK")
        assert [(e.line, bool(e.episode)) for e in world.explain()] == [("+2", False), ("+1", False), ("+2", True)]


class TestOneMinute:
    @pytest.mark.parametrize("apart", [0.0, 0.5, 1.0])
    def test_two_worsenings_in_a_minute_are_two_steps_told_with_the_true_time_between(self, apart):
        world = fallen().turn("+1", 33.1).turn("+1", 33.1 + apart * MINUTE, "CRITICAL", "AT_RISK")
        first, second = world.explain()
        assert (first.new, second.new) == ("AT_RISK", "CRITICAL")
        assert second.episode["step"] == 2
        word = "within a minute" if apart < 1 else "after 1 minute"
        assert second.episode["story"] == f"At risk since 3 Apr 02:24 (replies); worse {word} for the same reason."

    @pytest.mark.parametrize(
        ("minutes", "words"),
        [(0.4, "within a minute"), (1, "after 1 minute"), (25, "after 25 minutes"), (60, "after an hour"), (150, "after 2 hours"), (1500, "after a day")],
    )  # fmt: skip
    def test_a_short_spell_is_not_made_longer_than_it_was(self, minutes, words):
        world = World(1).steady().turn("+1", 40.1)
        _, healthy = world.turn("+1", 40.1 + minutes * MINUTE, "HEALTHY", "AT_RISK").explain()
        assert healthy.headline.startswith(f"Healthy again {words}. ")
        world = fallen().turn("+1", 33.1).turn("+1", 33.1 + minutes * MINUTE, "CRITICAL", "AT_RISK")
        assert f"; worse {words} for the same reason." in stories(world)[1]["story"]

    def test_the_order_of_rows_does_not_turn_two_changes_of_one_instant_round(self):
        world = fallen().turn("+1", 33.1).turn("+1", 33.1, "CRITICAL", "AT_RISK")
        first = stories(world)
        world.transitions.reverse()
        assert stories(world) == first

    def test_down_and_up_in_a_minute_are_two_stories(self):
        world = fallen().turn("+1", 33.1).turn("+1", 33.1 + 0.5 * MINUTE, "HEALTHY", "AT_RISK")
        world.turn("+1", 33.1 + MINUTE).turn("+1", 33.1 + 1.2 * MINUTE, "CRITICAL", "AT_RISK")
        assert [s and s["step"] for s in stories(world)] == [None, None, None, 2]


def plain(changes):
    """For every change the worsenings before it in the same spell, found by living through them in order."""
    running, found = {"health": [], "status": []}, []
    for change in changes:
        if ORDER.get(change.previous, 1) == 0:
            running[change.kind] = []
        found.append(list(running[change.kind]))
        if ORDER[change.new] == 0:
            running[change.kind] = []
        elif change.worsening:
            running[change.kind].append(change)
    return found


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["health", "status"]),
            st.integers(0, 2),
            st.integers(0, 100),
            st.sampled_from([None, 0, 1, 2]),
        ),
        max_size=14,
    )
)
@hypothesis_settings(max_examples=200, deadline=None)
def test_any_history_falls_into_the_spells_one_lives_through(steps):
    states = {"health": ["HEALTHY", "AT_RISK", "CRITICAL"], "status": ["ACTIVE", "FLAGGED"]}
    now, changes, at = {"health": None, "status": None}, [], 0
    for kind, place, later, told in steps:
        at += later
        new = states[kind][place % len(states[kind])]
        previous = now[kind] if told is None else states[kind][told % len(states[kind])]  # a change may be missed
        now[kind] = new
        if previous == new:
            continue
        worse = ORDER[new] > ORDER.get(previous, 0)
        changes.append(Change("+1", at, kind, previous, new, worse, told is not None))
    found = [episode_of(changes[:i], change) for i, change in enumerate(changes)]
    assert found == plain(changes)
