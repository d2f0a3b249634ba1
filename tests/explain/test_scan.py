"""What is worked out for many windows or rows at once is what each of them gives, to the last digit."""

import numpy as np
import pytest

from analysis.explain.constants import CONSTANTS, DAY, HOUR
from analysis.explain.effects import first_seen_before
from analysis.explain.numbers import first_of_each
from analysis.explain.running import NEVER
from analysis.explain.scan import Scan, scanned
from tests.explain.builders import World
from tests.explain.measuring import case_of

K = CONSTANTS


@pytest.fixture(scope="module")
def case():
    world = World(3).steady(days=24, chats=40, asks=30, new=6).burst("+1", 23.1, 60)
    for day in (20.2, 22.4, 23.3):
        world.message("+1", "+1-c3", day, failed=True)
        world.message("+1", "+1-c5", day, receipt=False, service="SMS")
    return case_of(world.turn("+1", 23.6))


@pytest.mark.parametrize("fresh", [True, False])
def test_asks_that_count_for_nothing_are_as_if_they_were_not_there(case, fresh):
    w, spans = case.effects.window, scanned(fresh=fresh).every.up_to(case.t)
    weights = np.where(w.kind == 0, 0.0, w.sends * 1.7)
    cut = w.of(weights > 0)
    whole = Scan(w, weights, spans.among(w.first_ms))
    part = Scan(cut, weights[weights > 0], spans.among(cut.first_ms))
    for name in ("n", "engaged", "chance"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(part, name))
    assert 0 < part.n.max() < Scan(w, w.sends * 1.7, spans.among(w.first_ms)).n.max()


def test_a_window_cut_twice_holds_the_rows_of_both(case):
    w = case.effects.window
    once = w.of(w.kind != 2)
    twice = once.of(once.sends > 0).of(once.expected > 0.3)
    rows = np.flatnonzero((w.kind != 2) & (w.expected > 0.3))
    assert 0 < len(twice) == len(rows) < len(w)
    for name in ("first", "chat", "share", "replied", "undelivered", "begun", "volume", "late"):
        np.testing.assert_array_equal(getattr(twice, name), getattr(w, name)[rows])


def test_what_was_first_seen_before_is_that_of_each_window_alone(case):
    spans = scanned(fresh=False).every.up_to(case.t)
    found = first_seen_before(case.history, spans)
    np.testing.assert_array_equal(found, [most_first_seen(case.history, *ends) for ends in zip(spans.starts, spans.stops, strict=True)])  # fmt: skip
    assert np.nanmax(found) > 0
    assert np.isnan(found).any() == (case.t - 6 * DAY - case.history.first_at < (K.first_seen_after + K.least_usual_days) * DAY)  # fmt: skip


def most_first_seen(history, start, end):
    """The slow way: one window after the other."""
    begin, length = history.first_at + K.first_seen_after * DAY, end - start
    if end - DAY - begin < K.least_usual_days * DAY:
        return np.nan
    most, at = 0, end - DAY
    while at > history.first_at + length - 1:
        if at >= begin + length or abs(at - end + 7 * DAY) <= DAY / 2:
            most = max(most, int(((history.first_seen_ms > at - length) & (history.first_seen_ms <= at)).sum()))
        at -= K.scan_step_hours * HOUR if length > K.short_hours * HOUR else HOUR
    return most


def test_rows_as_arrays_are_the_rows(case):
    h, since, t = case.history, case.t - 5 * DAY, case.t
    for chat in ("+1-c3", "+1-c5", "+1-c0", "nobody"):
        rows = h.rows.of_chat(chat)
        told = zip(*(column.tolist() for column in h.rows.arrays_of(chat)), strict=True)
        assert list(told) == [(r.at, r.outbound, *(NEVER if at is None else at for at in (r.failed_at, r.receipt_at))) for r in rows]  # fmt: skip
        assert bool(rows) == (chat != "nobody")
    sends, records = h.rows.sent_in(since, t), h.rows.sends_in(since, t)
    assert sends.at.tolist() == [r.at for r in records]
    assert sends.lost.tolist() == [NEVER if r.lost is None else r.lost for r in records]
    assert sends.services == sorted({r.service for r in records}) == ["SMS", "iMessage"]
    assert [(r.at, r.chat) for r in records] == sorted((r.at, r.chat) for r in records)
    assert records == [r for r in h.rows.sends_in(0, t + DAY) if since < r.at <= t]


@pytest.mark.parametrize("numbers", [[], [7], [9, 7, 7, 12, 9, 8], [3, 3, 3]])
def test_different_numbers_are_told_as_numpy_tells_them(numbers):
    numbers = np.array(numbers, dtype=np.int64)
    _, first, place = np.unique(numbers, return_index=True, return_inverse=True)
    for found, expected in zip(first_of_each(numbers), (first, place), strict=True):
        np.testing.assert_array_equal(found, expected)
