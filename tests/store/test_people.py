"""A rotated key names everybody anew and loses nobody; who is forgotten is gone from every file, stays gone, and still counts."""

import json
import re
import shutil
from pathlib import Path

import duckdb
import polars as pl
import pytest

from analysis import pipeline
from analysis.errors import LineHealthError, StoreError
from analysis.sources import Pseudonyms, load_key
from analysis.store import salvage
from tests import events
from tests.serve.receiving import event, made, post

LINE, ADA, BEN = events.LINE, "+12065550117", "ben@example.com"
TABLE = "line,chat_id,recipient,direction,sent_at,fingerprint\n" + "".join(
    f"{LINE},{chat},{who},outbound,2026-09-0{day}T12:00:00Z,hello\n"
    for day in range(1, 8)
    for chat, who in (("", ADA), ("", BEN), ("", ADA), ("c-ben", BEN))
)
LOG = [
    events.created(f"{LINE};{ADA}", 0, person=ADA),
    events.created("c-ben", 0, person=BEN),
    *(
        events.message("message.sent", f"ada-message-{n}", n, chat=f"{LINE};{ADA}", person=ADA, health="AT_RISK")
        for n in range(4)
    ),
    *(events.message("message.received", f"r{n}", n + 0.2, chat="c-ben", person=BEN) for n in range(4)),
    events.failed("ada-message-1", 3, chat=f"{LINE};{ADA}"),
    events.changed(5, "HEALTHY", "AT_RISK"),
]


@pytest.fixture
def keyed(monkeypatch, tmp_path) -> Path:
    monkeypatch.delenv("LINEHEALTH_KEY")
    path = tmp_path / "pseudonym.key"
    monkeypatch.setenv("LINEHEALTH_KEY_FILE", str(path))
    return path


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """The files, the key that was made for them, and the store they were loaded into; made once."""
    folder = tmp_path_factory.mktemp("people")
    files = [folder / "log.jsonl", folder / "t.csv"]
    files[0].write_text("".join(json.dumps(event) + "\n" for event in LOG), encoding="utf-8")
    files[1].write_text(TABLE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("LINEHEALTH_KEY", raising=False)
        patch.setenv("LINEHEALTH_KEY_FILE", str(folder / "pseudonym.key"))
        pipeline.load(files, store=folder / "store" / "test.duckdb")
    return folder, files


@pytest.fixture
def loaded(store, originals, keyed):
    folder, files = originals
    shutil.copytree(folder / "store", store.parent)
    shutil.copy(folder / "pseudonym.key", keyed)
    return files


def _facts(store) -> dict[str, list]:
    with duckdb.connect(str(store), read_only=True) as con:
        return {
            t: con.execute(f"select * from {t} order by all").fetchall() for t in ("message", "chat", "chat_health")
        }


def _named(store) -> set[str]:
    return set(re.findall(r"[phft]_[0-9a-f]{20}", str(_facts(store))))


def _signals(store) -> pl.DataFrame:
    return pipeline.signals(store)


def test_after_a_rotation_nobody_has_the_old_name_and_every_later_load_meets_the_same_people(
    store, loaded, keyed, write, command
):
    before, figures = _facts(store), _signals(store)
    old = _named(store)
    code, out, _ = command("key", "rotate", "--store", store)
    assert code == 0, out
    assert len(keyed.read_text().split()) == 2
    assert keyed.stat().st_mode & 0o077 == 0
    assert not old & _named(store)
    raw = store.read_bytes()
    assert not {name for name in old if name.encode() in raw}
    assert {t: len(rows) for t, rows in _facts(store).items()} == {t: len(rows) for t, rows in before.items()}
    assert _signals(store).equals(figures)
    # the same rows in other files: all of them are known
    report = pipeline.load(
        [write("again.jsonl", [*LOG, LOG[0]]), write("again.csv", TABLE.replace("\n", "\n\n"))], store=store
    )
    assert report.totals["duplicates"] == report.totals["read"] > 30
    assert report.totals["inserted"] == 0


def test_a_store_made_with_all_keys_is_the_store_that_was_brought_forward(store, loaded, keyed, tmp_path):
    pipeline.rotate_key(store)
    pipeline.rotate_key(store)
    pipeline.load(loaded, store=tmp_path / "fresh.duckdb")
    assert _facts(store) == _facts(tmp_path / "fresh.duckdb")


def test_another_store_of_the_key_follows_when_it_is_next_written(store, loaded, keyed, tmp_path, write):
    other = tmp_path / "other.duckdb"
    pipeline.load(loaded, store=other)
    pipeline.rotate_key(store)
    report = pipeline.load(
        write("more.jsonl", [*LOG, events.message("message.sent", "new", 9, chat="c-ben", person=BEN)]), store=other
    )
    assert (report.totals["inserted"], report.totals["duplicates"]) == (1, len(LOG))
    assert _named(other) == _named(store)


def test_what_a_receiver_got_before_the_rotation_belongs_to_the_same_people_after_it(store, loaded, keyed):
    post(made(store), event(events.message("message.received", "r9", 9, chat=f"{LINE};{ADA}", person=ADA)))
    pipeline.rotate_key(store)
    post(made(store), event(events.message("message.received", "r10", 10, chat=f"{LINE};{ADA}", person=ADA)))
    assert pipeline.fold(store).inserted == 1
    (name,) = Pseudonyms(load_key()).recipients(pl.Series([ADA]))
    with duckdb.connect(str(store)) as con:
        told = con.execute(
            "select message_id, recipient, chat_id from message where message_id in ('r9', 'r10') order by 1"
        ).fetchall()
    assert len({row[1:] for row in told}) == 1
    assert told[0][1] == name


def test_a_rotation_is_refused_while_a_receiver_runs_and_leaves_the_key_alone(store, loaded, keyed):
    receiver = made(store)
    with receiver.spool.only(pipeline.RECEIVER), pytest.raises(StoreError, match="a receiver runs on this store"):
        pipeline.rotate_key(store)
    assert len(keyed.read_text().split()) == 1


def test_a_key_in_the_environment_is_not_rotated_and_an_old_key_file_is_recognised(
    store, loaded, keyed, monkeypatch, command, tmp_path
):
    old = keyed.read_text()
    pipeline.rotate_key(store)
    keyed.write_text(old)
    code, _, err = command("load", loaded[0], "--store", store)
    assert (code, err.count("\n")) == (1, 1)
    assert "restore the key file" in err
    monkeypatch.setenv("LINEHEALTH_KEY", "a key that is long enough")
    with pytest.raises(StoreError, match="the key is in the environment"):
        pipeline.rotate_key(tmp_path / "none.duckdb")


def test_a_rotation_that_was_killed_after_the_key_was_added_is_finished_by_the_next_load(
    store, loaded, keyed, monkeypatch, write
):
    from analysis.pipeline import people

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):  # noqa: PT012  # the patch must be undone with it
        patch.setattr(people, "derive", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
        pipeline.rotate_key(store)
    old = _named(store)
    report = pipeline.load(write("again.jsonl", [*LOG, LOG[0]]), store=store)
    assert report.totals["duplicates"] == len(LOG) + 1
    assert not old & _named(store)


@pytest.mark.parametrize("how", ["+1 (206) 555-0117", "p_"])
def test_who_is_forgotten_is_in_no_file_and_counts_as_before(store, loaded, keyed, command, how):
    figures = _signals(store)
    (name,) = Pseudonyms(load_key()).recipients(pl.Series([ADA]))
    chat = Pseudonyms(load_key()).name(f"{LINE};{ADA}", "h_")
    assert name in _named(store)
    code, out, err = command("forget", name if how == "p_" else how, "--store", store)
    assert code == 0, err
    assert "1 chats and 18 messages" in out
    assert name not in str(_facts(store)["message"]) + str(_facts(store)["chat"])
    assert chat not in str(_facts(store))
    assert "ada-message" not in str(_facts(store))
    assert _signals(store).equals(figures)
    with duckdb.connect(str(store), read_only=True) as con:
        tables = [
            t
            for (t,) in con.execute(
                "select table_name from duckdb_tables() where not internal and table_name <> 'forgotten'"
            ).fetchall()
        ]
        kept = "\n".join(con.sql(f"select * from {t}").pl().write_ndjson() for t in tables)
    assert not {word for word in (name, chat) if word in kept}
    raw = b"".join(p.read_bytes() for p in store.parent.iterdir() if p.is_file())
    assert b"ada-message" not in raw
    assert b"2065550117" not in raw


def test_no_later_load_brings_them_back_and_the_counts_say_so(store, loaded, keyed, write):
    pipeline.forget(ADA, store)
    before, figures = _facts(store), _signals(store)
    more = events.message("message.sent", "new", 30, chat="c-new", person=ADA)
    listed = events.created("c-new", 29, person=ADA)
    report = pipeline.load([write("again.jsonl", [*LOG, listed]), write("again.csv", TABLE + "\n")], store=store)
    assert report.totals["inserted"] == report.totals["merged"] == 0
    assert {s.kind: s.ignored_kinds for s in report.sources} == {
        "webhook": {"forgotten": 7},
        "messages": {"forgotten": 14},
    }
    for s in report.sources:
        assert s.read == s.inserted + s.merged + s.duplicates + s.ignored + s.quarantined
    post(made(store), event(listed), event(more, name="n2"))
    assert pipeline.fold(store).ignored == 2
    pipeline.refresh(store=store, full=True)
    assert _signals(store).filter(pl.col("day") <= figures["day"].max()).equals(figures)
    assert _facts(store) == before


def test_a_new_chat_of_theirs_whose_messages_came_first_loses_its_name_when_it_is_told_whose_it_is(
    store, loaded, keyed, write
):
    pipeline.forget(ADA, store)
    pipeline.load(
        write("first.jsonl", [events.message("message.sent", "ada-later", 30, chat="c-later", person=ADA)]), store=store
    )
    assert "ada-later" in str(_facts(store))
    sends = _signals(store)["outbound"].sum()
    report = pipeline.load(write("then.jsonl", [events.created("c-later", 29, person=ADA)]), store=store)
    assert report.totals["ignored"] == 1
    assert not re.findall("ada-later|c-later", str(_facts(store)))
    assert _signals(store)["outbound"].sum() == sends


def test_forgetting_holds_after_a_rotation_and_a_rotation_after_forgetting(store, loaded, keyed, write):
    pipeline.rotate_key(store)
    pipeline.forget(ADA, store)
    pipeline.rotate_key(store)
    before = _facts(store)
    report = pipeline.load([write("again.jsonl", [*LOG, LOG[0]]), write("again.csv", TABLE + "\n")], store=store)
    assert report.totals["inserted"] == report.totals["merged"] == 0
    assert report.totals["ignored"] > 15
    assert _facts(store) == before


def test_a_stranger_may_be_forgotten_before_they_ever_come(store, loaded, keyed, write, command):
    code, out, _ = command("forget", "carol@example.com", "--store", store)
    assert code == 0
    assert "nothing of this person" in out
    report = pipeline.load(
        write("new.csv", f"line,recipient,direction,sent_at\n{LINE},Carol@Example.com,outbound,2026-09-03T12:00:00Z\n"),
        store=store,
    )
    assert report.totals["ignored"] == 1


@pytest.mark.parametrize("recipient", ["", "  ", "tel:"])
def test_nobody_cannot_be_forgotten(store, loaded, recipient):
    with pytest.raises(LineHealthError, match="nobody is named"):
        pipeline.forget(recipient, store)


def test_the_rewritten_store_is_whole(store, loaded, keyed):
    def shape():
        with duckdb.connect(str(store), read_only=True) as con:
            return [
                con.execute(f"select {what} order by all").fetchall()
                for what in (
                    "table_name, comment from duckdb_tables() where not internal",
                    "view_name, comment from duckdb_views() where not internal",
                    "table_name, column_name, comment, data_type, is_nullable from duckdb_columns() where not internal",
                    "table_name, constraint_text from duckdb_constraints() where schema_name = 'main'",
                )
            ]

    before = shape()
    pipeline.rotate_key(store)
    assert shape() == before


@pytest.mark.parametrize("readable", [True, False])
def test_a_store_rebuilt_after_a_rotation_names_people_as_before_and_later_loads_meet_them(
    store, loaded, keyed, monkeypatch, readable
):
    """As many keys as the damaged store says, or, where that cannot be read, as there are."""
    pipeline.rotate_key(store)
    before = _named(store)
    monkeypatch.setattr(salvage, "is_sound", lambda path: False)
    if not readable:
        monkeypatch.setattr(salvage, "generation", lambda broken: None)
    pipeline.rebuild(store)
    assert _named(store) == before
    report = pipeline.load(loaded, store=store)
    assert report.totals["inserted"] == report.totals["merged"] == 0
    assert _named(store) == before
