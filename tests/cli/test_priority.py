"""Commands that write a store let the app go first on a busy machine; what is looked at does not step back."""

import os

import pytest

from analysis.cli.shared import BACKGROUND

pytestmark = pytest.mark.skipif(not hasattr(os, "setpriority"), reason="this system has no niceness")


@pytest.fixture
def asked(command, monkeypatch):
    told = []
    monkeypatch.setattr(os, "setpriority", lambda *given: told.append(given))
    monkeypatch.setattr(os, "getpriority", lambda *_: 3)
    return told


def test_a_command_that_writes_steps_back_and_one_that_reads_does_not(command, asked, store, write):
    rows = "message_id,line,chat_id,direction,sent_at\nm1,+14155550101,c1,outbound,2026-03-01T12:00:00Z\n"
    assert command("load", write("m.csv", rows), "--store", store)[0] == 0
    assert asked == [(os.PRIO_PROCESS, 0, BACKGROUND)]
    for words in (("refresh",), ("fold",)):
        assert command(*words, "--store", store)[0] == 0
    assert len(asked) == 3
    for words in (("status",), ("signals",), ("quarantine",), ("gaps",)):
        assert command(*words, "--store", store)[0] == 0
    assert len(asked) == 3


def test_who_stepped_back_further_stays_there(command, asked, store, write, monkeypatch):
    monkeypatch.setattr(os, "getpriority", lambda *_: 17)
    command("load", write("m.csv", "message_id,line,chat_id,direction,sent_at\n"), "--store", store)
    assert asked == [(os.PRIO_PROCESS, 0, 17)]
