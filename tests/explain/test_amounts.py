"""How much went wrong, in usual days of the line: more of it is more, long ago is less, and a busy line is no worse for being busy."""

from __future__ import annotations

import numpy as np
import pytest

from tests.explain.builders import World
from tests.explain.measuring import amounts_of, known
from tests.sweep import SEEDS

THREE = (1, 2, 3)
T = 41.1


def fall(seed, days=3.0, **more):
    """A fall in replies over the last days before T."""
    return World(seed).steady(change=lambda day: {"reply": 0.1} if day >= 41 - days else {}, **more).turn("+1", T)


def burst(seed, sends=70, ago=0.6):
    """New conversations, begun so many days before T."""
    return World(seed).steady().burst("+1", T - ago, sends).turn("+1", T)


def blast(seed, reply, asks=160):
    """Two days of many asks in known chats."""
    world = known(World(seed), 500).steady(
        chats=500, change=lambda day: {"asks": asks, "reply": reply} if day >= 39 else {}
    )
    return world.turn("+1", T)


def outage(seed, hours=12.0, ago=0.6, asks=40):
    """All sends of some hours fail."""
    world = World(seed).steady(asks=asks, chats=2 * asks)
    start, end = world.at(T - ago), world.at(T - ago + hours / 24)
    inside = [m for m in world.messages if start <= m["at"] < end]
    world.messages = [m for m in world.messages if not (start <= m["at"] < end and m["direction"] == "inbound")]
    for m in inside:
        m.update(failed=True, delivered_at=None, failed_at=m["at"], failure_code="4001")
    return world.turn("+1", T)


def stopped(seed, sends=20, asks=40, ago=0.6):
    """Sends to chats that had opted out."""
    world = World(seed).steady(asks=asks, chats=2 * asks)
    for i in range(sends):
        world.opt_out(f"+1-out{i}", 20)
        world.message("+1", f"+1-out{i}", T - ago + i / 1000)
    return world.turn("+1", T)


def mean(make, driver, **more):
    """The amount of a driver on average over the seeds: single weeks differ by chance."""
    return float(np.mean([amounts_of(make(seed, **more))[driver] for seed in THREE]))


@pytest.mark.parametrize("seed", SEEDS)
def test_an_ordinary_week_has_no_amount_of_anything(seed):
    assert max(amounts_of(World(seed).steady().turn("+1", T)).values()) < 0.1


@pytest.mark.parametrize(
    ("driver", "make", "sizes"),
    [
        ("engagement", fall, [{"days": n} for n in (1, 2, 4)]),
        ("new_conversations", burst, [{"sends": n} for n in (30, 60, 120)]),
        ("recipient_spread", blast, [{"reply": 0.1, "asks": n} for n in (80, 160, 320)]),
        ("send_pace", blast, [{"reply": 0.4, "asks": n} for n in (80, 160, 320)]),
        ("deliverability", outage, [{"hours": n} for n in (2, 5, 12)]),
        ("opt_outs", stopped, [{"sends": n} for n in (5, 10, 20)]),
    ],
)
def test_more_of_the_same_is_more(driver, make, sizes):
    small, middle, large = (mean(make, driver, **size) for size in sizes)
    assert 1.1 * small < middle
    assert 1.1 * middle < large


@pytest.mark.parametrize(
    ("driver", "make"), [("new_conversations", burst), ("deliverability", outage), ("opt_outs", stopped)]
)
def test_what_was_days_ago_is_less(driver, make):
    now, before, long_ago = (mean(make, driver, ago=days) for days in (0.6, 1.6, 3.6))
    assert now > 1.2 * before
    assert before > 1.5 * long_ago


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_in_which_every_send_fails_is_about_a_day(seed):
    assert 0.4 < amounts_of(outage(seed, hours=14, ago=0.8))["deliverability"] < 1.1


def test_the_same_trouble_on_a_busier_line_is_the_same_in_usual_days():
    """Four times the line with four times the fall or failures; a lower bound is nearer the truth where there is more to see."""
    for make, driver in ((fall, "engagement"), (outage, "deliverability")):
        usual, busy = (mean(make, driver, asks=asks) for asks in (40, 160))
        assert usual < busy < 1.7 * usual


@pytest.mark.parametrize("seed", SEEDS)
def test_sends_after_opt_outs_weigh_on_any_line_and_by_its_root(seed):
    small, large = (amounts_of(stopped(seed, asks=asks))["opt_outs"] for asks in (10, 160))
    assert 2 < small / large < 5


def test_volume_that_is_answered_is_a_smaller_amount():
    assert 1.3 * mean(blast, "recipient_spread", reply=0.6) < mean(blast, "recipient_spread", reply=0.1)


def test_a_line_without_a_usual_has_no_amounts():
    assert amounts_of(World(1).steady(days=5).burst("+1", 4.2, 300).turn("+1", 4.9)) == {}
