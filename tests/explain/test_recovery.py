"""A recovery says what stopped or came back, only where it was measured."""

import pytest

from tests.explain.builders import World, began, share


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_replies_that_came_back_are_the_reason(seed):
    world = World(seed).steady(change=lambda d: {"reply": 0.1} if 30 <= d < 34 else {})
    _, e = world.turn("+1", 33.1).turn("+1", 37.1, "HEALTHY", "AT_RISK").explain()
    assert e.drivers[0].driver == "engagement"
    assert share(e, "unexplained") < 0.5
    assert e.headline.startswith("Healthy again after 4 days: ")
    assert "in 100 sends are answered" in e.headline
    assert 33.8 < began(e) < 35.3
    assert e.drivers[0].evidence["observed"] > 0.45 > 0.3 > e.drivers[0].evidence["before"]


def test_failures_that_stopped_are_the_reason():
    world = World(1).steady(days=40).steady(first=40, days=42, failed=True).steady(first=42, days=46)
    _, e = world.turn("+1", 41.4).turn("+1", 45.4, "HEALTHY", "AT_RISK").explain()
    assert e.drivers[0].driver == "deliverability"
    assert e.headline == "Healthy again after 4 days: no send has failed since 11 Apr."


def test_a_recovery_while_nothing_eased_claims_nothing():
    world = World(1).steady(change=lambda d: {"reply": 0.1} if d >= 30 else {})
    _, e = world.turn("+1", 33.1).turn("+1", 37.1, "HEALTHY", "AT_RISK").explain()
    assert e.drivers[0].driver == "unexplained"
    assert e.headline == "Healthy again after 4 days. What eased does not show in the data."


def test_a_recovery_without_its_worsening_says_so():
    (e,) = World(1).steady().turn("+1", 37.1, "HEALTHY", "AT_RISK").explain()
    assert e.drivers[0].driver == "unexplained"
    assert any("not loaded" in note for note in e.notes)


def test_a_lifted_flag_is_the_reason():
    world = World(1).steady().turn("+1", 40, "FLAGGED", "ACTIVE", kind="status").turn("+1", 40.2)
    world.turn("+1", 42, "ACTIVE", "FLAGGED", kind="status").turn("+1", 42.5, "HEALTHY", "AT_RISK")
    *_, active, healthy = world.explain()
    assert active.drivers[0].driver == healthy.drivers[0].driver == "flagged"
    assert active.headline.startswith("Active again after 2 days: the carrier lifted its flag on 12 Apr 00:00")


def test_from_critical_to_at_risk_is_not_called_healthy():
    world = World(1).steady(change=lambda d: {"reply": 0.1} if 30 <= d < 34 else {})
    *_, e = world.turn("+1", 33.1, "CRITICAL").turn("+1", 37.1, "AT_RISK", "CRITICAL").explain()
    assert e.headline.startswith("No longer critical after 4 days")


def test_what_hardly_mattered_is_not_named_beside_the_reason():
    world = World(1).steady(change=lambda d: {"reply": 0.1} if 30 <= d < 34 else {})
    for i in range(5):
        world.message("+1", f"+1-c{i}", 32.6 + i / 100, failed=True)
    _, e = world.turn("+1", 33.1).turn("+1", 37.1, "HEALTHY", "AT_RISK").explain()
    assert 0 < share(e, "deliverability") < 0.25
    assert "failed" not in e.headline
