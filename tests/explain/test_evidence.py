"""The figures behind a driver, its rows and the chats to fix are what a plain recount of the messages gives."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from tests.explain.builders import World
from tests.explain.recount import asks_of, day_of
from tests.sweep import SEEDS

T = 41.6
HOUR = timedelta(hours=1)


def hour_of(at):
    return at.replace(minute=0, second=0, microsecond=0)


def hours(rows, key):
    """The rows of a detail as hours with their count."""
    return {World().at(round(day_of(row["hour"]) * 24) / 24): row[key] for row in rows}


def sent(world, since, until=T, **like):
    """The sends of (since, until], in order of time."""
    found = [m for m in world.messages if m["direction"] == "outbound" and world.at(since) < m["at"] <= world.at(until)]
    return sorted((m for m in found if all(m[k] == v for k, v in like.items())), key=lambda m: m["at"])


def counted(messages):
    return dict(Counter(hour_of(m["at"]) for m in messages))


def of(e, driver):
    return next(d for d in e.drivers if d.driver == driver)


def troubled(seed):
    """Everything at once: a burst, failures, follow-ups, opt-outs, chat health; and it all goes on after the change."""
    world = World(seed).steady(days=45).burst("+1", 41.2, 50, name="b")
    for i in range(12):
        world.message("+1", f"+1-c{i}", 41.3 + i / 500, failed=True)
        world.opt_out(f"+1-c{30 + i}", 35 + i / 10)
    for day in range(36, 44):
        for i in range(12):
            world.message("+1", f"+1-silent{i}", day + 0.3 + i / 100)
            if i % 3 == 0:  # the same turn, then another one
                world.message("+1", f"+1-silent{i}", day + 0.3 + i / 100 + 4 / 24 / 60)
                world.message("+1", f"+1-silent{i}", day + 0.3 + i / 100 + 9.5 / 24 / 60)
    for i in range(0, 60, 2):
        world.health.append({"chat_id": f"+1-c{i}", "at": world.at(20 + i / 3), "health": "AT_RISK"})
        world.health.append({"chat_id": f"+1-c{i}", "at": world.at(21 + i / 3), "health": "AT_RISK"})
    return world.turn("+1", T)


def recount(world, chat):
    """What the list of chats to fix says of one, from its messages and its health up to the change."""
    t, week = world.at(T), world.at(T - 7)
    rows = [m for m in world.messages if m["chat_id"] == chat and m["at"] <= t]
    rows.sort(key=lambda m: (m["at"], m["direction"] == "inbound"))
    told = sorted((h["at"], h["health"]) for h in world.health if h["chat_id"] == chat and h["at"] <= t)
    turns, before, last_in = 0, None, None
    for m in rows:
        if m["direction"] == "inbound":
            turns, before, last_in = 0, None, m["at"]
            continue
        turns += before is None or m["at"] - before > timedelta(minutes=5)
        before = m["at"]
    sends = [m for m in rows if m["direction"] == "outbound" and m["at"] > week]
    health = since = None
    for at, state in told:
        health, since = state, since if state == health else at

    def state_at(at):
        return next((state for when, state in reversed(told) if when <= at), None)

    return {
        "sends": len(sends),
        "unanswered_turns": turns,
        "silent_hours": None if last_in is None else round((t - last_in) / HOUR, 1),
        "chat_health": health,
        "chat_health_since": since and since.isoformat(timespec="milliseconds") + "Z",
        "last_reply_at": last_in and last_in.isoformat(timespec="milliseconds") + "Z",
        "failed": sum(m["failed"] for m in sends),
        "sends_after_opt_out": sum(state_at(m["at"]) == "OPTED_OUT" for m in sends),
    }


class TestChatsToFix:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_each_says_what_it_did_in_figures_of_a_plain_recount(self, seed):
        world = troubled(seed)
        (e,) = world.explain(explain_chats_to_fix=100)
        assert len(e.chats_to_fix) == 100
        for row in e.chats_to_fix:
            expected = recount(world, row["chat_id"])
            assert {key: row[key] for key in expected} == expected

    @pytest.mark.parametrize("seed", SEEDS)
    def test_what_comes_after_the_change_is_not_told_of_a_chat(self, seed):
        world = troubled(seed)
        (whole,) = world.explain()
        t = world.at(T)
        world.messages = [m for m in world.messages if m["at"] <= t]
        for m in world.messages:  # receipts and failures on their way at the change
            m["delivered_at"] = m["delivered_at"] if m["delivered_at"] and m["delivered_at"] <= t else None
        world.health = [h for h in world.health if h["at"] <= t]
        assert world.explain()[0].chats_to_fix == whole.chats_to_fix

    @pytest.mark.parametrize("seed", SEEDS)
    def test_chats_written_to_most_often_in_vain_come_first(self, seed):
        world = World(seed).steady()
        for day in range(36, 42):
            for i in range(20):
                if day >= 36 + i // 4:  # every four chats begin a day later
                    world.message("+1", f"+1-silent{i}", day + 0.2 + i / 100)
        (e,) = world.turn("+1", 41.9).explain(explain_chats_to_fix=8)
        turns = [row["unanswered_turns"] for row in e.chats_to_fix]
        assert turns == sorted(turns, reverse=True) == [6] * 4 + [5] * 4
        assert {row["reason"] for row in e.chats_to_fix} == {"does not answer"}

    @pytest.mark.parametrize("seed", SEEDS)
    def test_chats_written_to_most_often_after_opting_out_come_first(self, seed):
        world = World(seed).steady()
        for i in range(10):
            world.opt_out(f"+1-left{i}", 30)
            for n in range(i + 1):
                world.message("+1", f"+1-left{i}", 40.3 + i / 20 + n / 100)
        (e,) = world.turn("+1", T).explain(explain_chats_to_fix=10)
        assert [row["sends_after_opt_out"] for row in e.chats_to_fix] == list(range(10, 0, -1))
        assert {row["reason"] for row in e.chats_to_fix} == {"messaged after opting out"}

    @pytest.mark.parametrize("seed", SEEDS)
    def test_chats_with_most_failures_come_first(self, seed):
        world = World(seed).steady()
        for i in range(8):
            for n in range(1 + 2 * (i % 4)):
                world.message("+1", f"+1-dead{i}", 40.3 + i / 40 + n / 20, failed=True)
        (e,) = world.turn("+1", T).explain(explain_chats_to_fix=8)
        assert [row["failed"] for row in e.chats_to_fix] == [7, 7, 5, 5, 3, 3, 1, 1]
        assert {row["reason"] for row in e.chats_to_fix} == {"sends fail"}

    @pytest.mark.parametrize("seed", SEEDS)
    def test_those_who_answered_in_a_burst_are_not_the_ones_to_fix(self, seed):
        world = World(seed).steady(new=0)
        for i in range(80):
            at = 41.2 + i / 300
            world.message("+1", f"+1-b{i}", at)
            if i % 4 == 0:
                world.message("+1", f"+1-b{i}", at + 0.01, "inbound")
        (e,) = world.turn("+1", T).explain(explain_chats_to_fix=60)
        assert {row["chat_id"] for row in e.chats_to_fix} == {f"+1-b{i}" for i in range(80) if i % 4}

    def test_a_refused_send_counts_as_one_after_an_opt_out(self):
        """Without chat health the vendor's refusal (2024) is the only word of the opt-out."""
        world = World(1).steady()
        for i in range(10):
            world.message("+1", f"+1-c{i}", 40.4 + i / 50, failed=True)
            world.messages[-1]["failure_code"] = "2024"
        (e,) = world.turn("+1", T).explain(explain_chats_to_fix=10)
        assert of(e, "opt_outs").evidence["refused"] == 10
        assert [row["sends_after_opt_out"] for row in e.chats_to_fix] == [1] * 10
        assert {row["reason"] for row in e.chats_to_fix} == {"messaged after opting out"}


class TestBurstOfOpeners:
    @pytest.mark.parametrize("new", [0, 6])
    @pytest.mark.parametrize("seed", SEEDS)
    def test_hours_and_openings_add_up_to_the_burst(self, seed, new):
        world = World(seed).steady(new=new).burst("+1", 41.2, 70, reply=0.3)
        (e,) = world.turn("+1", T + 0.3).explain()
        d = of(e, "new_conversations")
        first = {}
        for m in sorted(world.messages, key=lambda m: m["at"]):
            first.setdefault(m["chat_id"], m)
        opened = [m for m in first.values() if m["direction"] == "outbound" and "-c" not in m["chat_id"]]
        told = [(o["at"], o["chat_id"]) for o in d.detail["openings"]]
        assert {f"+1-b{i}" for i in range(70)} <= {chat for _, chat in told}
        assert len(told) == d.evidence["observed"] == sum(h["count"] for h in d.detail["hours"])
        assert told == sorted(told)
        assert day_of(told[-1][0]) - day_of(told[0][0]) <= 1
        # every opening between the first and the last that is told
        begin, end = (at.removesuffix("Z") for at in (told[0][0], told[-1][0]))
        inside = [m for m in opened if begin <= m["at"].isoformat(timespec="milliseconds") <= end]
        assert {chat for _, chat in told} == {m["chat_id"] for m in inside}
        assert hours(d.detail["hours"], "count") == counted(inside)

    @pytest.mark.parametrize("seed", SEEDS)
    def test_answered_openings_add_up_and_gaps_are_those_between_openings(self, seed):
        world = World(seed).steady(new=0)
        for i in range(80):
            at = 41.2 + i * 3 / 24 / 60 + (1 / 24 / 60 if i % 2 else 0)  # 4 minutes, then 2
            world.message("+1", f"+1-b{i}", at)
            if i % 4 == 0:
                world.message("+1", f"+1-b{i}", at + 0.005, "inbound")
        (e,) = world.turn("+1", T).explain()
        d = of(e, "new_conversations")
        answered = {o["chat_id"] for o in d.detail["openings"] if o["answered"]}
        assert answered == {f"+1-b{i}" for i in range(0, 80, 4)}
        assert d.evidence["answered"] == 20
        assert d.evidence["peak_1h"] == 20
        (gaps,) = d.detail["gaps"]
        assert gaps == {"smallest_min": 2.0, "mean_min": pytest.approx(3, abs=0.02), "openers": 80}


class TestVolume:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_hours_of_a_blast_add_up_to_its_sends(self, seed):
        world = World(seed).steady(chats=500, new=0)
        for i in range(500):
            world.message("+1", f"+1-c{i}", i / 500, "inbound")
        world.burst("+1", 41.2, 300, new=False, hours=4, reply=0.05, chats=500).turn("+1", T)
        d = of(world.explain()[0], "recipient_spread")
        assert sum(h["sends"] for h in d.detail["hours"]) == d.evidence["observed"]
        asks = [a for a in asks_of(world) if a.kind in ("answer", "touch")]
        recounted = Counter(hour_of(at) for a in asks for at in a.times)
        told = hours(d.detail["hours"], "sends")
        assert len(told) >= 4
        for hour in list(told)[1:-1]:  # the first and the last begin and end within the hour
            assert told[hour] == recounted[hour] >= 30
        people = {m["chat_id"] for m in sent(world, 41.2, 41.2 + 4 / 24)}
        assert d.evidence["recipients"] <= len(people)
        assert all(h["recipients"] <= h["sends"] for h in d.detail["hours"])

    @pytest.mark.parametrize("seed", SEEDS)
    def test_the_sends_of_a_loop_stand_in_the_hours_in_which_they_went_out(self, seed):
        world = World(seed).steady(days=41).burst("+1", 41.2, 240, new=False, hours=4, reply=0, chats=1)
        d = of(world.turn("+1", T).explain()[0], "send_pace")
        told = hours(d.detail["hours"], "sends")
        assert told == counted(sent(world, 41.1))
        assert sum(told.values()) == d.evidence["observed"] == 240
        assert {h["recipients"] for h in d.detail["hours"]} == {1}

    def test_hours_above_the_published_limit_count_messages_either_way(self):
        world = World(1).steady()
        for i in range(300):
            world.message("+1", f"+1-c{i % 80}", 41.1 + i / 1000)
            world.message("+1", f"+1-c{i % 80}", 41.1 + i / 1000 + 0.0003, "inbound")
        (e,) = world.turn("+1", T).explain(ref_messages_per_day=250)
        d = of(e, "send_pace")
        assert d.evidence["limit"] == 250
        assert sum(h["sends"] for h in d.detail["hours"]) == d.evidence["observed"] >= 600


class TestDelivery:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_failures_by_hour_and_by_code_are_a_plain_recount(self, seed):
        world = World(seed).steady()
        codes = ["4001"] * 14 + ["4005"] * 9 + [None] * 3
        for i, code in enumerate(codes):
            world.message("+1", f"+1-c{i}", 40.5 + i / 60, failed=True)
            world.messages[-1]["failure_code"] = code
        world.message("+1", "+1-c70", 41, failed=True)
        world.messages[-1]["delivered_at"] = world.at(41.01)  # a delivery wins
        d = of(world.turn("+1", T).explain()[0], "deliverability")
        failed = [m for m in sent(world, 40.49) if m["failed"] and not m["delivered_at"]]
        assert hours(d.detail["hours"], "failed") == counted(failed)
        assert d.detail["codes"] == [{"code": "4001", "count": 14}, {"code": "4005", "count": 9}, {"code": "unknown", "count": 3}]  # fmt: skip
        assert d.evidence["failed"] == 26
        assert (d.evidence["top_code"], d.evidence["top_code_count"]) == ("4001", 14)
        told = hours(d.detail["hours"], "sends")
        every = counted(sent(world, 40.5 - 1e-7))
        assert told == {hour: every[hour] for hour in told}

    @pytest.mark.parametrize("seed", SEEDS)
    def test_rows_add_up_to_the_figures_where_only_some_sends_fail(self, seed):
        world = World(seed).steady()
        for m in sent(world, 39.4):
            if world.random.random() < 0.45:
                m |= {"failed": True, "failed_at": m["at"], "delivered_at": None, "failure_code": "4001"}
        d = of(world.turn("+1", T).explain()[0], "deliverability")
        assert sum(h["failed"] for h in d.detail["hours"]) == sum(c["count"] for c in d.detail["codes"]) == d.evidence["failed"]  # fmt: skip
        assert d.evidence["failed"] + d.evidence["without_receipt"] == d.evidence["observed_count"]

    @pytest.mark.parametrize("seed", SEEDS)
    def test_sends_without_receipt_have_their_hours_too(self, seed):
        world = World(seed).steady(days=41).burst("+1", 41.1, 40, new=False, hours=8, reply=0, receipt=False)
        d = of(world.turn("+1", T).explain()[0], "deliverability")
        assert hours(d.detail["hours"], "without_receipt") == counted(sent(world, 41))
        assert d.evidence["without_receipt"] == sum(h["without_receipt"] for h in d.detail["hours"]) == 40
        assert d.detail["codes"] == []

    def test_failures_after_a_flag_are_those_after_it(self):
        world = World(1).steady(days=41)
        for i in range(40):
            world.message("+1", f"+1-c{i}", 41 + i / 100, failed=i % 2 == 0)
        world.turn("+1", 41.055, "FLAGGED", "ACTIVE", kind="status").turn("+1", T)
        d = of(world.explain()[-1], "flagged")
        after = sent(world, 41.055)
        assert d.evidence["failed_after"] == sum(m["failed"] for m in after)
        assert hours(d.detail["hours"], "failed") == counted([m for m in after if m["failed"]])


class TestOptOuts:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_rows_say_who_was_written_to_how_often_and_since_when(self, seed):
        world = World(seed).steady()
        for i in range(9):
            world.opt_out(f"+1-left{i}", 30 + i / 10)
            world.opt_out(f"+1-left{i}", 31 + i / 10)  # told again
            world.message("+1", f"+1-left{i}", 29)  # before it
            for n in range(1 + i % 3):
                world.message("+1", f"+1-left{i}", 40.2 + i / 20 + n / 100)
        world.message("+1", "+1-left0", 34.5)  # more than a week before the change
        d = of(world.turn("+1", T).explain()[0], "opt_outs")
        rows = d.detail["after_opt_out"]
        assert [row["sends"] for row in rows] == [3, 3, 3, 2, 2, 2, 1, 1, 1]
        assert sum(row["sends"] for row in rows) == d.evidence["observed"] == 18
        assert len(rows) == d.evidence["people"] == 9
        for row in rows:
            i = int(row["chat_id"].removeprefix("+1-left"))
            mine = sent(world, T - 7, chat_id=row["chat_id"])
            assert row["sends"] == len(mine)
            assert day_of(row["opted_out_at"]) == pytest.approx(30 + i / 10, abs=1e-6)
            assert World().at(day_of(row["first_at"]) + 1e-9) == mine[0]["at"]
            assert day_of(row["last_at"]) == pytest.approx(40.2 + i / 20 + (i % 3) / 100, abs=1e-6)

    def test_a_chat_that_came_back_is_not_written_to_after_an_opt_out(self):
        world = World(1).steady()
        for i in range(9):
            world.opt_out(f"+1-left{i}", 30)
            world.health.append({"chat_id": f"+1-left{i}", "at": world.at(39), "health": "HEALTHY"})
            world.message("+1", f"+1-left{i}", 40)
        assert "opt_outs" not in {d.driver for d in world.turn("+1", T).explain()[0].drivers}
