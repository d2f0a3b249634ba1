"""The second fleet family: equal seeds give equal fleets, and what it says of itself is true of its frames."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analysis.errors import UsageError
from analysis.schema import DRIVERS
from analysis.simulate.replay import SCORERS, replay_frames


@pytest.fixture(scope="module", params=SCORERS)
def fleet(request):
    return replay_frames(seed=11, lines=6, days=35, scorer=request.param)


def test_equal_seeds_give_equal_fleets_and_other_seeds_give_others():
    one, two, other = (replay_frames(seed=s, lines=2, days=14, scorer="forest") for s in (3, 3, 4))
    for name in ("messages", "chats", "chat_health", "changes", "truth"):
        assert_frame_equal(getattr(one, name), getattr(two, name))
    assert not one.messages.equals(other.messages)


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


def test_without_incidents_no_change_is_called_planted():
    quiet = replay_frames(seed=5, lines=4, days=28, scorer="annoyance", strength=0.0)
    assert not quiet.truth["planted"].any()


@pytest.mark.parametrize("wrong", [{"scorer": "oracle"}, {"lines": 0}, {"days": 3}])
def test_a_fleet_that_cannot_be_made_says_so(wrong):
    with pytest.raises(UsageError):
        replay_frames(**{"seed": 1, "lines": 1, "days": 14, "scorer": "forest", **wrong})
