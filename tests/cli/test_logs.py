"""Logs say what happened in counts and seconds, under one run id, and never a value of the data."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

from analysis import logs
from tests.events import at, message

SECRET = "meet me at the old mill"


def run(*words, store, log):
    call = [sys.executable, "-m", "analysis", "--log", str(log), *map(str, words), "--store", str(store)]
    return subprocess.run(call, capture_output=True, text=True, env=os.environ | {"PYTHONUTF8": "1"})


def told(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_load_tells_its_counts_and_seconds_and_a_failure_its_kind(tmp_path, write):
    rows = [
        message("message.sent", f"m{i}", i, person="+12065550117", parts=[{"type": "text", "value": SECRET}])
        for i in range(3)
    ]
    export = write(
        f"{SECRET}.jsonl",
        [*rows, {"event_type": "message.sent", "data": {"id": SECRET, "sent_at": at(1), "chat": SECRET}}],
    )
    log, store = tmp_path / "run.log", tmp_path / "s.duckdb"
    assert run("load", export, store=store, log=log).returncode == 0
    refreshed, loaded, ended = told(log)
    assert [e["event"] for e in (refreshed, loaded, ended)] == ["refreshed", "loaded", "ended"]
    assert (loaded["read"], loaded["inserted"], loaded["quarantined"]) == (4, 3, 1)
    assert (refreshed["lines"], refreshed["full"], ended["command"], ended["exit"]) == (1, False, "load", 0)
    assert ended["seconds"] >= refreshed["seconds"] > 0
    parts = [refreshed[f"{part}_seconds"] for part in ("counting", "gaps", "explaining", "ahead")]
    assert refreshed["seconds"] >= sum(parts) - 0.004  # each is rounded
    assert len({e["run"] for e in told(log)}) == 1
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert run("signals", "--line", "no number", store=tmp_path / SECRET, log=log).returncode != 0
    last = told(log)[-1]
    assert (last["level"], last["command"]) == ("error", "signals")
    assert last["run"] != ended["run"]
    whole = log.read_text()
    assert [word for word in (SECRET, "2065550117", "4155550142", "m1", str(tmp_path)) if word in whole] == []


def test_only_numbers_and_our_own_words_are_written(tmp_path):
    logs.configure(str(tmp_path / "log"))
    try:
        logs.note(
            "tried",
            command="load",
            count=3,
            line="+14155550142",
            error="what +14155550142 said",
            kind="two words",
            share=0.123456,
        )
        with logs.timed("counted", rows=2) as more:
            more["days"] = 5
    finally:
        logs.configure()
    tried, counted = told(tmp_path / "log")
    assert {k: tried[k] for k in tried if k not in ("at", "run", "pid", "level")} == {
        "event": "tried",
        "command": "load",
        "count": 3,
        "share": 0.123,
    }
    assert (counted["rows"], counted["days"], counted["level"]) == (2, 5, "info")


def test_a_log_that_cannot_be_written_is_said_in_a_sentence(tmp_path):
    done = run("status", store=tmp_path / "s", log=tmp_path / "no" / "log")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "--log" in done.stderr


def test_the_app_tells_which_page_was_drawn_and_how_long_it_took(monkeypatch, demo_store, tmp_path):
    from streamlit.testing.v1 import AppTest

    log = tmp_path / "app.log"
    monkeypatch.setenv("LINEHEALTH_STORE", str(demo_store))
    monkeypatch.setenv(logs.VARIABLE, str(log))
    try:
        at = AppTest.from_file(str(Path(__file__).resolve().parents[2] / "app.py"), default_timeout=60).run()
        at.switch_page("analysis/pages/data.py").run()
        assert not at.exception
    finally:
        monkeypatch.delenv(logs.VARIABLE)
        logs.configure()
    pages = [e for e in told(log) if e["event"] == "page"]
    assert [e["kind"] for e in pages] == ["fleet", "data"]
    assert all(e["seconds"] > 0 for e in pages)
    assert "+1" not in log.read_text()
