"""The table of the app's times on a small made-up fleet: every page and click has its figure, faults are told, bounds judged."""

import json
import time

import pytest

from analysis import pipeline
from analysis.bench import app as room
from analysis.bench import chromium
from analysis.bench.fleet import write_fleet
from analysis.bench.visit import PAGES, Imports, Took, Visit, visit
from analysis.errors import StoreError
from tests.sweep import EVERY, SWEEP

MESSAGES = 20_000


@pytest.fixture(scope="module")
def bench_store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench-app")
    patch = pytest.MonkeyPatch()
    patch.setenv("LINEHEALTH_KEY", "a key that only the tests use")
    write_fleet(folder / "fleet", messages=MESSAGES, lines=6, days=120, seed=3)
    pipeline.load(folder / "fleet", store=folder / "bench.duckdb")
    patch.undo()
    return folder / "bench.duckdb"


@SWEEP
def test_every_page_has_its_times_and_no_fault(bench_store):
    pages = PAGES if EVERY else ("why",)
    table = room.measured(bench_store, runs=1, in_browser=False, pages=pages)
    told = table.as_json()
    assert told["faults"] == []
    assert told["store"]["messages"] == MESSAGES
    rows = {(r["page"], r["what"]): r for r in told["script"]}
    for page in pages:
        own, whole = rows[page, "first page of a process, own work"], rows[page, "… with imports"]
        assert 0 < own["median_s"] < whole["median_s"]
        assert own["bound_s"] == room.FIRST_S
        assert rows[page, "again"]["runs"] == room.AGAIN
        assert page == "fleet" or not EVERY or (page, "opened after other pages, first time") in rows
    clicks = {(page, what.removeprefix("click: ")) for page, what in rows if what.startswith("click: ")}
    expected = {
        ("fleet", "filter by number"), ("fleet", "filter by health"),
        ("why", "another line"), ("why", "next change"), ("why", "what-if opened"), ("why", "period dragged"),
        ("replies", "period"), ("delivery", "period"), ("new", "day"), ("new", "period"), ("ahead", "filter by decision"), ("ahead", "plan"),
        ("transitions", "period"), ("transitions", "kind of change"),
    }  # fmt: skip
    assert clicks == {(page, what) for page, what in expected if page in pages}
    assert all(r["median_s"] <= r["worst_s"] for r in told["script"])
    assert table.as_text().count("\n| ") >= len(told["script"])


def test_imports_are_counted_once_and_apart(tmp_path, monkeypatch):
    (tmp_path / "slow_outer.py").write_text("import time, slow_inner\ntime.sleep(0.05)\n")
    (tmp_path / "slow_inner.py").write_text("import time\ntime.sleep(0.05)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with Imports() as imports:
        started = time.perf_counter()
        import slow_outer  # noqa: F401

        whole, once = time.perf_counter() - started, imports.took.wall
        time.sleep(0.05)
    assert 0.1 <= once <= whole  # the inner import is not counted a second time
    assert imports.took.wall == once


def test_a_page_that_shows_an_exception_is_a_fault(bench_store, monkeypatch):
    from analysis.pages import _fleet

    def broken(*_, **__):
        raise RuntimeError("planted")

    monkeypatch.setenv("LINEHEALTH_STORE", str(bench_store))
    monkeypatch.setattr(_fleet, "fleet", broken)
    told = visit("fleet", 1)
    assert told.faults[0].startswith("fleet: ")
    assert told.clicks == {}


def test_a_bound_is_kept_by_the_median_and_its_breach_stands_out():
    table = room.Table({"messages": 1, "lines": 1, "transitions": 0}, "a machine")
    table.script = [
        room.Row("fleet", "again", [0.1, 0.2, 0.9], [0.1], 0.3),
        room.Row("why", "again", [0.4, 0.5, 0.1], [0.1], 0.3),
        room.Row("new", "… with imports", [4.0], [1.0]),
    ]
    assert [r["within"] for r in table.as_json()["script"]] == [True, False, None]
    fleet, why, new = table.as_text().splitlines()[-3:]
    assert fleet == "| fleet | again | 3 | 0.200 | 0.900 | 0.100 | 0.3 | yes |"
    assert why.endswith("| 0.3 | **no** |")
    assert new.endswith("|  |  |")


def test_without_a_browser_the_table_says_why(bench_store, monkeypatch):
    monkeypatch.setattr(chromium, "binary", lambda: None)
    monkeypatch.setattr(room, "_visit", lambda store, page: Visit(Took(1, 1), Took(1, 1), [Took(1, 1)]))
    table = room.measured(bench_store, runs=1, pages=("data",))
    assert table.browser == []
    assert "no Chromium on PATH" in table.as_text()


def test_a_store_that_is_not_there_is_said_so(tmp_path, command):
    with pytest.raises(StoreError, match="no store at"):
        room.measured(tmp_path / "none.duckdb")
    code, _, err = command("bench", "app", "--store", tmp_path / "none.duckdb", "--messages", 10)
    assert code == 2
    assert "leave out one of the two" in err


def test_the_command_makes_a_fleet_of_its_own_and_prints_json(command, monkeypatch):
    monkeypatch.setattr(room, "_visit", lambda store, page: Visit(Took(1, 1), Took(1, 1), [Took(1, 1)]))
    code, out, _ = command("bench", "app", "--messages", "2_000", "--lines", 2, "--days", 30, "--no-browser", "--json")
    assert code == 0
    assert json.loads(out)["store"]["messages"] == 2000


@pytest.mark.browser
@SWEEP
@pytest.mark.skipif(chromium.binary() is None, reason="no Chromium on PATH: install one to see the app timed in it")
@pytest.mark.parametrize("page", ["fleet", "why", "replies", "new", "transitions"])
def test_in_chromium_a_page_is_timed_to_its_heading_its_charts_and_after_clicks(bench_store, page):
    told, faults = chromium.browsed(bench_store, page, runs=1)
    assert faults == []
    for visit_ in ("first visit of a server", "another visit"):
        assert 0 < told[f"{visit_}, to the heading"][0] <= told[f"{visit_}, to all charts"][0]
    clicks = {what for what in told if what.startswith("click to idle: ")}
    assert clicks == {f"click to idle: {what}" for what, _ in chromium._CLICKS[page]}
    assert all(0 < told[what][0] < 60 for what in clicks)
