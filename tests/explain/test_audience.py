"""A change in replies is split into the same kinds of chats answering less and writing to others, and both add up."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from analysis.explain.audience import audience_of, mix_weighs, split, told
from tests.explain.builders import World
from tests.explain.measuring import case_of, measured
from tests.explain.recount import asks_of, ms

T = 41.0
BEGAN = 36.0
RECORDS = ("answered the last", "left one unanswered", "left two or three", "left four or more")


def audience(world: World, since: float = BEGAN, **settings):
    found = measured(world, **settings)
    return audience_of(found.cases[found.changes[-1]], ms(since))


def exact(*, openers=5, answering=20, of=20, days=(BEGAN, 38), hour=0.4, services=("iMessage", "iMessage")):
    """Each day 20 known chats are written to (each every fifth day) and some are opened, of which 1 in 5 answers.

    From ``days`` on another number is opened, and other known chats answer; the last three days are silent, so that all
    replies have come. Each known chat answers every time up to then.
    """
    world = World()
    for day in range(int(days[1])):
        late = day >= days[0]
        opened, come = (openers, answering) if late else (5, 20)
        more = {"service": services[late]}
        for i in range(of if late else 20):
            chat, at = f"+1-k{day % 5}-{i}", day + (hour if late else 0.4) + i / 1000
            world.message("+1", chat, at, **more)
            if i < come:
                world.message("+1", chat, at + 0.01, "inbound")
        for i in range(opened):
            chat, at = f"+1-o{day}-{i}", day + (hour if late else 0.4) + i / 1000
            world.message("+1", chat, at, **more)
            if i % 5 == 0:
                world.message("+1", chat, at + 0.01, "inbound")
    return world.turn("+1", T)


def mixed(seed: int) -> World:
    """A line on which everything goes on at once: a fall, more openers, follow-ups into silence, failures, an opt-out."""
    world = World(seed).steady(change=lambda d: {"reply": 0.2, "new": 15} if d >= BEGAN else {})
    for day in range(20, 42):
        for i in range(6):
            world.message("+1", f"+1-every{i}", day + 0.3 + i / 100, service="SMS", receipt=i % 2 == 0)
        world.message("+1", f"+1-c{day}", day + 0.5, failed=True)
    world.opt_out("+1-every5", 30)
    return world.turn("+1", T)


def quicker(seed: int) -> World:
    """A line of which everybody answers at once in the last half hour: more replies than would be due by now."""
    world = World(seed).steady(days=T - 0.03, reply=0.3)
    for i in range(100):
        at = T - 0.02 + i / 20_000
        world.message("+1", f"+1-c{i % 80}", at)
        world.message("+1", f"+1-c{i % 80}", at + 0.0005, "inbound")
    return world.turn("+1", T)


WORLDS = [lambda: mixed(1), lambda: mixed(2), lambda: World(3).steady().turn("+1", T), lambda: quicker(4), exact]


@cache
def case(place: int):
    return case_of(WORLDS[place]())


class TestTheSplit:
    @given(place=st.integers(0, len(WORLDS) - 1), back=st.floats(0.01, 13))
    @hypothesis_settings(max_examples=150, deadline=None)
    def test_parts_add_up_to_the_change_of_the_reply_rate_whatever_the_window(self, place, back):
        found = audience_of(case(place), ms(T - back))
        if found is None:
            return
        assert found["by_rate"] + found["by_mix"] == pytest.approx(found["change"], abs=1.01e-4)
        assert found["rate_after"] - found["rate_before"] == pytest.approx(found["change"], abs=1.01e-4)
        assert 0 <= found["rate_before"] <= 1
        assert 0 <= found["rate_after"] <= 1

    @given(
        cells=st.lists(
            st.tuples(st.integers(0, 50), st.integers(0, 50), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20
        )
    )
    def test_parts_add_up_for_any_cells_and_are_the_mean_of_both_orders(self, cells):
        n0, n1, r0, r1 = (np.array(column, dtype=float) for column in zip(*cells, strict=True))
        n0[0], n1[0] = n0[0] + 1, n1[0] + 1  # somebody was written to
        w0, w1 = n0 / n0.sum(), n1 / n1.sum()
        by_rate, by_mix = split(w0, r0, w1, r1)
        assert by_rate + by_mix == pytest.approx((w1 * r1).sum() - (w0 * r0).sum(), abs=1e-9)
        both = [(a, b) for a, b, x, y in zip(r0, r1, n0, n1, strict=True) if x and y]
        if all(x and y for x, y in zip(n0, n1, strict=True)):
            rates_first = (w0 * r1).sum() - (w0 * r0).sum()
            rates_last = (w1 * r1).sum() - (w1 * r0).sum()
            assert by_rate == pytest.approx((rates_first + rates_last) / 2, abs=1e-9)
        if all(a == b for a, b in both):
            assert by_rate == pytest.approx(0, abs=1e-9)

    def test_more_openers_that_seldom_answer_are_mix_and_no_fall_in_replies(self):
        found = audience(exact(openers=40))
        assert found["rate_before"] == pytest.approx(21 / 25)
        assert found["rate_after"] == pytest.approx(28 / 60, abs=1e-4)
        assert found["by_rate"] == 0
        assert found["by_mix"] == found["change"] == pytest.approx(28 / 60 - 21 / 25, abs=1e-4)
        assert found["text"] == (
            "Replies went from 84 to 47 in 100 sends: all of it comes from writing to other kinds of chats."
        )
        assert mix_weighs(found)

    def test_the_same_chats_answering_less_are_rate_and_no_mix(self):
        found = audience(exact(answering=8))
        assert found["by_mix"] == 0
        assert found["by_rate"] == found["change"] == pytest.approx(9 / 25 - 21 / 25, abs=1e-4)
        assert found["text"] == (
            "Replies went from 84 to 36 in 100 sends: all of it comes from the same kinds of chats answering less."
        )
        assert not mix_weighs(found)

    def test_both_at_once_are_told_apart(self):
        found = audience(exact(openers=40, answering=10))
        assert found["by_rate"] < 0
        assert found["by_mix"] < 0
        # the known chats fell from 1 to a half; their weight is the mean of before and after
        assert found["by_rate"] == pytest.approx(-0.5 * (20 / 25 + 20 / 60) / 2, abs=1e-4)

    def test_fewer_openers_while_chats_answer_less_pull_against_each_other(self):
        found = audience(exact(openers=0, answering=12))
        assert found["by_rate"] < 0 < found["by_mix"]
        assert re.search(
            r"answering less makes \d+ points, writing to other kinds of chats takes \d+ off\.$", found["text"]
        )


# ------------------------------------------------------------------ a slow recount from the messages themselves


KINDS = {"new": "opens a chat", "answer": "answers", "followup": "follows up", "touch": "takes up again"}


def record(ask) -> str:
    return RECORDS[sum(ask.streak >= n for n in (1, 2, 4))]


def part_of_day(ask, zone="UTC") -> str:
    hour = ask.first.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(zone)).hour
    return "night" if hour < 7 or hour >= 22 else "morning" if hour < 12 else "afternoon" if hour < 17 else "evening"


def recount(world: World, since: float, zone="UTC"):
    """Rows of (by, name) with asks and answers before and after; no failure, no opted-out chat, no missing receipt counts."""
    t, left = world.at(T), {h["chat_id"]: h["at"] for h in world.health}
    got = {(m["chat_id"], m["at"]) for m in world.messages if m["delivered_at"]}
    rows: dict = {}
    for ask in asks_of(world):
        if ask.failed or (ask.chat in left and ask.first >= left[ask.chat]):
            continue
        before = world.at(T - 33) <= ask.first < world.at(T - 5)
        after = world.at(since) <= ask.first <= t
        answered = ask.reply is not None
        for word, inside in (("before", before), ("after", after)):
            if not inside:
                continue
            if word == "after" and ask.service == "iMessage":
                assert (ask.chat, ask.first) in got  # else silence would be judged
            came = answered and (word == "before" or ask.reply <= t - timedelta(minutes=1))
            groups = [("kind", KINDS[ask.kind]), ("hour", part_of_day(ask, zone)), ("service", ask.service)]
            if ask.kind in ("followup", "touch"):
                groups.append(("record", record(ask)))
            for group in groups:
                row = rows.setdefault(
                    group, dict.fromkeys(("asks_before", "asks_after", "answered_before", "answered_after"), 0)
                )
                row[f"asks_{word}"] += 1
                row[f"answered_{word}"] += came
    return rows


class TestTheRows:
    @pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
    @pytest.mark.parametrize("seed", [1, 2, 3])
    @pytest.mark.parametrize("since", [BEGAN, 39.3])
    def test_counts_are_those_of_a_plain_recount(self, seed, since, zone):
        world = mixed(seed)
        found = audience(world, since, timezone=zone)
        rows = {(row["by"], row["name"]): row for row in found["groups"]}
        expected = recount(world, since, zone)
        assert {key: {k: row[k] for k in expected[key]} for key, row in rows.items()} == expected
        assert found["asks_before"] == sum(r["asks_before"] for (by, _), r in expected.items() if by == "kind")
        assert found["asks_after"] == sum(r["asks_after"] for (by, _), r in expected.items() if by == "kind")

    def test_shares_of_each_way_of_grouping_add_up_to_the_whole(self):
        found = audience(mixed(1))
        for by in ("kind", "record", "hour", "service"):
            for word in ("before", "after"):
                rows = [row for row in found["groups"] if row["by"] == by]
                assert sum(row[f"share_{word}"] for row in rows) == pytest.approx(1, abs=5e-4)

    def test_other_hours_and_another_service_show_in_their_rows(self):
        found = audience(exact(hour=0.95, services=("iMessage", "SMS")))
        rows = {(row["by"], row["name"]): (row["share_before"], row["share_after"]) for row in found["groups"]}
        assert rows[("hour", "morning")] == (1, 0)
        assert rows[("hour", "night")] == (0, 1)
        assert rows[("service", "iMessage")] == (1, 0)
        assert rows[("service", "SMS")] == (0, 1)

    def test_chats_that_never_answered_and_chats_that_did_have_rows_of_their_own(self):
        world = exact()
        for day in (1, 5, 9, 13, 17, 21, 25, 29, 33, 37):  # further apart than a follow-up
            for i in range(10):
                world.message("+1", f"+1-never{i}", day + 0.6 + i / 100)
        found = audience(world)
        rows = {row["name"]: row for row in found["groups"] if row["by"] == "record"}
        # in the usual days 8 to 36: the third and fourth ask, then four more; since then: the tenth
        assert rows["answered the last"]["asks_after"] == 40
        assert rows["answered the last"]["rate_after"] == 1
        assert rows["left two or three"]["asks_before"] == 20
        assert rows["left four or more"]["asks_before"] == 50
        assert rows["left four or more"]["asks_after"] == 10
        assert rows["left four or more"]["rate_after"] == 0


class TestTheSentence:
    @given(place=st.integers(0, len(WORLDS) - 1), back=st.floats(0.05, 13))
    @hypothesis_settings(max_examples=100, deadline=None)
    def test_it_is_one_sentence_and_its_numbers_add_up(self, place, back):
        found = audience_of(case(place), ms(T - back))
        if found is None:
            return
        text = found["text"]
        assert text.count(".") == 1
        assert text.endswith(".")
        before, after = map(int, re.match(r"Replies went from (\d+) to (\d+) in 100 sends", text).groups())
        assert (before, after) == (round(100 * found["rate_before"]), round(100 * found["rate_after"]))
        points = signed(text)
        if points is not None:
            assert sum(points) == after - before
            assert points == pytest.approx((100 * found["by_rate"], 100 * found["by_mix"]), abs=1.6)

    @pytest.mark.parametrize(
        ("after", "mix", "text"),
        [
            (0.46, -0.03, "of the fall, 1 point comes from the same kinds of chats answering less, 3 from writing to other kinds of chats."),
            (0.46, -0.01, "of the fall, 3 points come from the same kinds of chats answering less, 1 from writing to other kinds of chats."),
            (0.54, 0.03, "of the rise, 1 point comes from the same kinds of chats answering more, 3 from writing to other kinds of chats."),
            (0.45, 0.01, "the same kinds of chats answering less makes 6 points, writing to other kinds of chats takes 1 off."),
            (0.45, -0.06, "writing to other kinds of chats makes 6 points, the same kinds of chats answering more takes 1 off."),
            (0.5, -0.06, "no change to split."),
        ],
    )  # fmt: skip
    def test_less_and_more_one_point_and_several(self, after, mix, text):
        figures = {"rate_before": 0.5, "rate_after": after, "by_mix": mix, "asks_after": 100}
        assert told(figures) == f"Replies went from 50 to {round(100 * after)} in 100 sends: {text}"

    def test_too_few_sends_are_not_split(self):
        found = audience(exact(openers=0, of=6, answering=1))
        assert found["text"] == "Replies went from 84 to 17 in 100 sends (12 sends, too few to split)."

    def test_nothing_to_compare_says_nothing(self):
        assert audience(exact(), 37.9) is None  # no send since
        assert audience(World(1).steady(days=5).turn("+1", 5), 4.0) is None  # no usual yet


def signed(text: str) -> tuple[int, int] | None:
    """The points by rate and by mix as they are read from the sentence."""
    before, after = map(int, re.match(r"Replies went from (\d+) to (\d+)", text).groups())
    change, sign = after - before, 1 if after > before else -1
    if "no change" in text or "too few" in text:
        return None
    less = -1 if "answering less" in text else 1
    if "all of it comes from the same" in text:
        assert less == sign
        return change, 0
    if "all of it" in text:
        return 0, change
    numbers = [int(n) for n in re.findall(r"(\d+)(?= points? comes? from the same| from writing| points?,| off)", text)]
    first, second = numbers
    if " of the " in text:
        assert ("of the fall" in text) == (sign < 0)
        assert less == sign
        return sign * first, sign * second
    if re.search(r"answering (less|more) makes", text):
        assert less == sign
        return sign * first, -sign * second
    assert less == -sign
    return -sign * second, sign * first
