"""What all lines tell together is kept by line and day: of what a load brings, only the chats with anything since are read, and it comes out the same."""

import re
import shutil
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

from analysis import pipeline
from analysis.explain.baseline import Fleet, usual_of
from analysis.explain.constants import DAY
from analysis.explain.effects import effects_at
from analysis.explain.measure import troubles_of
from analysis.explain.quiet import vector
from analysis.explain.receipts import Counts
from analysis.pipeline.asked import StoreLines
from analysis.settings import Settings
from analysis.store import asked, read
from tests.store.refreshing import events_of, fleet_store, load, marts, same_as_in_full
from tests.sweep import EVERY

DAYS = 77


@pytest.fixture(scope="module", params=[4, 9, 13] if EVERY else [4])
def eleven_weeks(request, tmp_path_factory):
    """A store of a fleet whose quiet times need not its first weeks, but for the last day; and that day's deliveries."""
    folder = tmp_path_factory.mktemp("told")
    rows, _ = events_of(folder / "fleet", lines=3, days=DAYS, seed=request.param)
    store = folder / "store.duckdb"
    day = len(rows) // DAYS
    load(store, folder, rows[:-day], "before")
    return store, rows[-day:]


def copied(store, tmp_path):
    copy = tmp_path / "store.duckdb"
    shutil.copy(store, copy)
    return copy


def spells_and_lines(con, scratch):
    spells = read.spells(con)
    return StoreLines(con, Path(scratch), read.gaps(con), troubles_of(spells), Settings())


def test_the_chats_of_the_last_weeks_show_at_a_quiet_time_what_the_whole_line_shows(eleven_weeks, tmp_path):
    with duckdb.connect(str(copied(eleven_weeks[0], tmp_path))) as con:
        lines, troubles = spells_and_lines(con, tmp_path), troubles_of(read.spells(con))
        fleet = Fleet(lines.together()[0], Settings())
        last = max(whole.first[-1] for whole in lines.whole(list(lines.firsts)).values())
        compared = 0
        for back in (1, 5, 12):
            t = int((last // DAY - back) * DAY + DAY // 2)
            some, whole = lines.since(dict.fromkeys(lines.firsts, t)), lines.whole(list(lines.firsts))
            for line in lines.firsts:
                one, other = (
                    vector(effects_at(h[line], troubles[line], usual_of(h[line], troubles[line], fleet, t, Settings()), t, Settings()))
                    for h in (some, whole)
                )  # fmt: skip
                assert np.array_equal(one, other), (line, back)
                assert some[line].first_at == whole[line].first_at
                compared += some[line].messages < whole[line].messages
        assert compared >= 2  # else both were the whole line


def test_expected_receipts_that_come_in_parts_add_up_as_those_of_one(eleven_weeks, monkeypatch):
    with duckdb.connect(str(eleven_weeks[0]), read_only=True) as con:
        rows = con.execute("select epoch_ms(sent_at), silent from expected_receipt").fetchall()
        monkeypatch.setattr(asked, "_PART", len(rows) // 5)
        parts = list(asked.expected(con))
        counts = Counts(asked.expected(con), asked.expected_size(con))
    assert len(parts) == 6
    assert [at for part in parts for at in part["at"]] == sorted(at for at, _ in rows)
    ends = np.array(sorted(at for at, _ in rows)[:: len(rows) // 40])
    n, silent = (counts.until(ends[1:]) - counts.until(ends[:-1])).T
    for one, (a, b) in enumerate(pairwise(ends)):
        inside = [of for at, of in rows if a < at <= b]
        assert (n[one], silent[one]) == (len(inside), sum(inside))
    assert silent.sum() > 0


def test_a_day_more_gives_the_marts_of_a_full_recompute(eleven_weeks, tmp_path):
    store = copied(eleven_weeks[0], tmp_path)
    at = pipeline.lines(store)["last_at"].max()
    load(store, tmp_path, eleven_weeks[1], "day")
    line = pipeline.lines(store).filter(pl.col("health") == "HEALTHY")["line"][0]
    late = at + timedelta(hours=20)
    (tmp_path / "change.csv").write_text(f"line,changed_at,new_health\n{line},{late.isoformat()}Z,AT_RISK\n")
    pipeline.load([tmp_path / "change.csv"], store=store)
    assert same_as_in_full(store, tmp_path) == []


def test_a_day_more_reads_few_messages_of_the_lines_without_a_change(eleven_weeks, tmp_path, monkeypatch):
    store, read_of = copied(eleven_weeks[0], tmp_path), []

    def wanted(con, names, _wanted=asked.wanted):
        found = _wanted(con, names)
        read_of.append(found[0].height)
        return found

    monkeypatch.setattr(asked, "wanted", wanted)
    monkeypatch.setattr(StoreLines, "_whole", lambda self, lines: iter(()) if not lines else pytest.fail(f"{lines}"))
    eve = (pipeline.lines(store)["last_at"].max() - timedelta(days=2)).date().isoformat()
    rows = [row for row in eleven_weeks[1] if "phone_number.status_updated" not in row]
    rows = [row for row in rows if min(re.findall(r"20\d\d-\d\d-\d\d(?=T)", row)) >= eve]  # but for what comes late
    load(store, tmp_path, rows, "day")
    messages = pipeline.lines(store)["messages"].sum()
    assert 0 < sum(read_of) < messages / 4


def test_a_message_that_was_read_weeks_after_its_delivery_makes_no_explanation_due(eleven_weeks, tmp_path, monkeypatch):
    store = copied(eleven_weeks[0], tmp_path)
    before, last = marts(store), pipeline.lines(store)["last_at"].max()
    with duckdb.connect(str(store), read_only=True) as con:
        known = con.sql(
            "select message_id, line, chat_id, direction, sent_at, delivered_at from messages where delivered_at is not null and read_at is null order by sent_at limit 5"
        ).pl()
    assert known.height == 5
    known.with_columns(read_at=pl.lit(last + timedelta(minutes=5))).write_csv(
        tmp_path / "read.csv", datetime_format="%Y-%m-%dT%H:%M:%S%.3fZ"
    )
    monkeypatch.setattr(asked, "want", lambda *a: pytest.fail("read messages for explanations"))
    monkeypatch.setattr(StoreLines, "whole", lambda *a: pytest.fail("read messages for explanations"))
    told = pipeline.load([tmp_path / "read.csv"], store=store)
    assert told.totals["merged"] == 5
    monkeypatch.undo()
    monkeypatch.setenv("LINEHEALTH_KEY", "a key that only the tests use")
    assert marts(store)["explanation"].equals(before["explanation"])
    assert same_as_in_full(store, tmp_path) == []


def test_a_reply_to_a_run_of_sends_that_began_days_before_is_counted_where_it_began(tmp_path):
    store = fleet_store(tmp_path, lines=2, days=20, seed=3)
    begin = pipeline.lines(store)["last_at"].max()
    line = pipeline.lines(store)["line"][0]
    rows = [
        {"message_id": f"m{k}", "line": line, "chat_id": "run", "direction": "outbound", "sent_at": f"{(begin + timedelta(minutes=9 * k)).isoformat()}Z"}
        for k in range(900)
    ]  # fmt: skip
    pl.DataFrame(rows).write_csv(tmp_path / "run.csv")
    pipeline.load([tmp_path / "run.csv"], store=store)
    answer = rows[-1] | {
        "message_id": "a",
        "direction": "inbound",
        "sent_at": f"{(begin + timedelta(minutes=9 * 900)).isoformat()}Z",
    }
    pl.DataFrame([answer]).write_csv(tmp_path / "answer.csv")
    pipeline.load([tmp_path / "answer.csv"], store=store)
    assert same_as_in_full(store, tmp_path) == []
