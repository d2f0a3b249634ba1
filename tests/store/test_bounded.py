"""A refresh holds a few groups of lines at a time, whatever the store's size: their rows go into the store as they come, and they are let go of."""

import gc
import shutil
import weakref

import duckdb
import polars as pl
import pytest

from analysis import pipeline
from analysis.pipeline import counting
from analysis.pipeline.shards import AT_ONCE
from analysis.signals.chats import moved
from analysis.store import connect, marts, read_counted, since
from tests.store.refreshing import differing, same_as_in_full
from tests.store.refreshing import marts as marts_of

FEW = 3_000


@pytest.fixture
def steps(monkeypatch):
    """What a refresh reads and adds, one after the other: ("read", columns, groups alive, memory limit) and ("added", mart)."""
    found, alive = [], []

    def told(con, frame, columns):
        if columns == read_counted.COUNTED:
            gc.collect()
            alive.append(weakref.ref(frame))
            ((limit,),) = con.execute("select current_setting('memory_limit')").fetchall()
            found.append(("read", frame.columns, sum(one() is not None for one in alive), limit))
        return frame

    def of_lines(con, lines, *, columns, _read=read_counted.messages):
        return told(con, _read(con, lines, columns=columns), columns)

    def of_wanted(con, lines, _read=since.messages):
        return told(con, _read(con, lines), read_counted.COUNTED)

    def add(con, table, frame, _add=marts.add):
        found.append(("added", table))
        _add(con, table, frame)

    def add_since(con, table, frame, _add=since.add_since):
        found.append(("added", table))
        _add(con, table, frame)

    monkeypatch.setattr(read_counted, "messages", of_lines)
    monkeypatch.setattr(since, "messages", of_wanted)
    monkeypatch.setattr(marts, "add", add)
    monkeypatch.setattr(since, "add_since", add_since)
    monkeypatch.setattr(counting, "_MOST", FEW)
    return found


def a_few_at_a_time(steps):
    places = [place for place, step in enumerate(steps) if step[0] == "read"]
    groups = [steps[place] for place in places]
    assert len(groups) > 2 * AT_ONCE
    assert steps[: places[-1]].count(("added", "signal_hour")) >= len(groups) - 1 - AT_ONCE
    assert max(alive for _, _, alive, _ in groups) <= AT_ONCE + 1
    assert {tuple(columns) for _, columns, _, _ in groups} == {tuple(read_counted.COUNTED.names())}
    limits = [limit.split() for *_, limit in groups]  # 250 MB
    assert all(float(number) < 250 and unit == "MiB" for number, unit in limits)


def test_a_full_refresh_holds_few_groups(demo_store, tmp_path, steps):
    store = tmp_path / "copy.duckdb"
    shutil.copy(demo_store, store)
    pipeline.refresh(store=store, full=True)
    a_few_at_a_time(steps)
    assert differing(marts_of(demo_store), marts_of(store)) == []


def test_so_does_one_of_what_is_new(demo_store, tmp_path, steps, monkeypatch):
    store = tmp_path / "copy.duckdb"
    shutil.copy(demo_store, store)
    with duckdb.connect(str(store), read_only=True) as con:
        rows = con.execute("select line, min(sent_at)::varchar from messages group by line order by line").fetchall()
    late = {
        "message_id": [f"late {line}" for line, _ in rows],
        "line": [line for line, _ in rows],
        "chat_id": [f"late {line}" for line, _ in rows],
        "direction": ["outbound"] * len(rows),
        "sent_at": [at.replace(" ", "T") + "Z" for _, at in rows],
    }
    pl.DataFrame(late).write_csv(tmp_path / "late.csv")
    pipeline.load([tmp_path / "late.csv"], store=store)
    a_few_at_a_time(steps)
    monkeypatch.undo()  # held against what larger groups give
    assert same_as_in_full(store, tmp_path) == []


_ALL_FIRSTS = """
select m.line, m.chat_id, any_value(c.recipient) as recipient, min(m.sent_at) as first_at
from messages m left join chats c on c.chat_id = m.chat_id group by m.line, m.chat_id
"""


@pytest.mark.parametrize("together", [1, 1_000_000])
@pytest.mark.parametrize("plain", [True, False])
def test_chats_of_people_with_several_tell_of_every_one_that_was_moved(tmp_path, monkeypatch, plain, together):
    """Also where a message names no chat, or two lines claim one; and whatever is in memory together."""
    monkeypatch.setattr(read_counted, "_TOGETHER", together)
    sent = [
        ("1", "+12025550101", "a", "outbound", "2026-01-01T10:00:00Z", "+12025550901"),
        ("2", "+12025550102", "b", "outbound", "2026-01-02T10:00:00Z", "+12025550901"),
        ("3", "+12025550101", "c", "outbound", "2026-01-01T10:00:00Z", "+12025550902"),
        ("4", "+12025550101", "d", "outbound", "2026-01-03T10:00:00Z", "+12025550902"),
        ("5", "+12025550101", "", "outbound", "2026-01-01T09:00:00Z", "+12025550903"),
        ("6", "+12025550102", "", "outbound", "2026-01-04T09:00:00Z", "+12025550903"),
        ("7", "+12025550102", "e", "inbound", "2026-01-05T09:00:00Z", "+12025550904"),
        ("8", "+12025550103", "f", "outbound", "2026-01-06T09:00:00Z", "+12025550901"),
        ("9", "+12025550103", "g", "outbound", "2026-01-07T09:00:00Z", "+12025550902"),
        ("10", "+12025550101", "g", "outbound", "2026-01-08T09:00:00Z", "+12025550902"),
        ("11", "+12025550103", "g", "outbound", "2026-01-08T09:00:00Z", "+12025550902"),
    ]
    names = ["message_id", "line", "chat_id", "direction", "sent_at", "recipient"]
    pl.DataFrame(sent, schema=names, orient="row").write_csv(tmp_path / "sent.csv")
    if plain:
        odd = pl.col("message_id").is_in(["5", "6", "10", "11"])
        pl.read_csv(tmp_path / "sent.csv", infer_schema=False).filter(~odd).write_csv(tmp_path / "sent.csv")
    store, lines = tmp_path / "moved.duckdb", [f"+1202555010{i}" for i in (1, 2, 3)]
    pipeline.load([tmp_path / "sent.csv"], store=store)
    with duckdb.connect(str(store)) as con:
        everything = moved(con.sql(_ALL_FIRSTS).pl()).sort("line", "chat_id")
        read_counted.keep_moved(con, map(moved, read_counted.shared_firsts(con, [lines[:1], lines[1:]])))
        found = read_counted.moved_on(con, lines).sort("line", "chat_id")
        of_one = read_counted.moved_on(con, lines[1:2])
        read_counted.forget_moved(con)
        left = con.execute("select table_name from duckdb_tables() where temporary").fetchall()
        sizes = read_counted.line_sizes(con).rows()
        assert sizes == con.execute("select line, count(*) from messages group by line order by line").fetchall()
    assert found.rows() == everything.rows()
    assert {"b", "f"} <= set(found["chat_id"])
    assert of_one.rows() == [row for row in everything.rows() if row[0] == lines[1]]
    assert left == []


def test_a_very_large_store_has_more_memory_to_be_refreshed_in(tmp_path, monkeypatch):
    with duckdb.connect(str(tmp_path / "some.duckdb")) as con:
        con.execute("create table numbers as select range as i, hash(range) as h from range(2_000_000)")
        con.execute("checkpoint")
        assert connect.refresh_mb(con) == connect.REFRESH_MB == 250
        size = (tmp_path / "some.duckdb").stat().st_size
        assert size > 10_000_000
        monkeypatch.setattr(connect, "REFRESH_MB", 1)
        monkeypatch.setattr(connect, "REFRESH_SHARE", 2)
        assert connect.refresh_mb(con) == pytest.approx(size / 2_000_000, abs=1)
