"""Whatever the umask: store, its copy while it is written, key, spool, pull folder and outbox are their owner's only."""

import os
import stat

import pytest

from analysis import notify, pipeline
from analysis.pipeline.spool import Spool
from analysis.store import Store, connect
from tests import events
from tests.live import fake_linq, faults
from tests.live.fake_linq import Fake
from tests.serve.receiving import event, made, post

pytestmark = pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")


@pytest.fixture(autouse=True)
def open_umask():
    before = os.umask(0)
    yield
    assert os.umask(before) == 0  # it was put back


def _open_to_others(folder) -> list[str]:
    """Files below a folder that others can read or change; what is inside an owner's folder is out of reach."""
    found = []
    for path in folder.iterdir():
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            found.append(path.name)
        elif path.is_dir():
            continue
    return found


def test_store_copy_spool_pull_and_outbox_are_the_owners_only(store, write, monkeypatch, facts_only):
    seen = []
    real = connect.Store._swap_in

    def swap(self, copy):
        seen.extend(_open_to_others(store.parent))
        real(self, copy)

    monkeypatch.setattr(connect.Store, "_swap_in", swap)
    log = write("a.jsonl", [events.message("message.sent", "m1", 1), events.created("chat-1", 0)])
    pipeline.load(log, store=store)
    assert stat.S_IMODE(store.parent.stat().st_mode) & 0o077 == 0
    store.parent.chmod(0o755)
    with Store(store).writer() as con:
        con.execute("create temp table big as select range from range(1000)")
        seen.extend(_open_to_others(store.parent))
    post(made(store), event(events.message("message.sent", "m2", 2)))
    pipeline.fold(store)
    clear = Spool.clear
    monkeypatch.setattr(Spool, "clear", lambda self: (seen.extend(_open_to_others(store.parent)), clear(self))[1])
    pipeline.pull(store, api=faults.api(Fake(fake_linq.world(7, lines=1, chats=2, messages=6))))
    box = notify.Outbox.beside(store)
    notify.keep(box, [(notify.Message("a", "b", "c"), notify.target_of(str(store.parent / "out"), "test"))])
    assert seen == []
    assert _open_to_others(store.parent) == []


@pytest.fixture
def facts_only(monkeypatch):
    from analysis.pipeline import pulling, writing

    for module in (pulling, writing):
        monkeypatch.setattr(module, "derive", lambda *args, **more: None)


def test_the_key_is_the_owners_only_when_it_is_made_and_when_it_is_rotated(tmp_path, monkeypatch, store):
    monkeypatch.delenv("LINEHEALTH_KEY")
    monkeypatch.setenv("LINEHEALTH_KEY_FILE", str(tmp_path / "keys" / "k"))
    pipeline.rotate_key(store)
    assert len((tmp_path / "keys" / "k").read_text().split()) == 2
    assert _open_to_others(tmp_path / "keys") == []
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) & 0o077 == 0
