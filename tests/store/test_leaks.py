"""Thousands of planted secrets are in no file, listing, log, error, page, report or answer: plain, hashed without a key, or as base64."""

import contextlib
import io
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

import duckdb
import polars as pl
import pytest

from analysis import pipeline
from analysis.bench.deliveries import signed
from analysis.errors import LineHealthError
from analysis.report import report
from analysis.sources.pseudonym import Pseudonyms
from analysis.store import connect
from tests.browser.driving import NEEDS_CHROMIUM, browser, settle, window
from tests.browser.driving import app as serving
from tests.live import fake_linq, faults
from tests.live.fake_linq import Fake
from tests.serve.receiving import made, post
from tests.store import planted
from tests.sweep import EVERY

PAGES = ("fleet", "why", "replies", "delivery", "new", "ahead", "helped", "transitions", "data", "chat", "chats")
SEARCH = planted.Search()


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """Do everything that reads; keep what each step left behind for a moment or for good, said, or logged."""
    folder = tmp_path_factory.mktemp("leaks")
    patch = pytest.MonkeyPatch()
    patch.setenv("LINEHEALTH_KEY", "a key that only the tests use")
    seen: dict[str, bytes] = {}
    scratch = folder / "scratch"
    scratch.mkdir()
    patch.setattr(tempfile, "tempdir", str(scratch))
    real_clean, real_clear, real_swap = tempfile.TemporaryDirectory.cleanup, connect._clear, connect.Store._swap_in

    def clean(self):
        for path in Path(self.name).rglob("*"):
            if path.suffix == ".parquet":  # packed: its cells are looked at too
                seen[f"scratch {path.name} cells {len(seen)}"] = pl.read_parquet(path).write_json().encode()
            if path.is_file():
                seen[f"scratch {path.name} {len(seen)}"] = path.read_bytes()
        real_clean(self)

    def clear(copy):
        look(copy)
        real_clear(copy)

    def swap(self, copy):
        look(copy)
        real_swap(self, copy)

    def look(copy):
        for path in copy.parent.glob(f"{copy.name}*"):
            seen[f"copy {path.name} {len(seen)}"] = path.read_bytes()

    patch.setattr(tempfile.TemporaryDirectory, "cleanup", clean)
    patch.setattr(tempfile.TemporaryDirectory, "__exit__", lambda self, *_: self.cleanup())
    patch.setattr(connect, "_clear", clear)
    patch.setattr(connect.Store, "_swap_in", swap)
    logged = io.StringIO()
    handler = logging.StreamHandler(logged)
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.DEBUG)
    store = folder / "store" / "leaks.duckdb"
    try:
        files = planted.write_exports(folder / "in")
        report_ = pipeline.load([str(f) for f in files], store=store)
        seen["load"] = json.dumps(report_.as_json()).encode()
        assert report_.totals["quarantined"] > 800
        assert report_.totals["inserted"] > 2500
        with duckdb.connect(str(store)) as con:  # a write-ahead log with facts in it
            con.execute("set wal_autocheckpoint = '1TB'; create table probe as select * from message; drop table probe")
            seen["log of the database"] = Path(f"{store}.wal").read_bytes() if Path(f"{store}.wal").exists() else b""
        receiver = made(store)
        posts = [planted._message(n) for n in range(0, 60)] + [b for b in planted.broken(5) if isinstance(b, dict)]
        bodies = [json.dumps(p).encode() for p in posts] + [planted.broken(7)[-1].encode()]
        answers = post(receiver, *((signed(f"d{n}", b), b) for n, b in enumerate(bodies)), ({"webhook-id": planted.text(1)}, bodies[0]), ({}, bodies[1]))  # fmt: skip
        seen["answers of the receiver"] = (
            b"".join(a.content + str(a.headers).encode() for a in answers) + receiver.measures.text()
        )
        assert {a.status_code for a in answers} == {200, 401}
        for path in receiver.spool.folder.iterdir():
            seen[f"spool {path.name}"] = path.read_bytes()
        pipeline.fold(store)
        from analysis.pipeline.spool import Spool

        kept = Spool.clear
        patch.setattr(
            Spool,
            "clear",
            lambda self: (
                seen.update({"pulled rows": self.path.read_bytes()} if self.path.exists() else {}),
                kept(self),
            )[1],
        )
        pipeline.pull(store, api=faults.api(Fake(planted.world(fake_linq.world(3)))))
        assert len(seen["pulled rows"]) > 10_000
        pipeline.keep_audit(planted.audit(), line=planted.LINE, store=store)
        for bad in ({"audit_id": planted.text(1)}, planted.text(1), {**planted.audit(), "phone": planted.phone(1)}):
            with pytest.raises(LineHealthError) as told:
                pipeline.keep_audit(bad, store=store)
            seen[f"error {len(seen)}"] = str(told.value).encode()
        with pytest.raises(LineHealthError) as told:
            pipeline.add_action(
                "slower",
                line=planted.LINE,
                at="2026-09-05",
                label=planted.text(1) + " " + planted.phone(1),
                store=store,
            )
        seen["error of an action"] = str(told.value).encode()
    finally:
        logging.getLogger().removeHandler(handler)
        logging.getLogger().setLevel(logging.WARNING)
        patch.undo()
    seen["logs"] = logged.getvalue().encode()
    return store, seen


def test_the_search_finds_what_is_planted(tmp_path):
    import base64
    import hashlib

    for shown in (
        planted.phone(7), planted.mail(8).upper(), f"x{planted.text(9)}y", hashlib.sha256(planted.phone(3).encode()).hexdigest(),
        hashlib.md5(planted.mail(4).lower().encode()).hexdigest(), base64.b64encode(f"hello {planted.text(5)}".encode()).decode(),
        base64.b64encode(f"ab{planted.phone(6)}".encode()).decode(), base64.b64encode(hashlib.sha256(planted.phone(3).encode()).digest()).decode(),
    ):  # fmt: skip
        assert SEARCH.found(f'{{"x":"{shown}"}}'), shown
    assert not SEARCH.found(Pseudonyms(b"k" * 20).name("2067770001", "p_"))
    raw = b"".join(p.read_bytes() for p in planted.write_exports(tmp_path) if p.suffix == ".csv")
    assert len(set(SEARCH.found(raw))) > planted.PEOPLE
    assert len(planted.secrets()) > 10_000


def test_no_secret_is_in_what_reading_left_for_a_moment_or_for_good(left):
    store, seen = left
    assert sum(name.startswith("scratch") for name in seen) > 5
    assert sum(name.startswith("copy") for name in seen) > 2
    assert sum(name.startswith("spool") for name in seen) > 0
    for name, data in seen.items():
        assert not SEARCH.found(data), name
    for path in store.parent.rglob("*"):
        if path.is_file():
            assert not SEARCH.found(path.read_bytes()), path.name
    with duckdb.connect(str(store), read_only=True) as con:
        for (table,) in con.execute("select table_name from duckdb_tables() where not internal").fetchall():
            assert not SEARCH.found(con.sql(f"select * from {table}").pl().write_json()), table


def test_no_secret_is_in_listings_reports_and_evidence(left, command):
    store, _ = left
    more = (
        (("quarantine",), ("status",), ("signals", "--json"), ("gate", "--json"), ("alerts", "--json")) if EVERY else ()
    )
    for words in (("quarantine", "--json"), ("explain", "--json"), *more):
        code, out, err = command(*words, "--store", store)
        assert code == 0
        assert not SEARCH.found(out + err), words
    made_ = report(store)
    assert not SEARCH.found(made_.html)
    assert not SEARCH.found(made_.markdown)
    with zipfile.ZipFile(io.BytesIO(pipeline.evidence(store, line=planted.LINE))) as packed:
        for name in packed.namelist():
            assert not SEARCH.found(packed.read(name)), name


@pytest.mark.parametrize("page", PAGES if EVERY else ("data",))
def test_no_secret_is_on_a_page(left, monkeypatch, page):
    from streamlit.testing.v1 import AppTest

    store, _ = left
    monkeypatch.setenv("LINEHEALTH_STORE", str(store))
    at = AppTest.from_file(str(Path(__file__).resolve().parents[2] / "app.py"), default_timeout=120).run()
    if page != "fleet":
        at.switch_page(f"analysis/pages/{page}.py").run()
    assert not at.exception
    told = "".join(
        str(e.proto)
        for kind in ("html", "markdown", "arrow_vega_lite_chart", "arrow_data_frame", "button", "selectbox")
        for e in at.get(kind)
    )
    assert len(told) > 500
    assert not SEARCH.found(told)


@pytest.mark.skipif(not EVERY, reason="$LINEHEALTH_EVERY=1")
def test_no_secret_is_in_a_notebook(left, tmp_path):
    pytest.importorskip("nbformat")
    from tests.test_notebooks import NOTEBOOKS, RUN

    for path in NOTEBOOKS:
        done = tmp_path / path.name
        run = subprocess.run([sys.executable, "-c", RUN, str(path), str(done)], env={**os.environ, "LINEHEALTH_STORE": str(left[0])}, capture_output=True, text=True, check=False)  # fmt: skip
        assert run.returncode == 0, run.stderr[-2000:]
        assert not SEARCH.found(done.read_bytes())
        assert not SEARCH.found(run.stdout + run.stderr)


@pytest.mark.browser
@NEEDS_CHROMIUM[1]
@pytest.mark.skipif(not EVERY, reason="$LINEHEALTH_EVERY=1")
def test_no_secret_goes_to_the_browser_or_into_a_pdf(left, tmp_path):
    store, _ = left
    sent: list[bytes] = []
    with serving(store) as address, browser() as chrome, window(chrome) as (page, _seen):
        page.on(
            "websocket",
            lambda ws: ws.on("framereceived", lambda f: sent.append(f if isinstance(f, bytes) else f.encode())),
        )
        page.on(
            "response",
            lambda r: sent.append(r.body()) if r.ok and "text" in r.headers.get("content-type", "") else None,
        )
        for name in PAGES:
            page.goto(f"{address}/{'' if name == 'fleet' else name}")
            settle(page)
            sent.append(page.content().encode())
    assert sum(map(len, sent)) > 500_000
    for data in sent:
        assert not SEARCH.found(data)
    printed = report(store).pdf
    packed = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", printed, re.DOTALL)
    assert len(packed) > 10
    for data in (printed, *map(unpacked, packed)):
        assert not SEARCH.found(data)


def unpacked(stream: bytes) -> bytes:
    """Return what a stream of a PDF holds; as it is where it is not packed."""
    with contextlib.suppress(zlib.error):
        return zlib.decompress(stream)
    return stream
