"""`report --send` and `alerts --send`: exit codes, what is marked, what is kept, and that no secret reaches a screen."""

import shutil

import pytest

from analysis import notify, pipeline
from analysis.notify import sending
from analysis.report import lines
from tests.notify.conftest import SECRET


@pytest.fixture
def own(demo_store, tmp_path, monkeypatch):
    monkeypatch.setattr(sending, "WAITS_S", (0.0,))
    monkeypatch.setattr(lines, "_picture", lambda *_: ("", "", "", ""))  # delivery is tried here; drawing takes seconds
    return shutil.copy(demo_store, tmp_path / "own.duckdb")


def test_a_report_that_was_not_delivered_ends_with_1_and_the_next_run_delivers_it(
    own, command, web, monkeypatch, tmp_path
):
    monkeypatch.setenv(notify.ENVIRONMENT, web.address)
    web.refusals = 2
    out = tmp_path / "r.md"
    code, said, told = command("report", "--store", own, "--out", out, "--send")
    assert code == 1
    assert "1 delivery failed (json)" in told
    assert out.exists()  # what could be done is done
    assert SECRET not in said + told
    code, _, told = command("report", "--store", own, "--out", out, "--send")
    assert code == 0
    assert len(web.taken) == 2  # the one that was kept, and this run's
    assert told.count("(json)") == 2
    assert SECRET not in told


def test_alerts_are_marked_once_somebody_took_them_and_due_again_where_nobody_did(
    own, command, web, monkeypatch, tmp_path
):
    monkeypatch.setenv(notify.ENVIRONMENT, web.address)
    at = pipeline.status(own)["as_of"]
    due = pipeline.alerts(own).messages
    assert len(due) >= 2
    web.refusals = 99
    code, _, told = command("alerts", "--store", own, "--at", at, "--send")
    assert code == 1
    assert SECRET not in told
    assert pipeline.alerted(own).is_empty()
    assert [m.group for m in pipeline.alerts(own).messages] == [m.group for m in due]
    web.refusals = 0
    code, *_ = command("alerts", "--store", own, "--at", at, "--send", "--send", tmp_path / "out")
    assert code == 0
    assert len(web.taken) == len(due)  # nothing twice: what failed was due again, not kept beside
    assert len(list((tmp_path / "out").glob("*.txt"))) == len(due)
    assert pipeline.alerts(own).messages == []
    assert pipeline.alerted(own).height == sum(len(m.lines) for m in due)
    text = b"".join(web.taken).decode()
    assert all(line.split(".")[0].split(":")[0] in text for m in due for line in m.lines)


def test_where_one_of_two_took_an_alert_only_the_other_gets_it_later(own, command, web, monkeypatch, tmp_path):
    monkeypatch.setenv(notify.ENVIRONMENT, f"{web.address} {tmp_path / 'out'}")
    at = pipeline.status(own)["as_of"]
    due = len(pipeline.alerts(own).messages)
    web.refusals = 99
    assert command("alerts", "--store", own, "--at", at, "--send")[0] == 1
    assert pipeline.alerts(own).messages == []
    files = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()}
    web.refusals = 0
    assert command("alerts", "--store", own, "--at", at, "--send")[0] == 0
    assert len(web.taken) == due
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()} == files


def test_nothing_named_to_send_to_is_wrong_use(own, command, monkeypatch, tmp_path):
    monkeypatch.setattr(notify.targets.platformdirs, "user_config_dir", lambda _: str(tmp_path))
    monkeypatch.delenv(notify.ENVIRONMENT, raising=False)
    for words in (("report", "--send"), ("alerts", "--send"), ("report",), ("alerts", "--send", tmp_path, "--mark")):
        code, _, told = command(*words, "--store", own)
        assert code == 2
        assert told.startswith("linehealth: ")
