"""Receipts that are missing on all lines at once were lost; those missing on one line tell of that line."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from analysis.explain.asks import rows_of
from analysis.explain.receipts import expected_of, with_lost
from analysis.schema import CHAT_HEALTH
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
    rows = rows_of(world.frames()[0], pl.DataFrame(schema=CHAT_HEALTH))
    sends = with_lost(rows, expected_of(rows)).filter("outbound").sort("at").to_dicts()
    had, half = set(), 30 * 60_000
    for s in sends:
        in_time = s["receipt"] is not None and s["receipt"] - s["at"] <= half
        failed = s["failed"] is not None and s["failed"] - s["at"] <= half
        s["expected"] = (s["chat_id"], s["service"]) in had and not failed
        s["silent"] = not in_time and not failed
        if s["receipt"] is not None:
            had.add((s["chat_id"], s["service"]))

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
