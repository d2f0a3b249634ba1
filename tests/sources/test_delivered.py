"""What the receiver keeps of a delivery gives the same facts as the delivery itself, and tells nobody's number and no words."""

import copy
import json
from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.settings import Settings
from analysis.sources import Pseudonyms, webhook
from analysis.sources.checks import Rules
from analysis.sources.delivered import Keeper, Named, read_kept
from analysis.sources.rows import Rows
from tests import events
from tests.sweep import EVERY

PEOPLE = Pseudonyms(b"a key that only the tests use")
KEEPER = Keeper(PEOPLE)
KNOWN = [
    events.message("message.sent", "m1", 1),
    events.message("message.received", "m2", 2),
    events.message("message.read", "iMessage;-;+12065550117", 3, chat="iMessage;-;+12065550117"),
    events.message("message.sent", "m4", 1, is_group=True, service="smoke signals"),
    events.failed("m1", 4),
    events.changed(5, "HEALTHY", "AT_RISK"),
    events.changed(6, "HEALTHY", "AT_RISK", names="health_status", status=("ACTIVE", "FLAGGED")),
    events.created("chat-9", 1),
    events.envelope("message.sent", {"chat_id": "c", "from": "+14155550142", "recipient_phone": "+12065550117", "is_from_me": True, "message": {"id": "v1"}, "sent_at": events.at(1)}, 1, "2025-01-01"),
    events.envelope("reaction.added", {"is_from_me": True, "reaction_type": "love"}, 1),
    {"chat_id": "c", "message_id": "m7", "status": "read", "updated_at": events.at(9)},
    {"body": json.dumps(events.failed("m9", 4))},
]  # fmt: skip
ODD = [
    None, "", "   ", " padded ", "\x00", "NUL\x00inside", "\ufffd", "x" * 399, "é" * 250, "+1 (206) 555-0117", "tel:+12065550117", "A@Example.org",
    "2065550117", "someone's own words", "2026-09-14", "2026-09-14 10:00", "2026-09-14T10:00:00.123456789+05:30", "2026-13-40T99:00:00Z", "1999-01-01T00:00:00Z",
    "12345678901", "0.5", "at risk", "At-Risk", "OUTBOUND", "in", "iMESSAGE", "opted_out", "4001", "Ⅷ", "١٢٣", "\x1cx\x1c", "\u2003wide\u2003", 7, 1.5, True, [], {},
]  # fmt: skip


def told(rows: Rows, people: Pseudonyms) -> dict:
    """Facts by kind, sorted, with refusals, notes, lateness and what was ignored."""
    found = rows.facts(Rules(Settings(), people))
    tables = {
        name: pl.concat([getattr(f, name) for f in found]).pipe(lambda f: f.sort(f.columns)).rows()
        for name in ("messages", "chats", "health", "changes", "refused")
    }
    return {**tables, "notes": +sum((f.notes for f in found), Counter()), "late": +sum((f.late for f in found), Counter()), "ignored": rows.ignored}  # fmt: skip


def both_ways(bodies: list[bytes]) -> tuple[dict, dict, list[bytes]]:
    plain, kept = Rows(), Rows()
    lines = [KEEPER.keep(body, 1_790_000_000_000)[0] for body in bodies]
    for position, (body, line) in enumerate(zip(bodies, lines, strict=True), start=1):
        webhook.read_line(body, position, plain)
        read_kept(line, position, kept)
    return told(plain, PEOPLE), told(kept, Named()), lines


def places(value, path=()):
    """Every place inside a JSON value."""
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


def put(event: dict, path: tuple, value) -> dict:
    changed = copy.deepcopy(event)
    at = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return changed


@st.composite
def altered(draw):
    event = draw(st.sampled_from(KNOWN))
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from([p for p in places(event) if p]))
        event = put(event, path, draw(st.sampled_from(ODD) | st.text(max_size=20)))
    body = json.dumps(event, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    return body[: draw(st.integers(0, len(body)))] if draw(st.integers(0, 9)) == 0 else body


@settings(max_examples=500 if EVERY else 30)
@given(st.lists(altered(), min_size=1, max_size=8))
def test_whatever_is_in_a_delivery_what_is_kept_gives_the_same_facts_and_refusals(bodies):
    plain, kept, _ = both_ways(bodies)
    assert kept == plain


def test_every_odd_value_in_every_place_gives_the_same_facts():
    bodies = [
        json.dumps(put(event, path, value)).encode()
        for event in KNOWN
        for path in places(event)
        if path
        for value in ODD
    ]
    plain, kept, _ = both_ways(bodies)
    assert len(plain["refused"]) > 1000
    assert kept == plain


def test_the_vendors_own_examples_give_the_same_facts(examples):
    plain, kept, lines = both_ways([json.dumps(e).encode() for e in examples])
    assert plain["messages"]
    assert kept == plain
    assert not any(b"2065550117" in line for line in lines)


@pytest.mark.parametrize("event", KNOWN, ids=lambda e: e.get("event_type", "bare"))
def test_no_words_and_no_number_of_a_person_are_kept_wherever_they_stand(event):
    own = {("data", "phone_number"), ("data", "chat", "owner_handle", "handle"), ("data", "handles", 0, "handle"), ("data", "from"), ("data", "sender_handle", "handle")}  # fmt: skip
    for path in places(event):
        if path and path not in own:
            for words in ("Dear Ann, call me", "+12065550199", "ann@example.org", "x Ann " * 90, "Ann\x00"):
                line = KEEPER.keep(json.dumps(put(event, path, words)).encode(), 1)[0]
                assert b"Ann" not in line, path
                assert b"ann@" not in line, path
                assert b"2065550199" not in line, path
                assert b"2065550117" not in line, path
                assert b"SECRET" not in line, path
