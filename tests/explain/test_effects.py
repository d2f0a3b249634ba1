"""What each driver's effect counts on planted days, what it leaves alone, and what it does not depend on."""

from __future__ import annotations

import re
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from analysis.explain.measure import measure
from analysis.settings import Settings
from tests.explain.builders import World, began, share
from tests.explain.measuring import LATER, case_of, effects_of, known, volume_share
from tests.sweep import EVERY, SEEDS

THREE = (1, 2, 3)
T = 41.1


def many_chats(seed, *, chats=500, **more):
    """A line whose chats are all known from its first day."""
    return known(World(seed), chats).steady(chats=chats, **more)


def raised(asks, *, since=38, days=4, **more):
    """Some days with so many asks, and whatever else changes with them."""
    return lambda day: {"asks": asks, **more} if since <= day < since + days else {}


class TestVolume:
    @pytest.mark.parametrize("times", [2, 4, 16] if EVERY else [2, 16])
    @pytest.mark.parametrize("days", [1, 4])
    def test_with_exactly_the_usual_replies_it_is_no_cause_however_large(self, times, days):
        world, n = known(World(1), 3000), 0
        for day in range(1, 41):
            asks = 40 * times if day >= 41 - days else 40
            for i in range(asks):
                at = day + 0.3 + i / asks / 2.5
                world.message("+1", f"+1-c{n % 3000}", at)
                if i % 5 < 3:
                    world.message("+1", f"+1-c{n % 3000}", at + 0.03, "inbound")
                n += 1
        (e,) = world.turn("+1", T).explain()
        assert volume_share(e) == 0
        assert re.match(
            rf"No clear cause. Volume rose, {40 * times} sends in a day where (39|40) are usual, and", e.headline
        )
        assert e.drivers[0].driver == "unexplained"

    @pytest.mark.parametrize("times", [2, 4, 16] if EVERY else [2, 16])
    @pytest.mark.parametrize("days", [1, 4])
    def test_with_replies_as_usual_but_for_chance_it_is_mostly_no_cause(self, times, days):
        found = []
        for seed in range(10, 18):
            world = many_chats(seed, chats=2000, change=raised(40 * times, since=41 - days, days=days))
            found += world.turn("+1", T).explain()
        assert np.mean([volume_share(e) for e in found]) < 0.3
        if times < 16 or days == 1:  # else the follow-ups into silence grow with the square of it
            assert np.mean([e.drivers[0].driver == "unexplained" for e in found]) > 0.7

    @pytest.mark.parametrize("seed", SEEDS)
    def test_a_lasting_rise_without_replies_is_pace(self, seed):
        (e,) = many_chats(seed, change=raised(200, reply=0.35)).turn("+1", T).explain()
        assert e.drivers[0].driver == "send_pace"
        assert share(e, "recipient_spread") == 0

    @pytest.mark.parametrize("seed", SEEDS)
    def test_the_same_rise_for_a_day_is_recipients(self, seed):
        (e,) = many_chats(seed, change=raised(200, reply=0.35, since=40, days=1)).turn("+1", T).explain()
        assert e.drivers[0].driver == "recipient_spread"
        assert share(e, "send_pace") == 0

    @pytest.mark.parametrize("chats", [30, 100, 300])
    def test_follow_ups_into_silence_are_not_volume(self, chats):
        world = World(chats).steady()
        for day in range(36, 42):
            for i in range(chats):
                world.message("+1", f"+1-silent{i}", day + 0.3 + i / chats / 3)
        effects = effects_of(world.turn("+1", 41.7))
        assert effects["engagement"] > 0.5
        assert "send_pace" not in effects
        assert "recipient_spread" not in effects

    @pytest.mark.parametrize("asks", [20, 200, 800])
    def test_a_loop_in_one_chat_is_pace_however_busy_the_line(self, asks):
        world = World(asks).steady(asks=asks, chats=4 * asks)
        for i in range(60):
            world.message("+1", "+1-loop", 40.6 + i / 24 / 60)
        (e,) = world.turn("+1", T).explain()
        assert e.drivers[0].driver == "send_pace"
        assert "60 of them went to one chat" in e.headline
        assert e.drivers[0].evidence["top_chat_sends"] == 60


class TestDelivery:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_reported_failures_count_where_no_receipts_are_given(self, seed):
        world = World(seed).steady(service="SMS", receipt=False)
        for i in range(20):
            world.message("+1", f"+1-c{i}", 40.5 + i / 100, failed=True, service="SMS")
        (e,) = world.turn("+1", T).explain()
        assert e.drivers[0].driver == "deliverability"
        figures = e.drivers[0].evidence
        assert (figures["failed"], figures["without_receipt"], figures["observed_count"]) == (20, 0, 20)

    @pytest.mark.parametrize("seed", SEEDS)
    def test_an_outage_of_three_hours_weighs_more_than_as_many_failures_over_days(self, seed):
        def line(times):
            world = World(seed).steady(asks=100, chats=300)
            for i, at in enumerate(times):
                world.message("+1", f"+1-c{i}", at, failed=True)
            return world.turn("+1", T)

        short = line([40.5 + i / 240 for i in range(30)])
        spread = line([38 + i % 3 + 0.35 + i / 80 for i in range(30)])
        assert effects_of(short)["deliverability"] > 1.5 * effects_of(spread)["deliverability"]
        (e,) = short.explain()
        assert e.drivers[0].driver == "deliverability"
        assert began(e) == pytest.approx(40.5, abs=0.01)
        assert e.drivers[0].evidence["failed"] == 30

    @pytest.mark.parametrize("part", [0.3, 0.6, 1.0])
    def test_failed_sends_do_not_look_like_silent_chats(self, part):
        """Whoever was not reached did not fall silent, whether few or all sends fail, for three days."""
        for seed in THREE:
            world = World(seed).steady(days=38)
            for day in range(38, 42):
                for _ in range(40):
                    at = day + world.hour()
                    if at < T:
                        failed = world.random.random() < part
                        world.ask("+1", f"+1-c{world.random.randrange(80)}", at, 0.6, failed=failed)
            (e,) = world.turn("+1", T).explain()
            assert e.drivers[0].driver == "deliverability"
            assert share(e, "engagement") < 0.05


class TestReplies:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_a_stop_is_no_reply(self, seed):
        def line(answer):
            world = World(seed).steady(days=38)
            for day in range(38, 41):
                for i in range(40):
                    chat, at = f"+1-k{day}-{i}", day + world.hour()
                    world.message("+1", chat, at - 30, "inbound")
                    world.message("+1", chat, at)
                    if answer and i % 10 < 6:
                        world.message("+1", chat, at + 0.02, "inbound")
                        if answer == "stop":
                            world.opt_out(chat, at + 0.02 + 10 / 86_400)
            return effects_of(world.turn("+1", T))

        silent, stops, replies = line(None), line("stop"), line("reply")
        assert silent["engagement"] > 0.5
        assert stops["engagement"] == pytest.approx(silent["engagement"], rel=1e-9)
        assert replies.get("engagement", 0) < 0.1
        assert stops["opt_outs"] > 1
        assert "opt_outs" not in silent

    def test_the_same_fall_shows_less_the_fewer_sends_there_are(self):
        found = []
        for asks in (3, 10, 40, 160):
            falls = [
                World(seed).steady(asks=asks, chats=4 * asks, new=0, change=raised(asks, reply=0.2)).turn("+1", T)
                for seed in range(5)
            ]
            found.append(float(np.mean([effects_of(world).get("engagement", 0) for world in falls])))
        assert found == sorted(found)
        assert found[0] < 0.1 < 0.5 < found[-1]

    @pytest.mark.parametrize("seed", SEEDS)
    def test_unhealthy_chats_are_told_only_where_they_are_not_usual(self, seed):
        def line(since):
            world = World(seed).steady()
            for i in range(80):
                ill = i < 48
                world.health.append(
                    {
                        "chat_id": f"+1-c{i}",
                        "at": world.at(since if ill else 2),
                        "health": "AT_RISK" if ill else "HEALTHY",
                    }
                )
            (e,) = world.turn("+1", T).explain()
            return e

        lately, always = line(39), line(5)
        assert lately.drivers[0].driver == "engagement"
        assert "active chats are at risk or critical" in lately.headline
        figures = lately.drivers[0].evidence
        assert figures["observed"] == pytest.approx(0.6, abs=0.08)
        assert always.headline.startswith("No clear cause.")
        assert always.drivers[0].driver == "unexplained"

    @pytest.mark.parametrize("since", [10, 20, 30])
    def test_follow_ups_are_deep_by_their_recent_past_wherever_the_history_begins(self, since):
        world = World(1).steady()
        for day in range(42):
            for i in range(10):
                world.message("+1", f"+1-every{i % 3}-{i}", day * (1 + i % 3) + 0.4 + i / 100)
        world.messages = [m for m in world.messages if m["at"] < world.at(T)]
        whole = case_of(world.turn("+1", T)).effects.window
        world.messages = [m for m in world.messages if m["at"] >= world.at(since)]
        cut = case_of(world).effects.window
        assert whole.deep.sum() > 20
        assert whole.streak.max() > cut.streak.max()
        assert whole.first.tolist() == cut.first.tolist()
        assert whole.deep.tolist() == cut.deep.tolist()


class TestNewConversations:
    def burst(self, seed, told):
        """Seventy sends to chats without a past; of which chats it is told when they were created."""
        world = World(seed).steady().burst("+1", 41.5, 70, reply=0.1)
        if told == "all others":
            first = {m["chat_id"]: m["at"] for m in reversed(world.messages) if "-n" in m["chat_id"]}
        else:
            first = {} if told is None else {f"+1-b{i}": world.at(told) for i in range(70)}
        world.chats = [{"chat_id": c, "line": "+1", "is_group": False, "created_at": at} for c, at in first.items()]
        (e,) = world.turn("+1", 42.1).explain()
        return e.drivers[0].driver

    @pytest.mark.parametrize("seed", SEEDS)
    def test_creation_told_by_the_vendor_makes_a_chat_new_or_not(self, seed):
        assert self.burst(seed, told=None) == "new_conversations"
        assert self.burst(seed, told=41.4) == "new_conversations"
        assert self.burst(seed, told=10) == "recipient_spread"

    @pytest.mark.parametrize("seed", SEEDS)
    def test_where_creations_are_told_a_chat_without_one_is_not_new(self, seed):
        assert self.burst(seed, told="all others") == "recipient_spread"


class TestNewConversationsOfYoungLines:
    """Under two weeks a line has no usual of openers: its known chats look new too."""

    @pytest.mark.parametrize("day", [9.5, 11.5, 12.9])
    @pytest.mark.parametrize("seed", SEEDS)
    def test_a_burst_beyond_all_that_was_first_seen_before_is_named(self, seed, day):
        world = World(seed).steady(days=day).burst("+1", day - 0.6, 60, reply=0.1)
        (e,) = world.turn("+1", day).explain()
        assert e.drivers[0].driver == "new_conversations"
        figures = e.drivers[0].evidence
        firsts = {}
        for m in sorted(world.messages, key=lambda m: m["at"]):
            firsts.setdefault(m["chat_id"], m)
        seen = [m["at"] for m in firsts.values() if m["direction"] == "outbound" and m["at"] < world.at(day - 1)]
        most = figures["first_seen_before"]
        assert 5 <= most <= max(sum(at <= other < at + timedelta(days=1) for other in seen) for at in seen)
        assert f"first wrote to {most} chats a day at most" in e.headline
        assert figures["usual"] is None
        assert "usual" not in e.headline

    @pytest.mark.parametrize("day", [8.5, 10.5, 13.5])
    def test_known_chats_that_come_in_are_no_burst(self, day):
        for seed in range(6):
            world = World(seed).steady(days=day, chats=300).turn("+1", day)
            assert "new_conversations" not in effects_of(world)

    @pytest.mark.parametrize("day", [8.5, 9.5, 12.5])
    def test_a_weekly_mailing_is_no_burst(self, day):
        world = World(1).steady(days=day)
        for week in (0, 1):
            for i in range(40):
                world.message("+1", f"+1-list{week}-{i}", day - 0.5 - 7 * (1 - week) + i / 400)
        assert "new_conversations" not in effects_of(world.turn("+1", day))


class TestTime:
    @pytest.mark.parametrize(
        ("driver", "plant"),
        [
            ("new_conversations", lambda w: w.burst("+1", 36, 70)),
            ("recipient_spread", lambda w: w.burst("+1", 36, 250, new=False, reply=0.05, chats=500)),
            ("deliverability", lambda w: w.burst("+1", 36, 60, new=False, failed=True)),
        ],
    )
    @pytest.mark.parametrize("seed", SEEDS)
    def test_what_happened_days_ago_counts_but_less_each_day(self, seed, driver, plant):
        effects = []
        for later in (0.5, 2, 3, 4, 5):
            world = plant(many_chats(seed)).turn("+1", 36.3 + later)
            effects.append(effects_of(world)[driver])
        assert effects == sorted(effects, reverse=True)
        assert effects[0] / 4 < effects[-1] < effects[0] * 0.75

    @pytest.mark.parametrize("seed", SEEDS)
    def test_what_happened_a_week_ago_does_not_count(self, seed):
        effects = effects_of(many_chats(seed).burst("+1", 33, 70).turn("+1", 41.5))
        assert "new_conversations" not in effects


def troubled(line, seed):
    """A line with a burst, failures and sends after opt-outs, its times cut to whole minutes so that many are equal."""
    world = World(seed).steady(line).burst(line, 40.4, 60)
    for i in range(8):
        world.message(line, f"{line}-c{i}", 40.5 + i / 50, failed=True)
        world.opt_out(f"{line}-c{20 + i}", 30)
        world.message(line, f"{line}-c{20 + i}", 40.6 + i / 50)
    for m in world.messages:
        m["at"] = m["at"].replace(second=0, microsecond=0)
    return world.turn(line, T)


def joined(*worlds):
    """The frames of several worlds as one fleet's."""
    frames = [world.frames() for world in worlds]
    return [pl.concat(parts) for parts in zip(*frames, strict=True)]


def measured_in(frames, line="+1"):
    found = measure(*frames, as_of=LATER, settings=Settings())
    (case,) = [found.cases[c] for c in found.changes if c.line == line]
    return case


class TestIndependence:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_effects_do_not_depend_on_the_order_of_rows(self, seed):
        frames = joined(troubled("+1", seed), troubled("+2", seed + 10))
        first = measured_in(frames)
        again = measured_in([frame.sample(fraction=1, shuffle=True, seed=seed) for frame in frames])
        assert len(first.effects.x) > 5
        assert again.effects.x == first.effects.x
        assert again.effects.amount == first.effects.amount
        assert again.onsets == first.onsets

    def test_effects_do_not_depend_on_the_name_of_the_line(self):
        def renamed(frames, old, new):
            text = [pl.col(c).str.replace(old, new, literal=True) for c in ("line", "chat_id")]
            return [f.with_columns([e for e in text if e.meta.output_name() in f.columns]) for f in frames]

        one, two = troubled("+1", 1).frames(), troubled("+2", 2).frames()
        plain = measured_in([pl.concat(parts) for parts in zip(one, two, strict=True)])
        swapped = zip(renamed(one, "+1", "+9"), two, strict=True)
        assert measured_in([pl.concat(parts) for parts in swapped], "+9").effects.x == plain.effects.x

    @pytest.mark.parametrize("seed", SEEDS)
    def test_what_is_counted_on_a_line_does_not_depend_on_other_lines(self, seed):
        alone = measured_in(joined(troubled("+1", seed)))
        for other in (World(9).steady("+2", reply=0.1).turn("+2", 30), troubled("+2", 4)):
            beside = measured_in(joined(troubled("+1", seed), other))
            assert beside.effects.x["opt_outs"] == alone.effects.x["opt_outs"] > 1
            for driver in ("deliverability", "new_conversations", "recipient_spread", "send_pace"):
                assert beside.effects.x[driver] == pytest.approx(alone.effects.x[driver], rel=0.05)
            assert beside.onsets["opt_outs"] == alone.onsets["opt_outs"]
            assert beside.effects.sends_week == alone.effects.sends_week
