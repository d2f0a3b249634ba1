"""Fixtures shared by all tests: a key of their own, never the user's, and stores in temporary folders."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("here", deadline=None)  # a busy machine is no fault of the code
hypothesis.settings.load_profile("here")
SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from tests.shares import Shares

    return Shares(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items):
    from tests.shares import in_order

    items[:] = in_order(items)


def pytest_collection_finish():
    """Let collections go over what tests make, and seldom over all of that: what is imported stays, and going over it takes 0.2 s."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(700, 10, 50)


def pytest_unconfigure():
    """Let the interpreter end as it always does: DuckDB counts what nobody collected."""
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _own_key(monkeypatch):
    monkeypatch.setenv("LINEHEALTH_KEY", "a key that only the tests use")
    monkeypatch.delenv("LINEHEALTH_STORE", raising=False)


@pytest.fixture(scope="session", autouse=True)
def _new_stores_are_copies(tmp_path_factory):
    """Let stores made in this process begin as copies of an empty one: its tables are made once, not for every test."""
    from analysis.store import Store, migrations

    empty, version, copy_to = tmp_path_factory.mktemp("empty") / "empty.duckdb", migrations.VERSION, Store._copy_to
    with Store(empty).writer():
        pass

    def _copy_to(self: Store, copy: Path) -> None:
        copy_to(self, copy)
        if not self.path.exists() and version == migrations.VERSION:
            shutil.copyfile(empty, copy)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "_copy_to", _copy_to)
        yield


@pytest.fixture
def store(tmp_path) -> Path:
    return tmp_path / "store" / "test.duckdb"


@pytest.fixture(scope="session")
def examples() -> list[dict]:
    """The vendor's payloads (../shared/examples.jsonl), or a skip where they are not beside the project."""
    path = SHARED / "examples.jsonl"
    if not path.exists():
        pytest.skip("../shared/examples.jsonl is not beside the project")
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def command(monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in this process: its exit code, and what it wrote to stdout and stderr."""
    from analysis import cli

    monkeypatch.setattr(
        os, "setpriority", lambda *_: None, raising=False
    )  # a command may step back; the tests go on as they were

    def _run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["linehealth", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as e:
            code = int(e.code or 0)
        return code, *capsys.readouterr()

    return _run


@pytest.fixture
def write(tmp_path) -> Callable[..., Path]:
    """Write a file of JSON lines (dicts), text or bytes into the test's folder."""

    def _write(name: str, content) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
        return path

    return _write


@contextlib.contextmanager
def once(tmp_path_factory, name: str) -> Iterator[Path | None]:
    """Let one of the test processes make a folder that all of them read: its path where it is to be made, else None, for ``made`` has it."""
    place = made(tmp_path_factory, name)
    place.parent.mkdir(exist_ok=True)
    with place.with_name(f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (place / "done").exists():
            yield None
            return
        place.mkdir()
        yield place
        (place / "done").touch()


def made(tmp_path_factory, name: str) -> Path:
    """Return where a folder of ``once`` is."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "shared" / name


@pytest.fixture(scope="module")
def with_key() -> Iterator[None]:
    """The tests' key also for what is made once for a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINEHEALTH_KEY", "a key that only the tests use")
        yield


@pytest.fixture(scope="session")
def demo_files(tmp_path_factory) -> Path:
    """The default demo fleet as exports, made once."""
    from analysis.simulate import write_demo

    with once(tmp_path_factory, "demo") as folder:
        if folder is not None:
            write_demo(folder / "fleet")
    return made(tmp_path_factory, "demo") / "fleet"


@pytest.fixture(scope="session")
def demo_store(demo_files, tmp_path_factory) -> Path:
    """The default demo fleet, loaded once; tests only read it."""
    from analysis import pipeline

    with once(tmp_path_factory, "demo-store") as folder:
        if folder is not None:
            patch = pytest.MonkeyPatch()
            patch.setenv("LINEHEALTH_KEY", "a key that only the tests use")
            pipeline.load(demo_files, store=folder / "demo.duckdb")
            patch.undo()
    return made(tmp_path_factory, "demo-store") / "demo.duckdb"


@pytest.fixture(scope="session")
def weekly(demo_store):
    """The report of the demo fleet's last week, made once."""
    from analysis.report import report

    return report(demo_store)
