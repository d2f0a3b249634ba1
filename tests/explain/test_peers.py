"""Whether a fall in replies is this line's or the fleet's is said in counts, and only where there are enough of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache

import polars as pl
import pytest

from analysis.explain import explain
from analysis.explain.measure import measure
from analysis.schema import GAPS
from analysis.settings import Settings
from tests.explain.builders import World, share
from tests.explain.measuring import LATER, measured
from tests.explain.recount import asks_of, day_of, ms
from tests.sweep import SEEDS

LINES = ("+1", "+2", "+3", "+4", "+5")
T, FELL = 41.1, 38


def falls(*, reply=0.15, day=FELL):
    return lambda d: {"reply": reply, "new_reply": reply} if d >= day else {}


def fleet(seed, fallen, *, lines=LINES, asks=40):
    """Lines of one size, of which some fall on one day; the first line worsens."""
    world = World(seed)
    for line in lines:
        world.steady(line, days=T + 4, asks=asks, change=falls() if line in fallen else None)
    return world.turn("+1", T)


@cache
def told(seed, fallen):
    """The first line's explanation in such a fleet."""
    (e,) = fleet(seed, fallen).explain()
    return e


def beside(world: World, since: float = FELL, gaps=None):
    found = measure(*world.frames(), as_of=LATER, settings=Settings(), gaps=gaps)
    return found.peers.beside("+1", ms(since), ms(T))


class TestWhoFell:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_where_the_other_lines_fell_too_it_is_what_they_share(self, seed):
        e = told(seed, LINES)
        assert share(e, "engagement") > 0.5
        assert e.peers["lines"] == 4
        assert e.peers["text"].startswith("On the other 4 lines ")
        assert e.peers["text"].endswith("the others fell too, so look for what the lines share.")

    @pytest.mark.parametrize("seed", SEEDS)
    def test_where_only_this_line_fell_it_is_this_line(self, seed):
        e = told(seed, LINES[:1])
        assert share(e, "engagement") > 0.5
        assert e.peers["text"].endswith("it is this line, not the fleet.")

    @pytest.mark.parametrize("seed", SEEDS)
    def test_where_only_others_fell_nothing_is_held_against_this_line(self, seed):
        text = beside(fleet(seed, LINES[1:], lines=LINES[:4]))["text"]
        assert "this line, not" not in text
        assert "fell too" not in text

    @pytest.mark.parametrize("seed", SEEDS)
    def test_a_fall_of_one_other_line_of_four_is_not_the_fleets(self, seed):
        assert beside(fleet(seed, ["+1", "+2"]))["text"].endswith("it is this line, not the fleet.")

    def test_one_other_line_is_called_the_other_line(self):
        assert "On the other line " in beside(fleet(1, ["+1"], lines=LINES[:2]))["text"]

    @pytest.mark.parametrize("seed", SEEDS)
    def test_the_numbers_of_the_sentence_are_the_counts(self, seed):
        found = told(seed, LINES[:1]).peers
        rates = [
            f"{100 * found[f'{who}_answered_{when}'] / found[f'{who}_asks_{when}']:.0f}"
            for who in ("peers", "own")
            for when in ("after", "before")
        ]
        assert found["text"].startswith(
            f"On the other 4 lines {rates[0]} in 100 sends were answered within 6 h, {rates[1]} before; on this one {rates[2]}, {rates[3]} before"
        )


class TestCounts:
    @pytest.mark.parametrize("since", [38, 37.7])
    @pytest.mark.parametrize("seed", SEEDS)
    def test_they_are_those_of_a_plain_recount(self, seed, since):
        world = fleet(seed, ["+1"], lines=LINES[:3])
        world.burst("+2", 30, 20, failed=True, new=False)
        found = beside(world, since)
        begin = day_of(found["since"])
        assert since <= begin < since + 1 / 24
        end = int(T * 24 - 6) / 24  # whole hours, whose asks have had six more
        for who, lines in (("own", ["+1"]), ("peers", ["+2", "+3"])):
            asks = [a for line in lines for a in asks_of(world, line) if not a.failed]
            for when, (a, b) in {"before": (begin - 28, begin), "after": (begin, end)}.items():
                inside = [x for x in asks if ms(a) <= milliseconds(x.last) < ms(b)]
                soon = [x for x in inside if x.reply and x.reply - x.last <= timedelta(hours=6)]
                assert (found[f"{who}_asks_{when}"], found[f"{who}_answered_{when}"]) == (len(inside), len(soon))

    def test_a_line_that_sent_nothing_in_that_time_is_not_counted(self):
        world = fleet(1, ["+1"], lines=LINES[:3])
        world.steady("+4", days=35)  # stopped
        world.steady("+5", days=35).steady("+5", first=37, days=37.8)  # stopped, just before
        world.steady("+6", days=35).steady("+6", first=42, days=45)  # pauses
        assert beside(world)["lines"] == 2


def milliseconds(at: datetime) -> int:
    return round((at - datetime(1970, 1, 1)) / timedelta(milliseconds=1))


class TestNotEnough:
    def test_a_line_alone_has_no_peers(self):
        (e,) = fleet(1, ["+1"], lines=["+1"]).explain()
        assert e.peers is None

    def test_others_with_a_handful_of_sends_are_none_to_compare_with(self):
        world = fleet(1, ["+1"], lines=["+1"])
        for line in LINES[1:]:
            for day in range(1, 45):
                world.message(line, f"{line}-c{day}", day + 0.5)
        assert beside(world) is None  # 16 sends since

    def test_a_handful_of_own_sends_are_not_compared(self):
        assert beside(fleet(1, ["+1"], asks=3)) is None

    def test_a_fall_that_began_a_few_hours_ago_is_not_compared(self):
        assert beside(fleet(1, ["+1"]), T - 5 / 24) is None

    def test_a_line_without_a_usual_of_its_own_is_not_compared(self):
        world = World(1).steady("+2").steady("+1", first=37)
        (e,) = world.turn("+1", T).explain()
        assert e.peers is None


class TestLater:
    """Nothing later than the change is used: not later messages, replies, opt-outs, nor lines that send again."""

    @pytest.mark.parametrize("seed", SEEDS)
    def test_later_messages_and_chat_health_change_nothing(self, seed):
        world = fleet(seed, ["+1"])
        world.steady("+6", days=35).steady("+6", first=42, days=45)
        for i in range(20):
            world.opt_out(f"+2-c{i}", T + 0.001 * i)
        whole = beside(world)
        messages, chats, health, spells, transitions = world.frames()
        at = world.at(T)
        cut = measure(
            messages.filter(pl.col("at") <= at), chats, health.filter(pl.col("at") <= at), spells, transitions,
            as_of=at, settings=Settings(),
        ).peers.beside("+1", ms(FELL), ms(T))  # fmt: skip
        assert whole == cut

    @pytest.mark.parametrize("line", [None, "+1", "+2"])
    def test_deliveries_lost_after_the_change_do_not_matter(self, line):
        world = fleet(1, ["+1"])
        gap = pl.DataFrame([(line, world.at(T + 0.01), world.at(T + 1), 50.0, 0.01)], schema=GAPS, orient="row")
        assert beside(world, gaps=gap) == beside(world)

    def test_an_opt_out_told_just_after_the_change_does_not_take_its_reply_back(self):
        world = fleet(1, ["+1"])
        at = int(T * 24) / 24
        world.message("+2", "+2-asked", at - 6.01 / 24)
        world.message("+2", "+2-asked", at - 0.0101 / 24, "inbound")
        found = measured(world).peers.beside("+1", ms(FELL), ms(at))
        world.opt_out("+2-asked", at + 0.005 / 24)  # within a minute of the message, and after the change
        assert measured(world).peers.beside("+1", ms(FELL), ms(at)) == found


def test_deliveries_lost_in_the_time_itself_are_no_silence_of_the_others():
    """An outage of the whole fleet: sends whose answers were lost are not held against anybody."""
    world = fleet(1, ["+1"])
    start, end = world.at(39.3), world.at(39.9)
    world.messages = [m for m in world.messages if not (m["direction"] == "inbound" and start < m["at"] < end)]
    gap = pl.DataFrame([(None, start, end, 50.0, 0.01)], schema=GAPS, orient="row")
    seen, naive = beside(world, gaps=gap), beside(world)
    assert seen["peers_asks_after"] < naive["peers_asks_after"]
    rate = [found["peers_answered_after"] / found["peers_asks_after"] for found in (seen, naive)]
    usual = seen["peers_answered_before"] / seen["peers_asks_before"]
    assert abs(rate[0] - usual) < abs(rate[1] - usual)
    (e,) = explain(*world.frames(), as_of=LATER, settings=Settings(), gaps=gap)
    assert any("Deliveries were probably lost" in note for note in e.notes)
