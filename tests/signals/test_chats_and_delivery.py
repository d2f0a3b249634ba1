"""Chats as they stand and what became of the sends equal a slow recount; who opened a chat follows its rules case by case."""

import random
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import NamedTuple

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from analysis.schema import CHAT_HEALTH, CHAT_STATE, CHATS, DELIVERY_DAY, MESSAGES
from analysis.settings import Settings
from analysis.signals import delivery
from analysis.signals.chats import chat_state
from analysis.signals.judged import judge

START = datetime(2026, 3, 1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
YOUNG = 7 * DAY
RANK = ["HEALTHY", "AT_RISK", "CRITICAL", "OPTED_OUT"]


class Told(NamedTuple):
    """A message as the store has it."""

    id: str
    line: str
    chat: str
    outbound: bool
    at: datetime
    service: str | None = "iMessage"
    failed_at: datetime | None = None
    code: str | None = None
    delivered_at: datetime | None = None
    read_at: datetime | None = None

    @property
    def arrived(self) -> bool:
        return self.delivered_at is not None or self.read_at is not None

    @property
    def failed(self) -> bool:
        return self.outbound and self.failed_at is not None and not self.arrived


def frames(told, chats, health=()):
    rows = [
        (m.id, m.line, m.chat, "outbound" if m.outbound else "inbound", m.at, m.failed, m.delivered_at, m.read_at, m.failed_at, m.code, m.service, False, None)
        for m in told
    ]  # fmt: skip
    known = [(chat, chat[0], who, False, created) for chat, (who, created) in chats.items()]
    return (
        pl.DataFrame(rows, schema=MESSAGES, orient="row"),
        pl.DataFrame(known, schema=CHATS, orient="row"),
        pl.DataFrame(list(health), schema=CHAT_HEALTH, orient="row"),
    )


def product(told, chats, health=(), *, as_of=None):
    messages, known, reports = frames(told, chats, health)
    end = as_of or max((m.at for m in told), default=START) + 2 * DAY
    judged = judge(messages, known, reports, as_of=end, settings=Settings(), also=delivery.ALSO)
    states = chat_state(judged, known, settings=Settings())
    return states, delivery.delivery_day(judged, states, settings=Settings())


def slow(told, chats, health, *, as_of):
    """Loops over plain tuples, written from METHOD.md alone: rows of CHAT_STATE by (line, chat), counts of DELIVERY_DAY by its key."""
    by_chat = defaultdict(list)
    for m in sorted(told, key=lambda m: (m.at, not m.outbound, m.id)):
        by_chat[m.line, m.chat].append(m)
    first_day = {}
    for m in told:
        first_day[m.line] = min(first_day.get(m.line, m.at.date()), m.at.date())
    states, sends = {}, defaultdict(Counter)
    for (line, chat), mine in by_chat.items():
        who, created = chats.get(chat, (None, None))
        first = mine[0]
        if (created is not None and created < first.at - DAY) or (
            created is None and first.at.date() - first_day[line] < YOUNG
        ):
            opened = "before"
        elif not first.outbound:
            opened = "person"
        else:
            others = [
                (key[0], o[0].at)
                for key, o in by_chat.items()
                if who is not None and chats.get(key[1], (None,))[0] == who
            ]
            earlier = {where for where, at in others if at < first.at}
            opened = "moved" if earlier and line not in earlier else "line"
        turns, before = 0, None
        for m in mine:
            if m.outbound:
                turns += before is None or m.at - before > timedelta(minutes=5)
                before = m.at
            else:
                turns, before = 0, None
        fates = {}
        for m in mine:
            mature = m.outbound and not m.failed and m.at <= as_of - DAY
            fates[m.id] = mature, mature and any(not o.outbound and m.at < o.at <= m.at + DAY for o in mine)
        reports = sorted((at, RANK.index(word)) for c, at, word in health if c == chat)
        out = [m for m in mine if m.outbound]
        states[line, chat] = {
            "opened_by": opened, "first_at": first.at, "last_sent_at": max((m.at for m in out), default=None),
            "last_received_at": max((m.at for m in mine if not m.outbound), default=None), "sends": len(out), "received": len(mine) - len(out),
            "failed": sum(m.failed for m in out), "mature": sum(f[0] for f in fates.values()), "replied": sum(f[1] for f in fates.values()),
            "unanswered": turns, "health": RANK[reports[-1][1]] if reports else None, "health_at": reports[-1][0] if reports else None,
        }  # fmt: skip
        for m in out:
            code = None if m.failed_at is None else m.code or "no code"
            row = sends[line, m.at.date(), opened, m.service, code]
            row["sends"] += 1
            row["failed"] += m.failed
            row["delivered"] += m.arrived
            row["failed_then_delivered"] += m.arrived and m.failed_at is not None
            row["mature"] += fates[m.id][0]
            row["replied"] += fates[m.id][1]
    return states, sends


_CHATS = [f"{line}-{c}" for line in "AB" for c in range(4)]
_instants = st.builds(
    lambda base, edge: START + base * timedelta(hours=7) + edge,
    st.integers(0, 60),
    st.sampled_from(
        [timedelta(0), timedelta(milliseconds=1), timedelta(minutes=5), timedelta(minutes=5, milliseconds=1), DAY]
    ),
)
_maybe = st.one_of(st.none(), _instants)
_told = st.lists(
    st.builds(
        lambda i, chat, outbound, at, service, failed, code, delivered, read: Told(
            f"m{i}", chat[0], chat, outbound, at, service, *((failed, code, delivered, read) if outbound else ())
        ),
        st.integers(0, 10**6), st.sampled_from(_CHATS), st.booleans(), _instants, st.sampled_from(["iMessage", "SMS", None]), _maybe,
        st.sampled_from(["4001", "3007", None]), _maybe, _maybe,
    ),
    min_size=1, max_size=60, unique_by=lambda m: m.id,
)  # fmt: skip
_known = st.dictionaries(
    st.sampled_from(_CHATS), st.tuples(st.sampled_from([None, "r1", "r2"]), st.one_of(st.none(), _instants)), max_size=8
)
_health = st.lists(st.tuples(st.sampled_from(_CHATS), _instants, st.sampled_from(RANK)), max_size=10)


@hypothesis_settings(max_examples=80, deadline=None)
@given(told=_told, chats=_known, health=_health, late=st.integers(0, 40), seed=st.integers(0, 99))
def test_both_equal_the_slow_recount_in_whatever_order_the_rows_come(told, chats, health, late, seed):
    as_of = max(m.at for m in told) + late * HOUR
    shuffled = list(told)
    random.Random(seed).shuffle(shuffled)
    states, days = product(shuffled, chats, health, as_of=as_of)
    expected, sends = slow(told, chats, health, as_of=as_of)
    keyed = {(r.pop("line"), r.pop("chat_id")): r for r in states.to_dicts()}
    assert keyed == expected
    assert list(keyed) == sorted(keyed)
    counted = {}
    for r in days.to_dicts():
        key = tuple(r.pop(c) for c in ("line", "day", "opened_by", "service", "failure_code"))
        counted[key] = r
    assert counted == {key: {n: row[n] for n in next(iter(counted.values()))} for key, row in sends.items()}
    again, days_again = product(told, chats, health[::-1], as_of=as_of)
    assert again.equals(states)
    assert days_again.equals(days)


OLD = Told("old", "A", "A-0", True, START)
"""Makes line A old enough for its later chats to be new."""
THEN = START + 10 * DAY


@pytest.mark.parametrize(
    ("told", "chats", "opened"),
    [
        ([Told("1", "A", "A-1", True, THEN)], {}, "line"),
        ([Told("1", "A", "A-1", False, THEN)], {}, "person"),
        ([Told("1", "A", "A-1", True, THEN), Told("2", "A", "A-1", False, THEN)], {}, "line"),  # one instant: outbound first
        ([Told("1", "A", "A-1", True, START + 6 * DAY)], {}, "before"),  # the line's young days
        ([Told("1", "A", "A-1", True, START + DAY)], {"A-1": (None, START + DAY)}, "line"),  # its creation is known
        ([Told("1", "A", "A-1", False, THEN)], {"A-1": (None, THEN - 2 * DAY)}, "before"),
        ([Told("1", "A", "A-1", True, THEN), Told("2", "B", "B-1", True, THEN - HOUR)], {"A-1": ("r", None), "B-1": ("r", None)}, "moved"),
        ([Told("1", "A", "A-1", False, THEN), Told("2", "B", "B-1", True, THEN - HOUR)], {"A-1": ("r", None), "B-1": ("r", None)}, "person"),
        ([Told("1", "A", "A-1", True, THEN), Told("2", "B", "B-1", True, THEN)], {"A-1": ("r", None), "B-1": ("r", None)}, "line"),
        (
            [Told("1", "A", "A-1", True, THEN), Told("2", "B", "B-1", True, THEN - HOUR), Told("3", "A", "A-2", True, THEN - 2 * HOUR)],
            {"A-1": ("r", None), "B-1": ("r", None), "A-2": ("r", None)}, "line",
        ),  # this line knew the person first
    ],
)  # fmt: skip
def test_who_opened_a_chat(told, chats, opened):
    states, _ = product([OLD, *told], chats)
    assert states.filter(chat_id="A-1")["opened_by"].to_list() == [opened]


def test_a_delivery_after_a_failure_wins_and_is_counted_as_late_under_its_code():
    failed = Told("1", "A", "A-0", True, THEN, failed_at=THEN + HOUR, code="4001")
    late = failed._replace(id="2", delivered_at=THEN + 2 * HOUR)
    _, days = product([failed, late], {})
    row = days.row(0, named=True)
    assert (row["failure_code"], row["sends"], row["failed"], row["delivered"], row["failed_then_delivered"]) == (
        "4001",
        2,
        1,
        1,
        1,
    )


def test_empty_frames_keep_their_schemas():
    states, days = product([], {})
    assert states.schema == CHAT_STATE
    assert days.schema == DELIVERY_DAY
    assert states.is_empty()
    assert days.is_empty()
