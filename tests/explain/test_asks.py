"""Asks are read off one chat by hand: which sends ask together, of which class, and what answers them."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from analysis.explain.asks import asks_of, carried_by, opt_outs_of, reports_of, rows_of
from analysis.explain.baseline import ReplyCurve, Usual
from analysis.explain.constants import DAY, HOUR, KINDS, MINUTE
from analysis.explain.histories import histories
from analysis.explain.window import Seen, seen_asks
from analysis.schema import CHAT_HEALTH, CHATS, MESSAGES
from analysis.settings import Settings

EPOCH = datetime(1970, 1, 1)
LONG_AGO = -30 * 24


def frames(text, *, states=(), created=None, first_seen=LONG_AGO, **more):
    """ "o0 i1.5 o30" is a send at hour 0, an inbound at hour 1.5, a send at hour 30; another chat was there before."""
    words = [("x", "i", first_seen), *(("c", w[0], float(w[1:])) for w in text.split())]
    messages = [
        {
            "message_id": f"m{i:03d}",
            "line": "+1",
            "chat_id": chat,
            "direction": "outbound" if way == "o" else "inbound",
            "at": EPOCH + timedelta(hours=hour),
            "failed": False,
            "service": "iMessage",
            **(more if chat == "c" and way == "o" else {}),
        }
        for i, (chat, way, hour) in enumerate(words)
    ]
    chats = [
        {"chat_id": "c", "line": "+1", "created_at": None if created is None else EPOCH + timedelta(hours=created)}
    ]
    health = [{"chat_id": "c", "at": EPOCH + timedelta(hours=hour), "health": state} for hour, state in states]
    return pl.DataFrame(messages, MESSAGES), pl.DataFrame(chats, CHATS), pl.DataFrame(health, CHAT_HEALTH)


def read(text, **more):
    messages, chats, health = frames(text, **more)
    rows = rows_of(messages, health)
    asks = asks_of(rows, chats, Settings(), carried_by(rows))
    return asks.with_columns(kind=pl.col("kind").replace_strict(dict(enumerate(KINDS)))).to_dicts()


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
    assert [a["kind"] for a in asks] == kinds
    assert [a["streak"] for a in asks] == streaks


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
    assert [a["reply_at"] for a in read(chat)] == [None if r is None else r * HOUR for r in replies]


def test_a_stop_is_not_a_reply():
    stop = [(5 + 20 / 3600, "OPTED_OUT")]
    assert read("o0 i5", states=stop)[0]["reply_at"] is None
    assert read("o0 i5 i6", states=stop)[0]["reply_at"] == 6 * HOUR
    assert read("o0 i5 o7", states=stop)[1]["opted_out"]


def test_chats_seen_in_the_first_week_are_not_new_unless_told_when_created():
    assert read("o0", first_seen=-6 * 24)[0]["kind"] == "touch"
    assert read("o0", first_seen=-6 * 24, created=-1)[0]["kind"] == "new"
    assert read("o0", created=-25)[0]["kind"] == "touch"


def history_of(text, **more):
    return histories(*frames(text, **more), Settings())["+1"]


def usual(receipts=False):
    rates = {**dict.fromkeys(KINDS, 0.5), "deep": 0.0, "recipients": 1.0}
    return Usual(
        own=True, days=28.0, days_new=28.0, peaks={}, busy={}, asks=100, spans=[(LONG_AGO * HOUR, 0)], reply=rates, per_day=rates, sends_per_day=1.0,
        recipients_per_day=1.0, total_per_day=2.0, opt_outs_per_day=0.0, unhealthy=0.0, failed=0.01, failed_count=1, failed_of=100,
        receipts={"iMessage": receipts}, curve=ReplyCurve(np.zeros(26), 72 * HOUR), young=False,
    )  # fmt: skip


def seen(text, minutes, *, receipts=False, **more) -> list[Seen]:
    return seen_asks(history_of(text, **more), usual(receipts), -DAY, round(minutes * MINUTE))


def test_a_follow_up_after_two_unanswered_asks_is_deep():
    assert [s.deep for s in seen("o0 o24 o48 o72", 73 * 60)] == [False, False, True, True]


MINUTE_1, MINUTE_5 = EPOCH + timedelta(minutes=1), EPOCH + timedelta(minutes=5)
FAILED = {"failed": True, "failed_at": MINUTE_1}


@pytest.mark.parametrize(
    ("more", "minutes", "receipts", "undelivered"),
    [
        (FAILED, 2, False, True),
        (FAILED, 0.5, True, False),
        ({"failed_at": MINUTE_1, "delivered_at": MINUTE_5}, 2, True, True),
        ({"failed_at": MINUTE_1, "delivered_at": MINUTE_5}, 6, True, False),
        ({}, 31, True, True),
        ({}, 31, False, False),
        ({}, 29, True, False),
    ],
)
def test_delivery_as_known_at_a_time(more, minutes, receipts, undelivered):
    (ask,) = seen("o0", minutes, receipts=receipts, **more)
    assert ask.undelivered == undelivered


def test_silence_is_not_judged_in_a_chat_that_never_had_receipts():
    quiet = seen("o0 o100 o200 o300", 301 * 60, receipts=True)
    assert [s.undelivered for s in quiet] == [True, True, True, False]


def test_a_reply_counts_once_it_cannot_be_a_stop_any_more():
    assert not seen("o0 i5", 5 * 60 + 59 / 60)[0].replied
    assert seen("o0 i5", 5 * 60 + 1)[0].replied


def test_of_an_ask_that_goes_on_only_the_sends_so_far_are_seen():
    assert [s.sends for s in seen("o0 o0.1 o0.2", 7)] == [2]


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_reports_of_one_instant_the_more_severe_counts(turned):
    states = [(1, "OPTED_OUT"), (1, "HEALTHY"), (4, "HEALTHY"), (4, "AT_RISK"), (6, "CRITICAL"), (6, "OPTED_OUT")]
    messages, _, health = frames("o0 o1.5 o3 o5 o7", states=states[::-1] if turned else states)
    assert rows_of(messages, health).filter(chat_id="c")["out"].to_list() == [False, True, True, False, True]
    hours = opt_outs_of(reports_of(health)).select(pl.col("at").cast(pl.Datetime("ms")).dt.hour())
    assert hours["at"].to_list() == [1, 6]
