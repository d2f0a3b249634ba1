"""Signals equal the slow reference: on random small fleets, and on real temporal message data."""

import collections
import itertools
import random
from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from analysis.schema import CHAT_HEALTH, CHATS, MESSAGES, SPELLS
from analysis.settings import Settings
from analysis.signals import panel
from tests import oracles
from tests.conftest import SHARED
from tests.oracles import Message
from tests.sweep import EVERY

START = datetime(2026, 3, 1)
NAMES = (
    "outbound", "inbound", "failed", "mature", "replied", "reply_rate", "new_conversations", "new_mature", "new_replied", "new_reply_rate",
    "history_days", "recipients", "peak_recipients_1h", "peak_recipients_24h", "peak_new_1h", "peak_new_24h", "peak_sends_60s",
    "unanswered_turns", "sends_after_opt_out", "chats_active", "chats_at_risk", "chats_critical", "chats_opted_out",
)  # fmt: skip

# times that meet at window edges more often than chance would have it
_EDGES = [
    timedelta(0),
    timedelta(milliseconds=1),
    timedelta(seconds=60),
    timedelta(minutes=5),
    timedelta(hours=1),
    timedelta(hours=24),
    timedelta(days=7),
]
_instants = st.builds(
    lambda base, edge, sign: START + timedelta(days=9) + base * timedelta(hours=7) + sign * edge,
    st.integers(-20, 40),
    st.sampled_from(_EDGES),
    st.sampled_from([1, -1]),
)
_messages = st.lists(
    st.builds(
        lambda i, line, chat, inbound, at, failed: Message(f"m{i}", line, f"{line}-{chat}", "inbound" if inbound else "outbound", at, failed and not inbound),
        st.integers(0, 10**6), st.sampled_from(["A", "B"]), st.integers(0, 3), st.booleans(), _instants, st.booleans(),
    ),
    min_size=1, max_size=60, unique_by=lambda m: m.message_id,
)  # fmt: skip
_created = st.dictionaries(st.sampled_from([f"{line}-{c}" for line in "AB" for c in range(4)]), _instants, max_size=4)
_health = st.lists(
    st.tuples(
        st.sampled_from([f"{line}-{c}" for line in "AB" for c in range(4)]),
        _instants,
        st.sampled_from(list(oracles.SEVERITY)),
    ),
    max_size=12,
)


def frames(messages, created=None, health=()):
    told = pl.DataFrame(
        [(m.message_id, m.line, m.chat, m.direction, m.at, m.failed) for m in messages],
        schema={"message_id": pl.String, "line": pl.String, "chat_id": pl.String, "direction": pl.String, "at": MESSAGES["at"], "failed": pl.Boolean}, orient="row",
    )  # fmt: skip
    chats = pl.DataFrame([(c, c[0], None, False, at) for c, at in (created or {}).items()], schema=CHATS, orient="row")
    return told, chats, pl.DataFrame(list(health), schema=CHAT_HEALTH, orient="row")


def product(messages, created=None, health=(), *, as_of, grain="day"):
    return panel.signals(
        *frames(messages, created, health), pl.DataFrame(schema=SPELLS), as_of=as_of, settings=Settings(), grain=grain
    )


def by_key(frame, grain="day"):
    return {(row["line"], row[grain]): {n: row[n] for n in NAMES} for row in frame.to_dicts()}


def expected(messages, created=None, health=(), *, as_of, grain="day"):
    got = oracles.signals(messages, created or {}, list(health), as_of=as_of, grain=grain)
    return {key: {n: row.get(n, 0) for n in NAMES} for key, row in got.items()}


@hypothesis_settings(max_examples=60 if EVERY else 30, deadline=None)
@given(
    messages=_messages,
    created=_created,
    health=_health,
    late=st.integers(0, 60),
    grain=st.sampled_from(["day", "hour"]),
)
def test_signals_equal_the_slow_reference(messages, created, health, late, grain):
    as_of = max(m.at for m in messages) + timedelta(hours=late)
    assert by_key(product(messages, created, health, as_of=as_of, grain=grain), grain) == expected(
        messages, created, health, as_of=as_of, grain=grain
    )


@hypothesis_settings(max_examples=25 if EVERY else 10, deadline=None)
@given(messages=_messages, created=_created, health=_health, seed=st.integers(0, 1000))
def test_row_order_other_lines_and_whole_days_of_shift_change_nothing(messages, created, health, seed):
    as_of = max(m.at for m in messages) + timedelta(hours=30)
    whole = product(messages, created, health, as_of=as_of)
    shuffled = list(messages)
    random.Random(seed).shuffle(shuffled)
    assert product(shuffled, created, list(health)[::-1], as_of=as_of).equals(whole)
    parts = [
        product([m for m in messages if m.line == line], created, health, as_of=as_of)
        for line in sorted({m.line for m in messages})
    ]
    assert pl.concat(parts).equals(whole)
    week = timedelta(days=7)
    moved = product(
        [m._replace(at=m.at + week) for m in messages],
        {c: t + week for c, t in created.items()},
        [(c, t + week, w) for c, t, w in health],
        as_of=as_of + week,
    )
    assert moved.drop("day").equals(whole.drop("day"))


@pytest.mark.parametrize("rows", list(itertools.permutations(range(3))))
def test_of_messages_of_one_instant_sends_come_first_and_of_these_the_lower_id_opens_the_chat(rows):
    told = [
        Message("m0", "A", "A-0", "inbound", START, False),
        Message("m1", "A", "A-0", "outbound", START, True),  # failed: never old enough to have been answered
        Message("m2", "A", "A-0", "outbound", START, False),
    ]
    as_of = START + timedelta(days=9)
    found = by_key(product([told[row] for row in rows], as_of=as_of))
    assert found == expected(told, as_of=as_of)
    (of_day,) = found.values()
    assert (of_day["new_conversations"], of_day["new_mature"], of_day["mature"]) == (1, 0, 1)


def test_an_empty_frame_keeps_its_schema():
    for grain in ("day", "hour"):
        empty = product([], as_of=START, grain=grain)
        assert empty.is_empty()
        assert grain in empty.columns


@pytest.fixture(scope="module")
def college() -> list[Message]:
    """The 50 users with most sent messages as lines; a row between two of them is both. Identical rows are separate messages."""
    path = SHARED / "data" / "CollegeMsg.txt"
    if not path.exists():
        pytest.skip("../shared/data is not beside the project")
    rows = [tuple(map(int, line.split())) for line in path.read_text().splitlines()]
    lines = {user for user, _ in collections.Counter(source for source, _, _ in rows).most_common(50)}
    out = []
    for i, (source, target, seconds) in enumerate(rows):
        at = datetime(1970, 1, 1) + timedelta(seconds=seconds)
        if source in lines:
            out.append(Message(f"{i}o", str(source), f"{source}>{target}", "outbound", at))
        if target in lines:
            out.append(Message(f"{i}i", str(target), f"{target}>{source}", "inbound", at))
    return out


@pytest.fixture(scope="module")
def by_day(college):
    return expected(college, as_of=max(m.at for m in college))


def test_real_message_data_equals_the_slow_reference(college, by_day):
    assert by_key(product(college, as_of=max(m.at for m in college))) == by_day


def test_real_message_data_equals_the_slow_reference_by_the_hour(college):
    lines = sorted({m.line for m in college})
    some = set(lines if EVERY else lines[::4])
    messages = [m for m in college if m.line in some]
    as_of = max(m.at for m in college)
    assert by_key(product(messages, as_of=as_of, grain="hour"), "hour") == expected(messages, as_of=as_of, grain="hour")


def test_real_message_data_gives_the_published_totals(college):
    days = product(college, as_of=max(m.at for m in college))
    assert days.select(pl.col("outbound", "inbound", "new_conversations").sum()).row(0) == (20025, 11757, 4408)
    assert days["replied"].sum() / days["mature"].sum() == pytest.approx(0.396944, abs=1e-6)
    assert days["peak_recipients_24h"].max() == 158
    assert days.filter(line="9").select(pl.col("outbound").sum(), pl.col("peak_recipients_24h").max()).row(0) == (
        1091,
        25,
    )


def test_real_message_data_loads_through_a_mapping_file(college, by_day, store, write):
    """The same data as a foreign table, loaded from disk, gives the same signals."""
    from analysis import pipeline

    epoch = datetime(1970, 1, 1)
    rows = [
        f"{m.line};{m.chat.split('>')[1]};{m.direction[:-5]};{int((m.at - epoch).total_seconds())}\n" for m in college
    ]
    table = write("college.csv", "nr;who;way;unixtime\n" + "".join(rows))
    mapping = write(
        "map.toml",
        '[columns]\nline = "nr"\nrecipient = "who"\ndirection = "way"\nsent_at = "unixtime"\n[time]\nunit = "s"\n',
    )
    report = pipeline.load(table, store=store, mapping=mapping)
    assert report.totals["inserted"] == len(college)
    assert by_key(pipeline.signals(store)) == by_day
