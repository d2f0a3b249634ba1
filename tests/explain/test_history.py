"""What a history says of many days at once is what it says of each alone."""

import random

import numpy as np
import pytest

from analysis.explain.constants import DAY
from analysis.explain.histories import histories
from analysis.settings import Settings
from tests.explain.builders import World


def lived(seed):
    """A line whose chats are told to be well or unwell at any time, before their first ask and after their last one too."""
    world, chance = World(seed), random.Random(seed)
    world.steady("+1", days=25, chats=9, asks=14, new=1.5)
    for day in range(5, 20):  # asks at a noon: from then on, and no longer at that some days later
        world.ask("+1", f"noon-{day}", day + 0.5)
        world.health.append({"chat_id": f"noon-{day}", "at": world.at(1), "health": "AT_RISK"})
    chats = sorted({message["chat_id"] for message in world.messages})
    for _ in range(60):
        health = chance.choice(["HEALTHY", "AT_RISK", "CRITICAL"])
        told = chance.choice([chance.uniform(-3, 30), round(chance.uniform(0, 25)) + 0.5])  # at a noon, too
        world.health.append(
            {"chat_id": chance.choice([*chats, "another line's"]), "at": world.at(told), "health": health}
        )
    messages, chats, chat_health, *_ = world.frames()
    return histories(messages, chats, chat_health, Settings())["+1"]


@pytest.mark.parametrize("seed", range(6))
def test_unhealthy_chats_by_day_are_those_of_each_noon(seed):
    line = lived(seed)
    bad, known = line.unhealthy_daily
    want = [line.unhealthy(int(t)) for t in bad.times]
    assert bad.times.tolist() == known.times.tolist()
    np.testing.assert_array_equal(np.diff(bad.sums), [n for n, _ in want])
    np.testing.assert_array_equal(np.diff(known.sums), [n for _, n in want])
    assert set(np.diff(bad.times)) == {2 * DAY}
    assert 0 < sum(n for n, _ in want) < sum(n for _, n in want)


def test_a_line_of_which_nothing_is_told_has_no_unhealthy_chats():
    world = World()
    world.steady("+1", days=25, chats=9, asks=14, new=1.5)
    messages, chats, chat_health, *_ = world.frames()
    bad, known = histories(messages, chats, chat_health, Settings())["+1"].unhealthy_daily
    assert len(bad.times) > 10
    assert not bad.sums.any()
    assert not known.sums.any()
