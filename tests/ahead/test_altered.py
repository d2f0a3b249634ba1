"""Messages altered by a rule: nothing lost or made, chats whole, delays kept, and the rule holds by a recount."""

from collections import Counter
from datetime import UTC, timedelta

import polars as pl
import pytest

from analysis.ahead.altered import DAY, TIMES, Rule, altered, opened_in
from analysis.settings import Settings
from analysis.signals import panel
from tests import oracles
from tests.explain.builders import World

LINE, OTHER = "+14155550101", "+14155550102"
SETTINGS = Settings()


def world(burst: float = 20.2, n: int = 60) -> World:
    """A line with a burst of openers on day 20, and a quiet second line."""
    made = World(5).steady(LINE, days=35, chats=30, asks=12, new=4).steady(OTHER, days=35, chats=20, asks=6, new=2)
    return made.burst(LINE, burst, n, hours=8, reply=0.3)


def asked(made: World, rule: Rule, *, first: float = 20, days: float = 7, seed: int | None = None, settings=SETTINGS):
    frames = made.frames()[:3]
    since = made.at(first)
    of = {"line": LINE, "since": since, "until": since + days * DAY, "settings": settings}
    return frames, altered(*frames, rule, **of, seed=seed)


def times(messages: pl.DataFrame) -> dict[str, tuple]:
    return {row[0]: row[1:] for row in messages.select("message_id", "line", "chat_id", *TIMES).iter_rows()}


MOVES = [Rule("spread", 7), Rule("spread", 3), Rule("cap", 6), Rule("over_lines", lines=(OTHER,))]


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("rule", MOVES, ids=lambda r: f"{r.what}{r.number}")
def test_no_message_is_lost_or_made_and_a_chat_moves_whole_with_its_delays(rule, seed):
    (messages, _, _), found = asked(world(), rule, seed=seed)
    before, after = times(messages), times(found.messages)
    assert before.keys() == after.keys()
    moved = {row[0]: (row[2] - row[1], row[3]) for row in found.moved.iter_rows()}
    assert moved
    for message, (line, chat, *stamps) in before.items():
        shift, to = moved.get(chat, (timedelta(0), line))
        assert after[message] == (to, chat, *(at and at + shift for at in stamps))
        assert shift >= timedelta(0)
        assert shift % DAY == timedelta(0)


def test_only_new_conversations_of_the_period_are_moved():
    (messages, chats, _), found = asked(world(), Rule("over_lines", lines=(OTHER,)))
    new = opened_in(messages, chats, line=LINE, settings=SETTINGS)
    inside = new.filter(pl.col("at") >= world().at(20), pl.col("at") < world().at(27))
    assert found.opened == inside.height
    assert set(found.moved["chat_id"]) <= set(inside["chat_id"])
    assert abs(found.moved.height - inside.height / 2) <= 0.5


def test_a_burst_on_the_first_day_is_spread_evenly():
    made = World(1).burst(LINE, 0.1, 5, hours=1, name="early").burst(LINE, 20.1, 59, hours=6)
    _, found = asked(made, Rule("spread", 7))
    new = opened_in(found.messages, made.frames()[1], line=LINE, settings=SETTINGS)
    by_day = Counter((at - made.at(20)) // DAY for at in new["at"] if at >= made.at(20))
    assert sorted(by_day) == list(range(7))
    assert max(by_day.values()) - min(by_day.values()) == 1


def test_a_burst_late_in_the_period_goes_on_at_the_even_pace_and_never_before_its_time():
    made = World(1).burst(LINE, 0.1, 5, hours=1, name="early").burst(LINE, 25.1, 70, hours=6)
    _, found = asked(made, Rule("spread", 7))
    new = opened_in(found.messages, made.frames()[1], line=LINE, settings=SETTINGS)
    by_day = Counter((at - made.at(20)) // DAY for at in new["at"] if at >= made.at(20))
    assert dict(by_day) == dict.fromkeys(range(5, 12), 10)


@pytest.mark.parametrize("seed", [None, 4])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_a_cap_holds_on_every_day_by_a_recount(zone, seed):
    settings = Settings(timezone=zone)
    made = world(n=80)
    _, found = asked(made, Rule("cap", 7), seed=seed, settings=settings)
    mine = [m for m in found.messages.iter_rows(named=True) if m["line"] == LINE]
    first: dict[str, dict] = {}
    for m in sorted(mine, key=lambda m: (m["at"], m["direction"] == "inbound")):
        first.setdefault(m["chat_id"], m)
    local = lambda at: at.replace(tzinfo=UTC).astimezone(settings.zone).date()  # noqa: E731
    by_day = Counter(local(m["at"]) for m in first.values() if m["direction"] == "outbound")
    begin = local(made.at(20))
    late = {day: n for day, n in by_day.items() if day > begin}
    still = Counter(local(at) for at in untouched(made))
    assert all(n <= max(7, still[day]) for day, n in late.items())
    assert sum(n == 7 for n in late.values()) >= 8


def untouched(made: World) -> list:
    """Openers outside the period: they stay, however many a day has."""
    messages, chats, *_ = made.frames()
    new = opened_in(messages, chats, line=LINE, settings=SETTINGS)
    return new.filter((pl.col("at") < made.at(20)) | (pl.col("at") >= made.at(27)))["at"].to_list()


@pytest.mark.parametrize("seed", [None, 2])
def test_nobody_waits_while_his_day_has_room(seed):
    made = world(burst=22.2)
    (_, chats, _), found = asked(made, Rule("spread", 7), seed=seed)
    new = opened_in(found.messages, chats, line=LINE, settings=SETTINGS)
    moved = set(found.moved["chat_id"])
    inside = [(at, chat) for at, chat in new.iter_rows() if at >= made.at(20) and (at < made.at(27) or chat in moved)]
    by_day = Counter((at - made.at(20)) // DAY for at, _ in inside)
    part = found.opened / 7
    waited = {day for row in found.moved.iter_rows(named=True) for day in range((row["from_at"] - made.at(20)) // DAY, (row["to_at"] - made.at(20)) // DAY)}  # fmt: skip
    assert len(waited) > 2
    assert all(abs(by_day[day] - part) < 1 for day in waited)
    assert max(by_day.values()) < part + 1


def test_reports_of_a_moved_chats_health_move_with_it():
    made = world().opt_out(f"{LINE}-b59", 21.0)
    _, found = asked(made, Rule("spread", 7))
    row = found.moved.filter(pl.col("chat_id") == f"{LINE}-b59").row(0, named=True)
    assert found.chat_health["at"].to_list() == [made.at(21.0) + (row["to_at"] - row["from_at"])]


def follow_ups(*steps: tuple[float, str]) -> World:
    """One chat of sends and messages received at hours after day 20."""
    made = World(1)
    for hour, way in steps:
        made.message(LINE, "c", 20 + hour / 24, "outbound" if way == "out" else "inbound")
    return made


def kept(made: World, number: int = 2) -> tuple[list[float], int, int]:
    _, found = asked(made, Rule("stop_after", number))
    hours = [round((at - made.at(20)) / timedelta(hours=1), 2) for at in found.messages["at"]]
    return hours, found.left_out, found.replies_left_out


def test_the_third_unanswered_turn_and_later_ones_are_left_out():
    steps = [(1, "out"), (30, "out"), (60, "out"), (60.05, "out"), (90, "out")]
    assert kept(follow_ups(*steps)) == ([1, 30], 3, 0)


def test_sends_minutes_apart_are_one_turn_and_an_answer_begins_a_new_count():
    steps = [(1, "out"), (1.05, "out"), (20, "out"), (21, "in"), (22, "out"), (50, "out"), (80, "out")]
    assert kept(follow_ups(*steps)) == ([1, 1.05, 20, 21, 22, 50], 1, 0)


def test_who_answered_a_send_left_out_is_not_heard_but_who_wrote_later_by_himself_is():
    steps = [(1, "out"), (30, "out"), (60, "out"), (61, "in"), (62, "out"), (63, "in"), (100, "in"), (101, "out")]
    assert kept(follow_ups(*steps)) == ([1, 30, 100, 101], 2, 2)


def test_no_late_turn_is_left_in_the_period_by_a_recount():
    made = World(3).steady(LINE, days=35, chats=25, asks=14, reply=0.2)
    (messages, chats, health), found = asked(made, Rule("stop_after", 2))
    assert found.left_out > 20
    day = pl.col("day").is_between(made.at(20).date(), made.at(26).date())
    count = lambda frame: int(signals(frame, chats, health, made).filter(day)["unanswered_turns"].sum())  # noqa: E731
    assert count(messages) > 20
    assert count(found.messages) == 0


def signals(messages, chats, health, made, grain="day"):
    return panel.signals(messages, chats, health, made.frames()[3], as_of=made.at(60), settings=SETTINGS, grain=grain)


@pytest.mark.parametrize("rule", [*MOVES, Rule("stop_after", 2)], ids=lambda r: f"{r.what}{r.number}")
def test_signals_of_altered_messages_equal_a_slow_recount(rule):
    made = world()
    _, found = asked(made, rule)
    fast = signals(found.messages, found.chats, found.chat_health, made)
    rows = [
        oracles.Message(*row) for row in found.messages.select("message_id", "line", "chat_id", "direction", "at", "failed").iter_rows()
    ]  # fmt: skip
    slow = oracles.signals(rows, {}, [], as_of=made.at(60))
    assert len(slow) == fast.height
    names = ("outbound", "inbound", "mature", "replied", "new_conversations", "peak_new_24h", "unanswered_turns")
    for row in fast.iter_rows(named=True):
        assert {n: row[n] for n in names} == {n: slow[row["line"], row["day"]].get(n, 0) for n in names}
