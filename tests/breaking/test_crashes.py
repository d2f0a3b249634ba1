"""Kills, full and read-only disks, power cuts, files that change, damaged stores: the fast versions of the commands in this folder's README."""

import collections
import contextlib
import os
import random
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from analysis import pipeline
from analysis.errors import LineHealthError, StoreError
from analysis.sources import reading
from analysis.store import connect, kept
from tests.breaking import damage, kills, power
from tests.sweep import EVERY

HEAD = "message_id,line,chat_id,direction,sent_at\n"


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A store of three lines without their last deliveries, and these."""
    patch = pytest.MonkeyPatch()
    patch.setenv("LINEHEALTH_KEY", "a key that only the tests use")
    store, (_, last) = kills.made(tmp_path_factory.mktemp("small"), lines=1, days=6)
    patch.undo()
    return store, last


@pytest.fixture
def here(small, tmp_path):
    """A copy of that store, and the file still to come."""
    for path in small[0].parent.glob("made.duckdb*"):
        shutil.copy(path, tmp_path / path.name)
    return tmp_path / "made.duckdb", small[1]


def ran(*words, **more):
    call = [sys.executable, "-m", "analysis", *map(str, words)]
    return subprocess.run(call, capture_output=True, text=True, timeout=120, **more)


def one_sentence(text):
    return text.startswith("linehealth: ") and text.count("\n") == 1 and "Traceback" not in text


# ---------------------------------------------------------------- kills


def test_killed_at_random_moments_a_command_run_again_ends_as_if_undisturbed(here, tmp_path):
    if EVERY:
        figures = kills.run(tmp_path, kills=40, seed=3)
    else:
        figures = kills.run(tmp_path, kills=3, seed=23, shares={"load": 1.0}, begin=(here[0], ["load", here[1]]))
    assert figures.wrong == []
    assert figures.kills.total() >= 3
    assert figures.looks >= 3


def test_what_a_killed_load_had_spilled_to_the_disk_does_not_stop_the_next_one(here):
    store, last = here
    spilled = store.parent / f".{store.name}.99999.new.tmp"
    spilled.mkdir()
    (spilled / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"rows that did not fit in memory")
    assert pipeline.load(last, store=store).totals["inserted"] > 0
    assert not list(store.parent.glob(".*.new*"))


# ---------------------------------------------------------------- disks


@contextlib.contextmanager
def mounted(folder: Path, options: str):
    """Mount a small disk of memory, where one may."""
    folder.mkdir()
    told = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False
    )
    if told.returncode:
        pytest.skip("only root may mount a disk here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_leaves_the_store_as_it_was_and_is_told_in_a_sentence(here, tmp_path):
    store, last = here
    with mounted(tmp_path / "disk", f"size={store.stat().st_size // 1024 + 1500}k") as disk:
        for path in store.parent.glob("made.duckdb*"):
            shutil.copy(path, disk / path.name)
        before = (disk / store.name).read_bytes()
        told = ran("load", last, "--store", disk / store.name)
        assert told.returncode == 1
        assert one_sentence(told.stderr)
        assert "the store cannot be written" in told.stderr
        assert "free disk space" in told.stderr
        assert (disk / store.name).read_bytes() == before
        assert not list(disk.glob(".*.new*"))


def test_a_file_may_not_grow_further_in_the_middle_of_a_write(here):
    store, last = here
    before, most = store.read_bytes(), store.stat().st_size + 50_000
    told = ran(
        "load",
        last,
        "--store",
        store,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
    )
    assert told.returncode == 1
    assert one_sentence(told.stderr)
    assert store.read_bytes() == before
    assert not list(store.parent.glob(".*.new*"))


def test_a_read_only_disk_can_be_read_and_says_so_when_written(here, tmp_path):
    store, last = here
    with mounted(tmp_path / "disk", "size=64m") as disk:
        for path in store.parent.glob("made.duckdb*"):
            shutil.copy(path, disk / path.name)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        told = ran("status", "--store", disk / store.name)
        assert told.returncode == 0, told.stderr
        told = ran("load", last, "--store", disk / store.name)
        assert told.returncode == 1
        assert one_sentence(told.stderr)
        assert "Read-only file system" in told.stderr


# ---------------------------------------------------------------- power cuts


def test_after_a_power_cut_at_any_moment_of_a_write_the_store_is_the_old_or_the_new_one(here, tmp_path):
    store, last = here
    folder = tmp_path / "disk"
    folder.mkdir()
    for path in store.parent.glob("made.duckdb*"):
        shutil.move(path, folder / path.name)
    store = folder / store.name
    old = kills.state(store)
    disk = power.Disk(folder)
    with disk.watched():
        pipeline.load(last, store=store)
    new = kills.state(store)
    came = collections.Counter()
    tried: dict[tuple, str] = {}
    for number, (what, *states) in enumerate(disk.after):
        for kind, files in enumerate(states):
            key = tuple(sorted((name, hash(data)) for name, data in files.items()))
            if key not in tried:
                found = kills.state(power.written(files, tmp_path / f"cut-{number}-{kind}") / store.name)
                tried[key] = "old" if found == old else "new" if found == new else f"neither, after {what}"
            came[tried[key]] += 1
    assert set(came) == {"old", "new"}
    assert {tried[tuple(sorted((n, hash(d)) for n, d in files.items()))] for files in disk.after[-1][1:]} == {"new"}
    assert len(disk.after) >= 6


# ---------------------------------------------------------------- files that change


@pytest.mark.parametrize("how", ["grows", "shrinks", "is another one", "is gone"])
def test_a_file_that_changes_while_it_is_read_is_refused_and_nothing_of_it_is_kept(store, write, monkeypatch, how):
    rows = [f"m{i},+14155550101,c{i % 9},outbound,2026-03-01T00:{i % 60:02d}:00Z\n" for i in range(500)]
    path, other = write("m.csv", HEAD + "".join(rows)), write("other.csv", HEAD + "o1,+14155550102,x,outbound,2026-03-01T00:00:00Z\n")  # fmt: skip
    plain = reading._read_csv

    def in_the_middle(at, *told):
        if Path(at).name == "m.csv":
            if how == "grows":
                with path.open("a") as file:
                    file.write(rows[0].replace("m0", "m500"))
            elif how == "shrinks":
                os.truncate(path, 300)
            elif how == "is gone":
                path.unlink()
            else:
                path.write_text(HEAD + "".join(r.replace("m", "n", 1) for r in rows))
        plain(at, *told)

    monkeypatch.setattr(reading, "_read_csv", in_the_middle)
    report = pipeline.load([path, other], store=store)
    assert ["changed while it was read" in e.problem for e in report.failed] == [True]
    assert pipeline.messages(store)["message_id"].to_list() == ["o1"]
    monkeypatch.undo()


# ---------------------------------------------------------------- damaged stores


@pytest.mark.parametrize("how", ["flips", "empty"] if not EVERY else damage.HURTS)
def test_a_damaged_store_is_said_so_and_rebuilt(small, here, how):
    store, _ = here
    pipeline.refresh(store=store, full=True)
    whole = kills.state(store)
    word, wrong = damage.tried(store, whole, how, random.Random(5))
    assert wrong == []
    assert word == "files loaded again" or how != "empty"


def test_a_file_that_is_gone_or_changed_is_named_by_a_rebuild(store, write):
    first = write("a.csv", HEAD + "a1,+14155550101,c,outbound,2026-03-01T00:00:00Z\n")
    second = write("b.csv", HEAD + "b1,+14155550101,c,outbound,2026-03-02T00:00:00Z\n")
    third = write("c.csv", HEAD + "c1,+14155550101,c,outbound,2026-03-03T00:00:00Z\n")
    pipeline.load([first, second, third], store=store)
    assert kept.list_path(store).stat().st_mode & 0o077 == 0
    second.unlink()
    third.write_text("another")
    store.write_bytes(b"\0" * 100_000)
    with pytest.raises(StoreError, match="the store is damaged; run `linehealth rebuild`"):
        pipeline.status(store)
    report = pipeline.rebuild(store)
    assert report.loaded == [str(first)]
    assert [path for path, _ in report.missing] == [str(second), str(third)]
    assert pipeline.messages(store)["message_id"].to_list() == ["a1"]
    assert Path(report.damaged).read_bytes() == b"\0" * 100_000


def test_a_store_that_is_sound_is_not_rebuilt(here):
    store, _ = here
    before = store.read_bytes()
    with pytest.raises(StoreError, match="not damaged"):
        pipeline.rebuild(store)
    assert store.read_bytes() == before


def test_a_failed_swap_is_a_sentence(here, monkeypatch):
    store, last = here
    before = store.read_bytes()
    monkeypatch.setattr(connect.Store, "_swap_in", lambda self, copy: os.open("/no/such", os.O_RDONLY))
    with pytest.raises(LineHealthError, match="the old one is unchanged"):
        pipeline.load(last, store=store)
    assert store.read_bytes() == before
