"""Delivery: what arrives, how often it is tried, what is kept for the next run, and that no address is ever shown."""

import json
import stat
from email import message_from_bytes

import pytest

from analysis import notify
from analysis.errors import UsageError
from analysis.notify.sending import WAITS_S
from tests.notify.conftest import SECRET

REPORT = notify.Message("weekly", "3 of 12 lines need you.", "New: 3\nSolved: none", {"report.html": b"<p>whole</p>"})


@pytest.fixture
def outbox(tmp_path):
    return notify.Outbox.beside(tmp_path / "store.duckdb")


@pytest.fixture
def paused():
    """Pauses that were asked for; none is slept."""
    return []


def send(target, paused, message=REPORT):
    return notify.send([message], [notify.target_of(target, "here")], sleep=paused.append)


def test_a_webhook_gets_title_text_and_file(web, paused):
    sent = send(web.address, paused)
    assert sent.complaint == ""
    told = json.loads(web.taken[0])
    assert (told["title"], told["message"]) == (REPORT.title, REPORT.body)
    assert told["attachments"][0]["filename"] == "report.html"
    assert paused == []


def test_a_mail_gets_the_file_as_an_attachment(post, paused):
    assert send(post.address, paused).complaint == ""
    mail = message_from_bytes(post.taken[0].content)
    assert mail["Subject"] == REPORT.title
    parts = {p.get_filename(): p.get_payload(decode=True) for p in mail.walk() if not p.is_multipart()}
    assert parts["report.html"] == b"<p>whole</p>"
    assert post.taken[0].rcpt_tos == ["boss@example.com"]


@pytest.mark.parametrize("server", ["web", "post"])
def test_a_failure_is_tried_again_with_growing_pauses_until_it_is_taken(server, request, paused):
    served = request.getfixturevalue(server)
    served.refusals = 2
    assert send(served.address, paused).complaint == ""
    assert served.tries == 3
    assert paused == list(WAITS_S[:2])
    assert paused[1] > paused[0]


def test_what_fails_to_the_end_is_kept_told_by_kind_only_and_delivered_by_the_next_run(web, outbox, paused):
    web.refusals = len(WAITS_S) + 1
    target = notify.target_of(web.address, "here")
    sent = send(web.address, paused)
    assert sent.complaint == "1 delivery failed (json)"
    assert SECRET not in repr(sent) + repr(target)
    notify.keep(outbox, sent.failed)
    (kept,) = outbox.folder.iterdir()
    assert SECRET not in kept.read_text()
    assert str(web.server.server_port) not in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert web.taken == []
    again = notify.flush(outbox, [target], sleep=paused.append)
    assert [m.title for m, _ in again.delivered] == [REPORT.title]
    assert json.loads(web.taken[0])["attachments"][0]["filename"] == "report.html"
    assert list(outbox.folder.iterdir()) == []


def test_the_same_failure_twice_is_kept_once_and_one_for_an_address_gone_is_told(web, outbox, tmp_path):
    target = notify.target_of(web.address, "here")
    notify.keep(outbox, [(REPORT, target), (REPORT, target)])
    assert len(outbox.entries()) == 1
    sent = notify.flush(outbox, [notify.target_of(str(tmp_path / "folder"), "here")])
    assert sent.complaint == "1 kept for an address that is not configured any more"
    assert len(outbox.entries()) == 1


def test_a_service_that_is_down_is_waited_for_once_and_keeps_no_other_waiting(web, tmp_path, paused):
    web.refusals = 99
    down, up = notify.target_of(web.address, "here"), notify.target_of(str(tmp_path / "out"), "here")
    two = [notify.Message(name, name, "text") for name in ("first", "second")]
    sent = notify.send(two, [down, up], sleep=paused.append)
    assert [m.name for m, _ in sent.delivered] == ["first", "second"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["first.txt", "second.txt"]
    assert paused == list(WAITS_S)
    assert web.tries == len(WAITS_S) + 2


def test_nothing_listens_is_a_failure_like_any_other(paused):
    sent = send(f"json://127.0.0.1:9/{SECRET}", paused)
    assert sent.complaint == "1 delivery failed (json)"


def test_addresses_come_from_the_variable_else_from_a_file_that_only_the_owner_reads(monkeypatch, tmp_path):
    monkeypatch.setattr(notify.targets.platformdirs, "user_config_dir", lambda _: str(tmp_path))
    monkeypatch.delenv(notify.ENVIRONMENT, raising=False)
    assert notify.configured() == []
    file = tmp_path / notify.CONFIG
    file.write_text(f"# mine\n\njson://host.example/{SECRET}\n{tmp_path}/out\n")
    file.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        notify.configured()
    file.chmod(0o600)
    assert [t.kind for t in notify.configured()] == ["json", "folder"]
    monkeypatch.setenv(notify.ENVIRONMENT, f"  json://a.example/x\n{tmp_path}/b ")
    assert [t.address for t in notify.configured()] == ["json://a.example/x", f"{tmp_path}/b"]


def test_an_address_that_cannot_be_understood_is_named_by_its_place_not_by_itself(monkeypatch):
    monkeypatch.setenv(notify.ENVIRONMENT, f"json://fine.example/x nosuchservice://{SECRET}")
    with pytest.raises(UsageError) as told:
        notify.configured()
    assert f"address 2 of ${notify.ENVIRONMENT}" in str(told.value)
    assert SECRET not in str(told.value)
