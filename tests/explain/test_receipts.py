"""Receipts that are missing on all lines at once were lost; those missing on one line tell of that line."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from analysis.explain.histories import histories
from analysis.explain.receipts import Counts
from analysis.explain.running import NEVER
from analysis.schema import CHAT_HEALTH
from analysis.settings import Settings
from tests.explain.builders import World, share
from tests.explain.recount import ms

T = 41.1
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def fleet(seed, lines=4, **more):
    world = World(seed)
    for i in range(1, lines + 1):
        world.steady(f"+{i}", days=42, **more)
    return world


def without_receipts(world, start, hours, lines=None):
    """Take the receipts of some hours away, on all lines or some."""
    a, b = world.at(start), world.at(start) + hours * HOUR
    for m in world.messages:
        if a <= m["at"] < b and (lines is None or m["line"] in lines):
            m["delivered_at"] = None
    return world


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("hours", [3, 5])
def test_receipts_lost_on_all_lines_are_no_failures_of_one(seed, hours):
    (e,) = without_receipts(fleet(seed), 40.45, hours).turn("+1", T).explain()
    assert share(e, "deliverability") < 0.2
    assert e.drivers[0].driver == "unexplained"
    told = [n for n in e.notes if n.startswith("Receipts were missing on most lines")]
    assert len(told) == 1
    assert "not counted as undelivered" in told[0]


@pytest.mark.parametrize("seed", range(4))
def test_receipts_missing_on_one_line_are_its_failures(seed):
    (e,) = without_receipts(fleet(seed), 40.45, 5, lines=["+1"]).turn("+1", T).explain()
    assert e.drivers[0].driver == "deliverability"
    assert e.drivers[0].evidence["without_receipt"] > 5
    assert not [n for n in e.notes if n.startswith("Receipts were missing")]


def test_of_one_line_alone_nobody_can_say_that_receipts_were_lost():
    (e,) = without_receipts(fleet(1, lines=1), 40.45, 5).turn("+1", T).explain()
    assert e.drivers[0].driver == "deliverability"


def test_failures_that_are_reported_count_while_receipts_are_lost():
    world = without_receipts(fleet(2), 40.45, 5)
    for i in range(25):
        world.message("+1", f"+1-c{i}", 40.5 + i / 200, failed=True)
    (e,) = world.turn("+1", T).explain()
    assert e.drivers[0].driver == "deliverability"
    assert e.drivers[0].evidence["failed"] == 25


@pytest.mark.parametrize("seed", range(3))
def test_lost_is_what_a_plain_recount_of_the_other_lines_gives(seed):
    world = without_receipts(fleet(seed, lines=3, asks=25), 20.4, 6)
    rng = np.random.default_rng(seed)
    for m in world.messages:
        if m["direction"] == "outbound" and rng.random() < 0.1:
            m["delivered_at"] = None if rng.random() < 0.5 else m["at"] + 2 * HOUR
        if m["direction"] == "outbound" and rng.random() < 0.05:
            m["failed_at"] = m["at"] + rng.choice([1, 120]) * MINUTE
    messages, chats, *_ = world.frames()
    known_ = histories(messages, chats, pl.DataFrame(schema=CHAT_HEALTH), Settings())
    sends = sorted(
        (row._asdict() | {"line": line} for line, of in known_.items() for row in of.rows.sends_in(0, ms(99))),
        key=lambda s: s["at"],
    )
    had, half = set(), 30 * 60_000
    for s in sends:
        in_time = s["receipt_at"] is not None and s["receipt_at"] - s["at"] <= half
        failed = s["failed_at"] is not None and s["failed_at"] - s["at"] <= half
        s["expected"] = (s["chat"], s["service"]) in had and not failed
        s["silent"] = not in_time and not failed
        if s["receipt_at"] is not None:
            had.add((s["chat"], s["service"]))

    def known(s):
        def told(before, after):
            return [
                o["silent"]
                for o in sends
                if o["expected"] and o["line"] != s["line"] and s["at"] - before < o["at"] <= s["at"] + after
            ]

        for before, after in ((half, 0), (half, half)):
            if len(others := told(before, after)) >= 5 and sum(others) >= 0.7 * len(others):
                return s["at"] + after + half
        if len(told(half, half)) < 5 <= len(others := told(6 * half, 0)) and sum(others) >= 0.7 * len(others):
            return s["at"] + half
        return None

    looked = [s for s in sends if ms(20) < s["at"] < ms(21) or s["at"] < ms(2)]
    assert [s["lost"] for s in looked] == [known(s) if s["silent"] else None for s in looked]
    assert sum(s["lost"] is not None for s in looked) > 10
    for line, of in known_.items():  # an ask tells of the first of its sends
        told = {(s["chat"], s["at"]): s["lost"] for s in sends if s["line"] == line}
        ends = zip(of.chat.tolist(), of.first.tolist(), of.last.tolist(), of.lost.tolist(), strict=True)
        for chat, first, last, lost in ends:
            own = [at for (name, sent), at in told.items() if name == of.chats[chat] and first <= sent <= last and at]
            assert lost == min(own, default=NEVER)


@pytest.mark.parametrize("seed", range(3))
def test_counts_are_those_of_whole_numbers_of_eight_bytes(seed):
    """Four bytes a time reach for seven weeks: before, within and after these, and where weeks have none."""
    rng = np.random.default_rng(seed)
    ends = [0, 1 << 32, 3 << 32, (3 << 32) - 1, (5 << 32) + 7]
    times = np.sort(np.concatenate((rng.integers(0, 1 << 33, 200), rng.integers(5 << 32, 6 << 32, 100), ends, ends)))
    frame = pl.DataFrame({"at": times, "silent": rng.random(len(times)) < 0.3})
    parts = [frame[:90], frame[90:90], frame[90:]]
    at = np.concatenate((times, times - 1, rng.integers(-(1 << 33), 8 << 32, 300)))
    after, until = at, at + rng.integers(0, 2 << 32, len(at))
    counts = Counts(parts, frame.height + 5)
    n, silent = (counts.until(until) - counts.until(after)).T
    inside = (times > after[:, None]) & (times <= until[:, None])
    np.testing.assert_array_equal(n, inside.sum(axis=1))
    np.testing.assert_array_equal(silent, (inside & frame["silent"].to_numpy()).sum(axis=1))
    assert (n.max(), silent.min()) > (100, 0)
