"""A large fleet's histories and cases are not all in memory: what is read again, or measured again, is the same."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from analysis.explain.cases import Cases
from analysis.explain.histories import histories
from analysis.explain.receipts import NO_SILENCE, Silent
from analysis.explain.running import NEVER
from analysis.explain.shelf import Shelf, firsts_of
from analysis.settings import Settings
from tests.explain.builders import World
from tests.explain.measuring import measured

LINES = ("+1", "+2", "+3")


@pytest.fixture
def world():
    made = World()
    for number, line in enumerate(LINES):
        made.steady(line, days=30, chats=8, asks=12, new=2)
        made.turn(line, 25 + number).turn(line, 28 + number / 4, "HEALTHY", "AT_RISK")
    return made


@pytest.fixture
def known(world):
    messages, chats, chat_health, *_ = world.frames()
    return histories(messages, chats, chat_health, Settings())


def shelf_of(known, folder, most):
    found = Shelf(folder, most)
    for line in reversed(known):
        found.put(known[line])
    return found


@pytest.mark.parametrize("most", [1, 10_000])
def test_a_history_is_the_same_from_disk_and_from_memory(known, tmp_path, most):
    shelf = shelf_of(known, tmp_path, most)
    assert list(shelf) == list(LINES)
    assert shelf.firsts() == firsts_of(known)
    for line in (*LINES, *LINES):
        one, other = known[line], shelf[line]
        assert (one.line, one.messages, one.first_at, one.chats) == (
            other.line,
            other.messages,
            other.first_at,
            other.chats,
        )
        for name in ("first", "last", "reply_at", "kind", "streak", "recent", "send_at"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        span = [(float(one.first_at), float(one.last[-1]))]
        assert one.sums.over(span) == other.sums.over(span)
        assert one.rows.of_chat(f"{line}-c1") == other.rows.of_chat(f"{line}-c1") != []
        assert one.rows.sends_in(0, int(one.last[-1])) == other.rows.sends_in(0, int(one.last[-1]))
    assert bool(list(tmp_path.glob("*.history"))) == (most == 1)


def test_a_history_is_written_once_and_what_is_made_of_it_again_is_the_same(known, tmp_path):
    shelf = shelf_of(known, tmp_path, 1)
    assert shelf["+2"] is not shelf["+3"]  # both are let go of
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.history")}
    peaks = shelf["+2"].peaks
    assert shelf["+1"] is not shelf["+3"]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.history")} == before
    assert shelf["+2"].peaks["new"].sums.tolist() == peaks["new"].sums.tolist()


def test_another_process_reads_what_was_put_away_with_the_receipts_that_were_lost(known, tmp_path, monkeypatch):
    shelf, two = shelf_of(known, tmp_path, 10_000_000), known["+2"]
    lost = {"+2": (two.rows.sent[[3, 40]], np.array([7, 8]))}
    monkeypatch.setattr(Silent, "lost", lambda *_: (two.rows.sent[:0], two.rows.sent[:0]))
    shelf.lost_by("counts of all")
    shelf._lost |= lost
    shelf.put_away()
    other = pickle.loads(pickle.dumps(shelf))
    assert len(pickle.dumps(shelf)) < 3_000  # where they are, not what they are
    assert (list(other), other.firsts(), other.largest) == (list(LINES), shelf.firsts(), shelf.largest)
    for line in ("+2", "+1", "+2"):
        of = other[line]
        assert of.rows.of_chat(f"{line}-c1") == shelf[line].rows.of_chat(f"{line}-c1") != []
        assert sorted(of.lost[of.lost < NEVER].tolist()) == ([7, 8] if line == "+2" else [])
    assert len(list(tmp_path.glob("*.history"))) == 3


def test_who_asks_whether_a_line_is_there_reads_none(known, tmp_path):
    shelf = shelf_of(known, tmp_path, 1)
    for path in tmp_path.glob("*.history"):
        path.unlink()
    assert all(line in shelf for line in LINES)
    assert "+9" not in shelf
    with pytest.raises(FileNotFoundError):
        shelf["+2"]


def test_cases_of_one_line_at_a_time_are_those_of_all(world):
    found = measured(world)
    every, told = found.cases.maps[0], []
    assert len(every) == 6
    one = Cases(
        every, every._known, found.troubles, every._fleet, Settings(), most=1, progress=lambda *at: told.append(at)
    )
    for change in (*every, *reversed(list(every))):  # in order of time: another line each time
        assert one[change].effects.x == every[change].effects.x
        assert one[change].spans == every[change].spans
    assert [done for done, _ in told] == list(range(6))
    with pytest.raises(KeyError):
        one[replace(found.changes[0], line="+9")]


def test_a_large_line_finds_room(known, tmp_path):
    shelf = shelf_of(known, tmp_path, 10_000_000)
    assert not list(tmp_path.glob("*.history"))
    shelf.make_room(10_000_000 - known["+1"].messages)
    assert len(list(tmp_path.glob("*.history"))) == 2  # the one put last is held still
    shelf.make_room(20_000_000)
    assert len(list(tmp_path.glob("*.history"))) == 3
    assert shelf["+2"].rows.of_chat("+2-c1") == known["+2"].rows.of_chat("+2-c1")


@pytest.mark.parametrize("most", [1, 10_000_000])
def test_receipts_that_were_lost_are_known_of_what_is_held_and_of_what_is_read(known, tmp_path, monkeypatch, most):
    two = known["+2"].rows
    lost = (two.sent[[3, 40, 41]], np.array([7, 8, 9]))
    known["+2"].silent = NO_SILENCE._replace(at=np.array([123]))
    shelf, asked = shelf_of(known, tmp_path, most), []

    def of(silent, counts):
        asked.append(counts)
        return lost if silent.at.tolist() == [123] else (lost[0][:0], lost[1][:0])

    monkeypatch.setattr(Silent, "lost", of)
    shelf.lost_by("counts of all")
    for line in ("+1", "+2", "+3", "+2", "+1"):
        of = shelf[line]
        assert sorted(of.lost[of.lost < NEVER].tolist()) == ([7, 8, 9] if line == "+2" else [])
        told = [row.lost for row in of.rows.sends_in(0, int(of.last.max()))]
        assert [at for at in told if at] == ([7, 8, 9] if line == "+2" else [])
        (service,) = of.services
        span = [(float(of.first[0]), float(of.last[-1]) + 1)]
        assert of.sums.over(span)["told", service] == len(of.first) - (3 if line == "+2" else 0)
    assert asked == ["counts of all"] * 3  # once a line
    of.mark(*lost)
    of.mark(lost[0][:0], lost[1][:0])  # in place of what was marked before
    assert of.lost.tolist() == [NEVER] * len(of.first)
    assert not any(row.lost for row in of.rows.sends_in(0, int(of.last.max())))
