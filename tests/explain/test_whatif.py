"""What-if: what is left out equals a slow recount, the pressure only falls, and it is said as what a model shows."""

import json
import re
from datetime import timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest

from analysis import pipeline
from analysis.errors import UsageError
from analysis.explain.whatif import altered, effects_without, scenario_of
from analysis.settings import Settings
from analysis.signals import panel
from tests.explain.builders import World
from tests.explain.measuring import case_of
from tests.explain.planted import CAUSES, T, burst, fall, nagging, nothing, opt_outs, up_to
from tests.explain.recount import DAY, asks_of, left_out, opted_out
from tests.explain.stores import stored
from tests.sweep import EVERY, SEEDS

HELPS = {
    "new_conversations": "remove_burst",
    "recipient_spread": "hold_pace",
    "loop": "hold_pace",
    "follow-ups": "stop_follow_ups",
    "opt_outs": "honour_opt_outs",
}
RULES = [
    {"what": "remove_burst", "a_day": 3},
    {"what": "remove_burst", "a_day": 8},
    {"what": "hold_pace", "a_day": 20},
    {"what": "hold_pace", "a_day": 40},
    {"what": "stop_follow_ups", "turns": 1},
    {"what": "stop_follow_ups", "turns": 2},
    {"what": "honour_opt_outs"},
]


@cache
def once(cause, seed):
    (e,) = {**CAUSES, "nothing": nothing, "mixed": mixed}[cause](seed).explain()
    return e


def mixed(seed):
    """A line with a burst, a blast, a loop, late follow-ups, sends after opt-outs and double texts, some of them answered."""
    world = World(seed).steady().burst("+1", 39.4, 40, reply=0.5).burst("+1", 40.2, 120, new=False, hours=5, reply=0.4)
    world.burst("+1", 38.4, 40, new=False, hours=1, reply=0, chats=1)
    for i in range(60):  # up to four texts within minutes, answered or not
        at = 36 + i / 12
        for k in range(1 + i % 4):
            world.message("+1", f"+1-c{i}", at + k * 0.004)
        if i % 3:
            world.message("+1", f"+1-c{i}", at + 0.1, "inbound")
            world.message("+1", f"+1-c{i}", at + 0.11, "inbound")
    for i in range(10):
        world.opt_out(f"+1-c{50 + i}", 37 + i / 5)
    for i in range(40):  # new chats that are followed up on
        world.message("+1", f"+1-b{i}", 40 + i / 100)
    return world.turn("+1", T)


def without(world, rule, day=T):
    """The ids of the messages up to a change that the product keeps, and all of them."""
    messages, chats, health, _, _ = world.frames()
    known = messages.filter(pl.col("at") <= world.at(day)).sort("line", "chat_id", "at", "message_id")
    since, until = (at.isoformat(timespec="milliseconds") + "Z" for at in (world.at(day) - 7 * DAY, world.at(day)))
    kept = altered(known, chats, health, scenario_of({**rule, "since": since, "until": until}), Settings())
    return kept, known


class TestWhatIsLeftOut:
    @pytest.mark.parametrize("rule", RULES, ids=lambda r: "-".join(str(v) for v in r.values()))
    @pytest.mark.parametrize("seed", SEEDS)
    def test_equals_a_recount(self, seed, rule):
        world = mixed(seed)
        kept, known = without(world, rule)
        gone = set(known["message_id"]) - set(kept["message_id"])
        assert gone == left_out(world, rule, T)
        assert len(gone) > 10
        assert kept.equals(known.filter(pl.col("message_id").is_in(list(gone)).not_()))

    @pytest.mark.parametrize("cause", [*HELPS, "mixed"])
    @pytest.mark.parametrize("seed", SEEDS)
    def test_the_number_told_is_that_of_the_sends_left_out(self, seed, cause):
        world, e = {**CAUSES, "mixed": mixed}[cause](seed), once(cause, seed)
        outbound = {m["message_id"] for m in world.messages if m["direction"] == "outbound"}
        assert e.what_if
        assert cause != "mixed" or "remove_burst" in {told["what"] for told in e.what_if}
        for told in e.what_if:
            n = len(left_out(world, told, T) & outbound)
            assert told["sends"] == n
            assert f"({n:,} sends fewer)" in told["text"] or n == 1

    def test_of_a_hand_made_line(self):
        """One chat each: a burst that is answered, a follow-up after two, a send after an opt-out."""
        world = World(1)
        for day in range(31):
            world.message("+1", "+1-old", day + 0.5, "inbound")
            world.message("+1", "+1-old", day + 0.51)
        ids = []

        def message(*args):
            world.message("+1", *args)
            ids.append(world.messages[-1]["message_id"])
            return ids[-1]

        first, second = message("+1-x", 30.1), message("+1-y", 30.2)
        reply, more = message("+1-y", 30.3, "inbound"), message("+1-y", 30.4)
        once_, twice, thrice = (message("+1-z", day) for day in (30.1, 30.3, 30.6))
        late, again = message("+1-z", 30.7, "inbound"), message("+1-z", 30.75)
        world.opt_out("+1-old", 30.505)
        (old,) = [m["message_id"] for m in world.messages if m["chat_id"] == "+1-old" and m["at"] == world.at(30.51)]

        def gone(rule):
            kept, known = without(world, rule, 31)
            return set(known["message_id"]) - set(kept["message_id"])

        # the first of x and z is kept, whichever comes first by name; y goes whole: its opener, the reply and what followed
        assert gone({"what": "remove_burst", "a_day": 2}) == {second, reply, more}
        assert gone({"what": "stop_follow_ups", "turns": 2}) == {thrice, late}
        assert gone({"what": "stop_follow_ups", "turns": 1}) == {twice, thrice, late}
        assert gone({"what": "honour_opt_outs"}) == {old}
        assert not {first, once_, again} & (gone({"what": "stop_follow_ups", "turns": 1}))

    @pytest.mark.parametrize("rule", RULES, ids=lambda r: "-".join(str(v) for v in r.values()))
    def test_no_reply_is_left_that_answers_nothing(self, rule):
        """A person's answer goes with the send it answers: replies to what is kept stay, all others of it go."""
        world = mixed(4)
        kept, known = without(world, rule)
        ids = set(kept["message_id"])
        for ask in asks_of(world, until=T):
            there = {i in ids for i in ask.ids}
            assert len(there) == 1
            assert all((i in ids) == there.copy().pop() for i in ask.answer_ids) or rule["what"] == "remove_burst"
        assert (
            known.filter(pl.col("at") <= world.at(T - 7)).height == kept.filter(pl.col("at") <= world.at(T - 7)).height
        )

    @pytest.mark.parametrize("seed", SEEDS)
    def test_sends_kept_are_within_the_rule(self, seed):
        world = mixed(seed)
        kept, _ = without(world, {"what": "honour_opt_outs"})
        for row in kept.filter(pl.col("direction") == "outbound", pl.col("at") > world.at(T - 7)).iter_rows(named=True):
            assert not opted_out(world, row["chat_id"], row["at"])
        kept, _ = without(world, {"what": "remove_burst", "a_day": 3})
        ids = set(kept["message_id"])
        times = [a.first for a in asks_of(world, until=T) if a.kind == "new" and a.ids[0] in ids]
        times = [at for at in times if at > world.at(T - 7)]
        assert max(sum(at - DAY < other <= at for other in times) for at in times) == 3


class TestPressure:
    @pytest.mark.parametrize("cause", [*CAUSES, "nothing"])
    @pytest.mark.parametrize("seed", SEEDS)
    def test_never_rises_and_has_a_range(self, seed, cause):
        e = once(cause, seed)
        after = [told["pressure_after"] for told in e.what_if]
        assert after == sorted(after)
        for told in e.what_if:
            assert 0 <= told["pressure_after_low"] <= told["pressure_after"] <= told["pressure_after_high"]
            assert told["pressure_after"] < told["pressure_before"]

    @pytest.mark.parametrize("cause", [*CAUSES, "mixed"])
    def test_no_effect_grows_whatever_is_left_out(self, cause):
        case = case_of({**CAUSES, "mixed": mixed}[cause](1))
        before, n = case.effects, len(case.effects.window)
        rng = np.random.default_rng(1)
        for part in (0.0, 0.1, 0.5, 0.9, 1.0):
            after = effects_without(case, rng.random(n) < part)
            assert all(after.x[d] <= before.x[d] for d in after.x)
            assert all(after.amount[d] <= before.amount[d] for d in after.amount)
            assert part > 0 or after.x == {d: before.x[d] for d in after.x}

    @pytest.mark.parametrize("cause", HELPS)
    @pytest.mark.parametrize("seed", [*SEEDS, 4])
    def test_falls_most_without_the_planted_cause(self, seed, cause):
        first = once(cause, seed).what_if[0]
        assert first["what"] == HELPS[cause]
        eased = 1 - first["pressure_after"] / first["pressure_before"]
        assert eased > 0.6

    @pytest.mark.parametrize("cause", HELPS)
    @pytest.mark.parametrize("seed", [*SEEDS, 4])
    def test_falls_little_without_something_else(self, seed, cause):
        """Beside the planted cause: only what holds part of the same sends eases anything."""
        first, *rest = once(cause, seed).what_if
        shares_sends = {
            ("recipient_spread", "stop_follow_ups"),
            ("opt_outs", "stop_follow_ups"),
            ("loop", "stop_follow_ups"),
        }
        for told in rest:
            eased = 1 - told["pressure_after"] / told["pressure_before"]
            assert eased < 0.15 or (cause, told["what"]) in shares_sends
            assert told["pressure_after"] >= first["pressure_after"]

    @pytest.mark.parametrize("seed", SEEDS)
    def test_of_a_line_within_its_usual_has_no_what_if(self, seed):
        (e,) = World(seed).steady(reply=0.9).turn("+1", T).explain()
        assert [told["what"] for told in e.what_if] == []

    @pytest.mark.parametrize("seed", SEEDS)
    def test_failures_are_not_eased_by_opening_fewer_chats_or_sending_less(self, seed):
        for told in once("deliverability", seed).what_if:
            assert told["pressure_after"] > 0.75 * told["pressure_before"]


@pytest.mark.parametrize("cause", [*CAUSES, "nothing"])
@pytest.mark.parametrize("seed", SEEDS)
def test_it_is_said_as_what_a_model_shows(seed, cause):
    for told in once(cause, seed).what_if:
        text = told["text"]
        assert "in this model: pressure " in text
        assert "would have" not in text
        said = re.search(r"pressure (\S+) times the ordinary \((\S+) to (\S+)\) instead of (\S+)\.$", text)
        fields = ("pressure_after", "pressure_after_low", "pressure_after_high", "pressure_before")
        for word, field in zip(said.groups(), fields, strict=True):
            assert float(word) == pytest.approx(told[field], abs=0.06 if told[field] < 9.9 else 0.51)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Two lines of a store: one with a burst, one with follow-ups and opt-outs and a recovery; and their worlds."""
    patch = pytest.MonkeyPatch()
    patch.setenv("LINEHEALTH_KEY", "a key that only the tests use")
    folder = tmp_path_factory.mktemp("what-if")
    found = {}
    for name, plant in (("burst", burst), ("nagging", nagging), ("opt_outs", opt_outs)):
        world = plant(1)
        found[name] = (stored(world, folder / name), world)
    patch.undo()
    return found


class TestOnAStore:
    @pytest.mark.parametrize("name", ["burst", "nagging", "opt_outs"])
    def test_changed_signals_are_those_of_the_altered_messages(self, stores, name):
        store, world = stores[name]
        found = pipeline.what_if(store, line="+1")
        assert found
        messages, chats, health, spells, _ = world.frames()
        known = messages.filter(pl.col("at") <= world.at(T))
        seen = health.filter(pl.col("at") <= world.at(T))

        def week(kept):
            frame = panel.signals(kept, chats, seen, spells, as_of=world.at(T), settings=Settings())
            return frame.filter(pl.col("day") > world.at(T - 7).date())

        before = week(known)
        for told in found:
            gone = left_out(world, told, T)
            after = week(known.filter(pl.col("message_id").is_in(list(gone)).not_()))
            rows = {row["signal"]: (row["before"], row["after"]) for row in told["signals"]}
            for signal in (
                "outbound",
                "inbound",
                "mature",
                "replied",
                "new_conversations",
                "unanswered_turns",
                "sends_after_opt_out",
                "failed",
            ):
                pair = (before[signal].sum(), after[signal].sum())
                assert rows.get(signal, (pair[0], pair[0])) == pair
            for signal in ("peak_new_1h", "peak_recipients_1h", "peak_sends_60s"):
                pair = (before[signal].max(), after[signal].max())
                assert rows.get(signal, (pair[0], pair[0])) == pair
            rates = tuple(round(f["replied"].sum() / f["mature"].sum(), 4) for f in (before, after))
            assert rows.get("reply_rate", (rates[0], rates[0])) == rates
            assert all(a != b for a, b in rows.values())

    def test_by_hand_a_line_without_its_burst_opens_what_is_left(self, stores):
        store, world = stores["burst"]
        told = pipeline.what_if(store, line="+1")[0]
        rows = {row["signal"]: row for row in told["signals"]}
        new = [a for a in asks_of(world, until=T) if a.kind == "new" and a.first.date() >= world.at(T - 6).date()]
        gone = left_out(world, told, T)
        assert rows["new_conversations"]["before"] == len(new)
        assert rows["new_conversations"]["after"] == sum(a.ids[0] not in gone for a in new)
        assert rows["peak_new_1h"]["after"] < rows["peak_new_1h"]["before"]

    @pytest.mark.parametrize("zone", ["America/Los_Angeles", *(["UTC", "Asia/Tokyo"] if EVERY else [])])
    def test_the_same_days_are_compared_where_all_of_the_last_one_is_left_out(self, tmp_path, zone):
        world = World(1).steady(days=40.25)
        for i in range(160):
            world.message("+1", f"+1-z{i % 40}", (30, 39.6, 40.1, 41.02)[i // 40] + i / 4000)
        world.messages = [m for m in world.messages if m["direction"] == "outbound" or m["at"] < world.at(40.25)]
        world.turn("+1", T)
        store = stored(world, tmp_path / "s")
        pipeline.set_setting("timezone", zone, store=store)
        (told,) = [row for row in pipeline.what_if(store, line="+1") if row["what"] == "stop_follow_ups"]
        rows = {row["signal"]: row for row in told["signals"]}
        gone = left_out(world, told, T)
        zero = timedelta(hours={"UTC": 0, "America/Los_Angeles": -7, "Asia/Tokyo": 9}[zone])
        first = (world.at(T) + zero).replace(hour=0, minute=0, second=0, microsecond=0) - 6 * DAY - zero
        sent = {
            m["message_id"] for m in world.messages if m["direction"] == "outbound" and first <= m["at"] <= world.at(T)
        }
        assert rows["outbound"]["before"] == len(sent)
        assert rows["outbound"]["after"] == len(sent - gone)
        assert max(m["at"] for m in world.messages if m["message_id"] not in gone) < world.at(40.25)

    def test_equals_the_explanation_kept_in_the_store(self, stores):
        store, _ = stores["nagging"]
        (e,) = pipeline.explanations(store, line="+1")
        told = pipeline.what_if(store, line="+1", at=e.at)
        assert [{k: v for k, v in row.items() if k not in ("line", "at", "signals")} for row in told] == e.what_if
        assert {(row["line"], row["at"]) for row in told} == {("+1", e.at)}

    def test_a_line_without_worsening_is_an_error(self, stores):
        store, _ = stores["burst"]
        with pytest.raises(UsageError, match="no worsening of this line here; `linehealth explain` lists them"):
            pipeline.what_if(store, line="+2")
        with pytest.raises(UsageError, match="no worsening"):
            pipeline.what_if(store, line="+1", at="2026-03-02")

    def test_a_recovery_is_no_worsening(self, tmp_path):
        world = fall(1).turn("+1", 44, "HEALTHY", "AT_RISK")
        store = stored(world, tmp_path / "s")
        (told,) = {row["at"] for row in pipeline.what_if(store, line="+1")}
        assert told == "2026-04-11T02:24:00.000Z"
        with pytest.raises(UsageError, match="no worsening"):
            pipeline.what_if(store, line="+1", at="2026-04-14T00:00:00Z")


class TestCommand:
    def test_prints_each_scenario_with_its_signals(self, stores, command):
        store, _ = stores["burst"]
        code, out, _ = command("what-if", "--line", "+1", "--store", store)
        assert code == 0
        for told in pipeline.what_if(store, line="+1"):
            assert told["text"] in out
        assert "new conversations" in out
        assert " → " in out

    def test_json_is_what_python_gets(self, stores, command):
        store, _ = stores["burst"]
        _, out, _ = command("what-if", "--line", "+1", "--store", store, "--json")
        assert json.loads(out) == pipeline.what_if(store, line="+1")

    @pytest.mark.parametrize(
        ("words", "says"),
        [
            (["--line", "+2"], "no worsening of this line here"),
            (["--line", "+1", "--at", "2026-03-02"], "no worsening of this line here"),
            (["--line", "+1", "--at", "soon"], "not a date or time"),
            ([], "Missing option '--line'"),
        ],
    )
    def test_errors_are_a_sentence(self, stores, command, words, says):
        code, out, told = command("what-if", *words, "--store", stores["burst"][0])
        assert (code, out) == (2, "")
        assert says in told
        assert len(told.strip().splitlines()) == 1

    def test_says_so_where_nothing_can_be_left_out(self, tmp_path, command):
        store = stored(up_to(World(2).steady(reply=0.9)).turn("+1", T), tmp_path / "s")
        code, out, _ = command("what-if", "--line", "+1", "--store", store)
        assert (code, "nothing to leave out" in out) == (0, True)
