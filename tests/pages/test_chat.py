"""The way from a line's day to a chat to its messages' ids: figures against the messages, the address, and the sentences."""

from datetime import datetime, timedelta
from html import unescape

import polars as pl
import pytest

from analysis import pipeline
from analysis.pages import _chat as parts
from analysis.pages import _words as words
from analysis.pages._store import Here
from tests.pages.conftest import words_of

T = datetime(2026, 3, 20, 12)
LINE = "+14155550101"


@pytest.fixture(scope="module")
def here(demo_store):
    return Here(demo_store, pipeline.snapshot(demo_store), pipeline.status(demo_store), pipeline.settings(demo_store), "light")  # fmt: skip


@pytest.fixture(scope="module")
def worst(demo_store):
    return pipeline.chat_states(demo_store, least_unanswered=3, most=1).row(0, named=True)


def _headline(at):
    return unescape(
        next(h.proto.body for h in at.get("html") if "lh-h1" in h.proto.body and "<style>" not in h.proto.body)
    )


def test_a_chats_address_shows_its_messages_by_id_newest_first(open_app, demo_store, worst):
    told = pipeline.messages(demo_store, line=worst["line"]).filter(chat_id=worst["chat_id"])
    at = open_app(demo_store, "chat", line=worst["line"][1:], chat=worst["chat_id"])
    assert not at.exception
    shown = at.dataframe[0].value
    assert shown["Message id"].to_list() == told["message_id"].to_list()[::-1]
    assert (shown["Direction"] == "Sent").sum() == worst["sends"]
    assert (shown["Outcome"] == "Failed").sum() == worst["failed"]
    assert f"{worst['unanswered']} turns" in _headline(at)
    assert worst["chat_id"] in words_of(at)


def test_a_days_address_lists_the_chats_with_a_message_that_day(open_app, demo_store, worst):
    day = worst["last_sent_at"].date()
    at = open_app(demo_store, "chats", line=worst["line"][1:], day=day.isoformat())
    assert not at.exception
    told = pipeline.messages(demo_store, line=worst["line"]).filter(pl.col("at").dt.date() == day)
    sends = told.filter(pl.col("direction") == "outbound").height
    assert f"{sends:,} sent" in _headline(at)
    assert len(at.dataframe[0].value) == told["chat_id"].n_unique()
    assert at.dataframe[0].value["Sent"].sum() == sends


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"line": "19995550000"}, "The line in the address is not in this store"),
        ({"line": "{line}", "day": "1999-01-01"}, "no message on the day in the address"),
        ({}, "with a message that day"),
    ],
)
def test_an_address_that_leads_nowhere_says_so_and_shows_the_nearest_thing(open_app, demo_store, worst, query, said):
    at = open_app(demo_store, "chats", **{k: v.format(line=worst["line"][1:]) for k, v in query.items()})
    assert not at.exception
    assert said in words_of(at)
    assert len(at.dataframe) == 1


@pytest.mark.parametrize("query", [{"chat": "nobody"}, {}])
def test_a_chat_that_is_not_there_leads_to_the_choice_of_one(open_app, demo_store, query):
    at = open_app(demo_store, "chat", **query)
    assert not at.exception
    assert _headline(at).count("The chat in the address is not in this store") == 1
    assert len(at.get("page_link")) == 1


def test_why_and_delivery_lead_to_chats_of_the_store(open_app, demo_store):
    e = next(e for e in pipeline.explanations(demo_store) if words.worsened(e) and e.chats_to_fix)
    key = words.change_key(e, pipeline.explanations(demo_store, line=e.line))
    at = open_app(demo_store, "why", line=words.line_key(e.line), at=key)
    known = set(pipeline.chat_states(demo_store, line=e.line)["chat_id"])
    for chat in e.chats_to_fix[:7]:
        assert chat["chat_id"] in known
        assert f'href="chat?line={words.line_key(e.line)}&chat={chat["chat_id"]}&at={key}"' in unescape(words_of(at))


def _state(**more):
    base = {
        "line": LINE, "chat_id": "abcdefgh-1", "opened_by": "line", "first_at": T, "last_sent_at": T, "last_received_at": None, "sends": 4,
        "received": 0, "failed": 0, "mature": 4, "replied": 0, "unanswered": 3, "health": None, "health_at": None,
    }  # fmt: skip
    return base | more


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "Chat abcdefgh has never answered: 4 sends in 3 turns."),
        ({"last_received_at": 30}, "Chat abcdefgh: 3 turns in a row without an answer, last heard 30 h before the latest data."),
        ({"last_received_at": 2, "unanswered": 0}, "Chat abcdefgh answers: last heard 2 h before the latest data."),
        ({"health": "OPTED_OUT"}, "Chat abcdefgh has never answered: 4 sends in 3 turns. The person has opted out."),
    ],
)  # fmt: skip
def test_a_chat_is_told_in_one_sentence(here, more, said):
    if "last_received_at" in more:
        more = more | {"last_received_at": here.as_of - timedelta(hours=more["last_received_at"])}
    assert parts.sentence(_state(**more), here) == said


def _messages(store, write, rows, **settings):
    head = "message_id,line,chat_id,direction,sent_at,delivered_at,failed_at,failure_code\n"
    told = "".join(
        f"m{i},{LINE},c1,{way},{(T + timedelta(minutes=m)):%Y-%m-%dT%H:%M:%SZ},{late},{bad},{code}\n"
        for i, (way, m, late, bad, code) in enumerate(rows)
    )
    pipeline.load(write("m.csv", head + told), store=store)
    return pipeline.chat_messages(store, line=LINE, chat_id="c1")


OUT, IN = "outbound", "inbound"


def test_runs_without_an_answer_go_from_their_first_send_to_the_answer_or_the_end(store, write, here):
    rows = [(OUT, 0), (OUT, 3), (OUT, 60), (IN, 90), (OUT, 100), (IN, 110), (OUT, 200), (OUT, 260), (OUT, 320)]
    told = _messages(store, write, [(way, m, "", "", "") for way, m in rows])
    found = parts.runs(told, T + timedelta(minutes=400), here)
    begin = parts.ms(T, here.zone)
    minutes = [((a - begin) / 60_000, (b - begin) / 60_000) for a, b in found.select("t0", "t1").iter_rows()]
    assert minutes == [(0, 90), (200, 400)]  # the first two sends are one turn; the lone send at 100 was answered
    assert found["tip"].str.extract(r"^(\d+) turns").to_list() == ["2", "3"]


def test_a_failure_that_was_delivered_after_all_says_so_and_a_plain_one_says_failed(store, write, here):
    late = "2026-03-20T13:00:00Z"
    told = _messages(store, write, [(OUT, 0, late, late, "4001"), (OUT, 10, "", late, "3007"), (OUT, 20, "", late, "")])
    assert parts.listed(told, here)["Outcome"].to_list() == ["Failed", "Failed", "Failed, then delivered"]
    labels = parts.events(told, here).filter(row="Failed")["label"].to_list()
    assert labels == ["4001, then delivered", "3007", "no code"]


def test_only_the_last_messages_of_a_very_long_chat_are_drawn(store, write, here, monkeypatch):
    monkeypatch.setattr(parts, "MOST_DRAWN", 3)
    told = _messages(store, write, [(IN, 600 * i, "", "", "") for i in range(9)])
    assert parts.events(told, here).height == 3
    assert parts.window(told, told["at"][-1])[0] > told["at"][5]


def test_the_change_in_the_address_is_marked_with_when_it_began(here, demo_store):
    e = next(e for e in pipeline.explanations(demo_store) if words.worsened(e) and e.onset)
    at, began = words.instant(e.at), words.instant(e.onset)
    span = (began - timedelta(days=1), at + timedelta(days=1))
    frame = parts.rules(here.explanations(e.line), e, span, here)
    assert frame.filter(~pl.col("change"))["t"].to_list() == [parts.ms(began, here.zone)]
    assert parts.ms(at, here.zone) in frame.filter(pl.col("change") & (pl.col("label") != ""))["t"].to_list()
