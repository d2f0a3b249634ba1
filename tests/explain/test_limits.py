"""At the edges of what is loaded there is an answer too, and it says what it could not see."""

from __future__ import annotations

import csv
import time
from datetime import timedelta

import polars as pl
import pytest

from analysis import pipeline
from analysis.explain import explain
from analysis.explain.measure import measure
from analysis.schema import GAPS
from analysis.settings import Settings
from tests.explain.builders import World, began, share
from tests.explain.measuring import LATER
from tests.explain.recount import day_of
from tests.sweep import SEEDS

THREE = (1, 2, 3)
T = 41.1


def fall(since=38, reply=0.1, until=999):
    return lambda day: {"reply": reply, "new_reply": reply} if since <= day < until else {}


def with_gaps(world: World, *gaps):
    """Explanations of a world in which deliveries were lost: (line, first day, last day or None where not over)."""
    rows = [(line, world.at(a), None if b is None else world.at(b), 50.0, 0.01) for line, a, b in gaps]
    told = pl.DataFrame(rows, schema=GAPS, orient="row")
    return explain(*world.frames(), as_of=LATER, settings=Settings(), gaps=told)


def whole(e):
    """What every answer has, however little was seen."""
    assert e.headline.endswith(".")
    assert sum(d.share for d in e.drivers) == pytest.approx(1, abs=1e-9)
    assert "unexplained" in {d.driver for d in e.drivers}
    assert e.actions
    assert 0 < e.confidence_p <= 0.97
    return e


def at_once(world: World, day=400.0):
    """The explanations of a world as of a day after START, further on than the builder goes."""
    return explain(*world.frames(), as_of=world.at(day), settings=Settings())


def noted(e, text):
    return any(text in note for note in e.notes)


class TestLittleIsLoaded:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_a_line_alone_is_explained_by_its_own_past_and_compared_with_no_other(self, seed):
        (e,) = World(seed).steady(change=fall()).turn("+1", T).explain()
        assert whole(e).drivers[0].driver == "engagement"
        assert e.peers is None

    @pytest.mark.parametrize("seed", SEEDS)
    def test_without_chat_health_opt_outs_cannot_be_seen_and_that_is_said(self, seed):
        def line(told):
            world = World(seed).steady()
            for i in range(15):
                world.message("+1", f"+1-left{i}", 20)
                if told:
                    world.opt_out(f"+1-left{i}", 30)
                world.message("+1", f"+1-left{i}", 40.4 + i / 50)
            (e,) = world.turn("+1", T).explain()
            return whole(e)

        blind, seeing = line(told=False), line(told=True)
        assert seeing.drivers[0].driver == "opt_outs"
        assert not noted(seeing, "No chat health is loaded")
        assert share(blind, "opt_outs") == 0
        assert noted(
            blind, "No chat health is loaded for this line: opt-outs show only where the vendor refused a send."
        )

    def test_chat_health_that_came_after_the_change_was_not_known_at_it(self):
        world = World(1).steady().turn("+1", T)
        for i in range(40):
            world.opt_out(f"+1-c{i}", T + 0.5)
        assert noted(whole(world.explain()[0]), "No chat health is loaded")

    def test_no_transition_no_explanation(self):
        assert World(1).steady().explain() == []
        assert World(1).explain() == []
        assert at_once(World(1).steady().turn("+1", 44), 43) == []  # told of after the last event of the store

    @pytest.mark.parametrize(
        ("new", "previous", "kind"),
        [("AT_RISK", "HEALTHY", "health"), ("CRITICAL", None, "health"), ("HEALTHY", "AT_RISK", "health"), ("FLAGGED", "ACTIVE", "status")],
    )  # fmt: skip
    def test_a_change_before_any_message_says_that_nothing_is_loaded(self, new, previous, kind):
        world = World(1).steady(first=5, days=45, change=fall()).steady("+2")
        world.turn("+1", 3, new, previous, kind=kind)
        (e,) = world.explain()
        assert whole(e).headline == "Not enough data to say: no message of this line before the change is loaded."
        assert share(e, "unexplained") == 1
        assert (e.onset, e.chats_to_fix, e.peers, e.audience) == (None, [], None, None)
        assert e.confidence == "low"
        assert noted(e, "not known") == (previous is None)

    def test_a_change_before_any_message_does_not_spoil_the_next_one(self):
        world = World(1).steady(first=5, days=45, change=fall()).turn("+1", 3)
        world.turn("+1", 9, "HEALTHY", "AT_RISK").turn("+1", T)
        blank, back, seen = (whole(e) for e in world.explain())
        assert blank.headline.startswith("Not enough data to say")
        assert back.headline == "Healthy again after 6 days. What eased does not show in the data."
        assert noted(back, "not loaded")
        assert seen.drivers[0].driver == "engagement"

    @pytest.mark.parametrize("direction", ["inbound", "outbound"])
    def test_a_line_of_one_message(self, direction):
        world = World(1)
        world.message("+1", "+1-c", 3, direction)
        (e,) = world.turn("+1", 41).explain()
        assert whole(e).headline.startswith("Not enough data to say")
        assert share(e, "unexplained") == 1

    def test_a_line_that_only_receives(self):
        world = World(1).steady("+2")
        for i in range(400):
            world.message("+1", f"+1-c{i}", i / 10, "inbound")
        (e,) = world.turn("+1", T).explain()
        assert whole(e).headline == "Not enough data to say: 0 sends in the week before the change."

    def test_a_line_of_which_no_send_ever_arrived(self):
        (e,) = World(1).steady(failed=True).turn("+1", T).explain()
        assert whole(e).drivers[0].driver == "unexplained"  # as always: nothing is out of its usual
        world = World(1).steady(receipt=False, reply=0, new_reply=0).turn("+1", T)
        assert noted(whole(world.explain()[0]), "No delivery receipts are usual on this line")

    def test_a_history_cut_to_ten_days_says_how_short_its_usual_is(self):
        world = World(1).steady(change=fall())
        world.messages = [m for m in world.messages if m["at"] >= world.at(31)]
        (e,) = world.turn("+1", T).explain()
        assert noted(whole(e), "quiet days only: the history is short, cut or full of trouble")


class TestTwoInAMinute:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_both_are_explained_and_by_the_same(self, seed):
        world = World(seed).steady(change=fall()).turn("+1", T).turn("+1", T + 0.0003, "CRITICAL", "AT_RISK")
        first, second = (whole(e) for e in world.explain())
        assert (first.new, second.new) == ("AT_RISK", "CRITICAL")
        assert first.drivers[0].driver == second.drivers[0].driver == "engagement"
        assert first.drivers[0].share == pytest.approx(second.drivers[0].share, abs=0.05)
        assert first.drivers[0].evidence["usual"] == second.drivers[0].evidence["usual"]

    def test_health_and_status_at_one_instant_are_two_answers(self):
        world = World(1).steady().turn("+1", T).turn("+1", T, "FLAGGED", "ACTIVE", kind="status")
        health, status = (whole(e) for e in world.explain())
        assert (health.kind, status.kind) == ("health", "status")
        assert health.drivers[0].driver == status.drivers[0].driver == "flagged"

    def test_down_and_up_within_a_minute_claims_no_reason_for_the_recovery(self):
        world = World(1).steady(change=fall()).turn("+1", T).turn("+1", T + 0.0003, "HEALTHY", "AT_RISK")
        _, healthy = (whole(e) for e in world.explain())
        assert healthy.headline == "Healthy again within a minute. What eased does not show in the data."


class TestAYear:
    @pytest.mark.parametrize("seed", [1, 2])
    def test_a_year_of_history_is_explained_as_its_last_weeks_are(self, seed):
        world = World(seed).steady(days=364, asks=25, change=fall(since=360)).turn("+1", 363.1)
        (year,) = at_once(world)
        world.messages = [m for m in world.messages if m["at"] >= world.at(300)]
        (weeks,) = at_once(world)
        for e in (year, weeks):
            assert whole(e).drivers[0].driver == "engagement"
            assert abs(began(e) - 360.4) < 1
        assert share(year, "engagement") == pytest.approx(share(weeks, "engagement"), abs=0.1)
        assert year.drivers[0].evidence["usual"] == pytest.approx(weeks.drivers[0].evidence["usual"], abs=0.03)

    def test_what_was_wrong_half_a_year_ago_is_no_cause_today(self):
        world = World(1).steady(days=364, asks=25, change=fall(since=170, until=180)).burst("+1", 200, 90)
        world.turn("+1", 173).turn("+1", 185, "HEALTHY", "AT_RISK").turn("+1", 363.1)
        *_, e = at_once(world)
        assert whole(e).drivers[0].driver == "unexplained"
        assert e.episode is None

    def test_a_change_every_week_of_a_year_is_told_one_by_one(self):
        world = World(1).steady(days=364, asks=10)
        for week in range(2, 52):
            world.turn("+1", 7 * week).turn("+1", 7 * week + 1, "HEALTHY", "AT_RISK")
        found = [whole(e) for e in at_once(world)]
        assert len(found) == 100
        assert all(e.headline.startswith("Healthy again after a day") for e in found[1::2])
        assert not any(e.episode for e in found)


class TestOutages:
    """Events were lost: what is missing then is no silence, and the notes say when nothing could be seen."""

    def lost(self, seed, a, b, **more):
        """A steady line of which no answer and no receipt reached us for some time."""
        world = World(seed).steady(**more)
        start, end = world.at(a), world.at(b)
        world.messages = [m for m in world.messages if not (m["direction"] == "inbound" and start < m["at"] < end)]
        for m in world.messages:
            if m["delivered_at"] and start < m["delivered_at"] < end:
                m["delivered_at"] = None
        return world.turn("+1", T)

    @pytest.mark.parametrize("line", [None, "+1"])
    @pytest.mark.parametrize("seed", SEEDS)
    def test_lost_answers_are_no_fall_in_replies(self, seed, line):
        world = self.lost(seed, 38.2, 40.9)
        (naive,) = world.explain()
        (e,) = with_gaps(world, (line, 38.2, 40.9))
        assert share(naive, "unexplained") < 0.5
        assert not noted(naive, "lost")
        assert whole(e).drivers[0].driver == "unexplained"
        assert share(e, "engagement") + share(e, "deliverability") < 0.25
        assert noted(
            e, "Deliveries were probably lost in a time of the week before (3 days in all, the last from 8 Apr 04:48)"
        )

    @pytest.mark.parametrize("seed", SEEDS)
    @pytest.mark.parametrize(("a", "b"), [(38.2, 39.2), (39.5, 39.7), (25.3, 26.3)])
    def test_around_an_outage_answers_are_neither_missing_nor_too_many(self, seed, a, b):
        """What came until it began is held against what comes until then: asks that were answered in time do not count alone."""
        world = self.lost(seed, a, b, asks=200, chats=900)
        rows = [(None, world.at(a), world.at(b), 50.0, 0.01)]
        told = pl.DataFrame(rows, schema=GAPS, orient="row")
        found = measure(*world.frames(), as_of=LATER, settings=Settings(), gaps=told)
        window = next(iter(found.cases.values())).effects.window
        assert window.expected.sum() > 400
        assert window.replied.sum() / window.expected.sum() == pytest.approx(1, abs=0.07)

    def test_several_outages_are_counted_and_only_those_of_the_week(self):
        (e,) = with_gaps(World(1).steady().turn("+1", T), (None, 20, 21), ("+1", 37, 37.5), (None, 39, 39.25), ("+2", 40, 41))  # fmt: skip
        assert noted(e, "lost in 2 times of the week before (18 hours in all, the last from 9 Apr 00:00)")
        (e,) = with_gaps(World(1).steady().turn("+1", T), (None, 20, 21), ("+1", T + 1, T + 2))
        assert not noted(e, "lost")

    def test_an_outage_that_goes_on_at_the_change_is_told_up_to_it(self):
        (e,) = with_gaps(World(1).steady().turn("+1", T), ("+1", T - 0.25, None))
        assert noted(whole(e), "lost in a time of the week before (6 hours in all, the last from 10 Apr 20:24)")

    @pytest.mark.parametrize("seed", SEEDS)
    def test_a_real_fall_after_an_outage_is_still_found(self, seed):
        world = self.lost(seed, 36.2, 36.9, change=fall(since=38))
        (e,) = with_gaps(world, (None, 36.2, 36.9))
        assert whole(e).drivers[0].driver == "engagement"
        assert noted(e, "lost in a time of the week before")

    @pytest.mark.parametrize("seed", SEEDS)
    def test_an_outage_in_the_usual_days_does_not_make_the_usual_worse(self, seed):
        world = self.lost(seed, 20.2, 24.9, change=fall(since=38))
        told, naive = with_gaps(world, (None, 20.2, 24.9))[0], world.explain()[0]
        assert whole(told).drivers[0].driver == "engagement"
        assert told.drivers[0].evidence["usual"] > naive.drivers[0].evidence["usual"]

    def test_reports_missed_in_an_outage_are_said(self):
        world = World(1).steady().turn("+1", 30).turn("+1", T, "AT_RISK", "HEALTHY", missed=True)
        *_, e = with_gaps(world, (None, 35, 36))
        assert noted(whole(e), "A change before this one was not reported to us")

    def test_a_store_that_missed_a_day_says_so_by_itself(self, store, tmp_path):
        """Nobody tells of the gap: it is found in the events, and the explanation carries it."""
        world = World(1)
        for line in ("+14155550101", "+14155550102"):
            world.steady(line, days=44, asks=120, chats=200)
        start, end = world.at(39.3), world.at(40.6)
        world.messages = [m for m in world.messages if not start < m["at"] < end]
        world.turn("+14155550101", T)
        tables = {
            "messages.csv": [
                {"message_id": m["message_id"], "line": m["line"], "chat_id": m["chat_id"], "direction": m["direction"],
                 "sent_at": m["at"].isoformat() + "Z", "delivered_at": m["delivered_at"] and m["delivered_at"].isoformat() + "Z"}
                for m in world.messages
            ],
            "transitions.csv": [
                {"line": t["line"], "changed_at": t["at"].isoformat() + "Z", "previous_health": t["previous"], "new_health": t["new"]}
                for t in world.transitions
            ],
        }  # fmt: skip
        for name, rows in tables.items():
            with (tmp_path / name).open("w", newline="") as out:
                writer = csv.DictWriter(out, rows[0])
                writer.writeheader()
                writer.writerows(rows)
            pipeline.load(tmp_path / name, store=store)
        (e,) = pipeline.explanations(store)
        assert noted(whole(e), "Deliveries were probably lost in a time of the week before (")
        assert share(e, "engagement") < 0.25


class TestTime:
    def test_four_times_the_lines_take_about_four_times_as_long(self):
        def seconds(lines):
            world = World(1)
            for i in range(lines):
                world.steady(f"+{i}", days=34, asks=12, change=fall(since=30) if i % 2 else None).turn(f"+{i}", 33)
            frames, took = world.frames(), []
            for _ in range(2 if lines == 10 else 1):
                start = time.process_time()
                assert len(explain(*frames, as_of=LATER, settings=Settings())) == lines
                took.append(time.process_time() - start)
            return min(took)

        assert seconds(40) < 3 * 4 * seconds(10)

    def test_twice_the_history_takes_about_twice_as_long(self):
        def seconds(days):
            world = World(1).steady(days=days, asks=60).turn("+1", days - 1)
            frames, took = world.frames(), []
            for _ in range(2 if days == 50 else 1):
                start = time.process_time()
                explain(*frames, as_of=world.at(days) + timedelta(days=1), settings=Settings())
                took.append(time.process_time() - start)
            return min(took)

        assert seconds(200) < 3 * 4 * seconds(50)


def test_the_onset_of_a_short_history_lies_within_it():
    """A line with ten days of history, of which the last four are a fall: nothing before its first message is claimed."""
    for seed in THREE:
        world = World(seed).steady(days=12, first=0, change=fall(since=8)).turn("+1", 11.9)
        (e,) = world.explain()
        assert whole(e).onset is None or 0 <= day_of(e.onset_earliest) <= day_of(e.onset) <= 11.9
