"""Asks are read off one chat by hand: which sends ask together, of which class, and what answers them."""

import pytest

from analysis.explain.asks import Ask, ChatStates, Row, asks_of
from analysis.explain.constants import DAY, HOUR, MINUTE
from analysis.settings import Settings

LONG_AGO = -30 * DAY


def read(text: str, *, states=(), created_at=None, first_seen=LONG_AGO) -> list[Ask]:
    """ "o0 i1.5 o30" is a send at hour 0, an inbound at hour 1.5, a send at hour 30."""
    rows = []
    for word in text.split():
        at = round(float(word[1:]) * HOUR)
        rows.append(Row("c", at, word[0] == "o", None, None, None, "iMessage", None))
    return asks_of(rows, first_seen=first_seen, created_at=created_at, states=ChatStates(states), settings=Settings())


@pytest.mark.parametrize(
    ("chat", "kinds", "streaks"),
    [
        ("o0", ["new"], [0]),
        ("i0 o1", ["answer"], [0]),
        ("i0 o25", ["touch"], [0]),
        ("o0 o24 o48", ["new", "followup", "followup"], [0, 1, 2]),
        ("o0 o73", ["new", "touch"], [0, 1]),
        ("o0 i1 o30", ["new", "touch"], [0, 0]),
        ("o0 o0.1 o0.2", ["new"], [0]),
        ("o0 i0.05 o0.1", ["new", "answer"], [0, 0]),
        ("o0 i0 o1", ["new", "followup"], [0, 1]),
    ],
)
def test_class_and_streak(chat, kinds, streaks):
    asks = read(chat)
    assert [a.kind for a in asks] == kinds
    assert [a.streak for a in asks] == streaks


@pytest.mark.parametrize(
    ("chat", "replies"),
    [
        ("o0 i72", [72]),
        ("o0 i72.1", [None]),
        ("o0 i5 i6", [5]),
        ("o0 o24 i25", [None, 25]),
        ("o0 o0.1 i2", [2]),
        ("o0 i0", [None]),
    ],
)
def test_first_reply_before_the_next_ask_and_within_72_hours(chat, replies):
    assert [a.reply_at for a in read(chat)] == [None if r is None else r * HOUR for r in replies]


def test_a_stop_is_not_a_reply():
    stop = [(5 * HOUR + 20_000, "OPTED_OUT")]
    assert read("o0 i5", states=stop)[0].reply_at is None
    assert read("o0 i5 i6", states=stop)[0].reply_at == 6 * HOUR
    assert read("o0 i5 o7", states=stop)[1].opted_out


def test_chats_seen_in_the_first_week_are_not_new_unless_told_when_created():
    assert read("o0", first_seen=-6 * DAY)[0].kind == "touch"
    assert read("o0", first_seen=-6 * DAY, created_at=-HOUR)[0].kind == "new"
    assert read("o0", created_at=-25 * HOUR)[0].kind == "touch"


def test_a_follow_up_after_two_unanswered_asks_is_deep():
    assert [a.deep for a in read("o0 o24 o48 o72")] == [False, False, True, True]


def _ask(**more) -> Ask:
    row = Row("c", 0, True, None, None, None, "iMessage", None)._replace(**more)
    return Ask("c", "touch", 0, False, [0], [row])


@pytest.mark.parametrize(
    ("more", "minutes", "usual", "state"),
    [
        ({"failed_at": MINUTE}, 2, False, "failed"),
        ({"failed_at": MINUTE}, 0.5, True, "open"),
        ({"failed_at": MINUTE, "receipt_at": 5 * MINUTE}, 2, True, "failed"),
        ({"failed_at": MINUTE, "receipt_at": 5 * MINUTE}, 6, True, "delivered"),
        ({}, 31, True, "silent"),
        ({}, 31, False, "open"),
        ({}, 29, True, "open"),
    ],
)
def test_delivery_as_known_at_a_time(more, minutes, usual, state):
    assert _ask(**more).delivery_by(round(minutes * MINUTE), usual) == state


def test_a_reply_counts_once_it_cannot_be_a_stop_any_more():
    ask = read("o0 i5")[0]
    assert not ask.replied_by(5 * HOUR + 59_000)
    assert ask.replied_by(5 * HOUR + 60_000)
