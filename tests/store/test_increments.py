"""A load makes again only what its facts touch: after any sequence of loads every mart is that of one full recompute, row for row."""

import random
import shutil
from datetime import UTC, timedelta

import duckdb
import polars as pl
import pytest

from analysis import pipeline
from analysis.explain import cases, quiet
from analysis.explain.constants import DAY
from analysis.pipeline import explaining
from tests.store.refreshing import events_of, fleet_store, load, marts, same_as_in_full
from tests.sweep import EVERY


@pytest.mark.parametrize("seed", range(5, 25) if EVERY else [5])
def test_any_sequence_of_loads_gives_the_marts_of_one_full_recompute(tmp_path, seed):
    chance = random.Random(seed)
    rows, tables = events_of(tmp_path / "fleet", lines=3, days=12 + seed % 9, seed=seed)
    store = tmp_path / "store.duckdb"
    late = chance.sample(rows, 40)
    rest = [row for row in rows if row not in late]
    cuts = sorted(chance.sample(range(len(rest) // 2, len(rest)), 3))
    pieces = [
        rest[: cuts[0]],
        rest[cuts[0] : cuts[1]],
        late[:20],
        rest[cuts[1] : cuts[2]],
        late[20:] + rest[:50],
        rest[cuts[2] :],
    ]
    if chance.random() < 0.5:
        pipeline.load(tables, store=store)
    for number, piece in enumerate(pieces):
        load(store, tmp_path, piece, number)
        if number in ((1, 2, 4, 5) if EVERY else (2, 4)):  # after late events, and after repeats
            assert same_as_in_full(store, tmp_path) == [], f"after piece {number}"
    pipeline.load(tables, store=store)
    assert same_as_in_full(store, tmp_path) == []


@pytest.fixture(scope="module")
def three_weeks(tmp_path_factory):
    """A store of a fleet with transitions that are explained."""
    return fleet_store(tmp_path_factory.mktemp("increments"), lines=4, days=20, seed=3)


def six_hours_more(store, path):
    """Messages of every line, a quarter of an hour apart from the latest event on, in new chats."""
    last = pipeline.lines(store)["last_at"].max()
    rows = [
        {"message_id": f"{line}{k}", "line": line, "chat_id": f"{line}-{k // 2}", "direction": ("outbound", "inbound")[k % 2], "sent_at": f"{(last + timedelta(minutes=15 * k + 1)).isoformat()}Z"}
        for line in pipeline.lines(store)["line"]
        for k in range(24)
    ]  # fmt: skip
    pl.DataFrame(rows).write_csv(path)
    return path


def test_hours_more_read_no_message_for_explanations_that_stand(three_weeks, tmp_path, monkeypatch):
    store = tmp_path / "store.duckdb"
    shutil.copy(three_weeks, store)
    before = marts(store)["explanation"]
    assert before.height > 0
    monkeypatch.setattr(explaining.StoreLines, "all", lambda *a: pytest.fail("read all messages again"))
    monkeypatch.setattr(explaining.StoreLines, "whole", lambda *a: pytest.fail("read all messages of a line again"))
    assert pipeline.load([six_hours_more(store, tmp_path / "more.csv")], store=store).totals["inserted"] == 24 * 4
    assert marts(store)["explanation"].equals(before)
    monkeypatch.undo()
    monkeypatch.setenv("LINEHEALTH_KEY", "a key that only the tests use")
    assert same_as_in_full(store, tmp_path) == []


def test_a_late_event_of_one_line_leaves_the_rows_of_the_others_alone(three_weeks, tmp_path, monkeypatch):
    store = tmp_path / "store.duckdb"
    shutil.copy(three_weeks, store)
    with duckdb.connect(str(store), read_only=True) as con:
        line, day = con.execute(
            "select line, min(day) + 9 from signal_day group by line order by line limit 1"
        ).fetchall()[0]
    late = pl.DataFrame(
        {
            "message_id": ["late"],
            "line": [line],
            "chat_id": ["late"],
            "direction": ["outbound"],
            "sent_at": [f"{day}T09:00:00Z"],
        }
    )
    late.write_csv(tmp_path / "late.csv")
    seen = []
    monkeypatch.setattr(
        pipeline.counting.since,
        "want",
        lambda con, wanted, chats, _want=pipeline.counting.since.want: seen.append(wanted) or _want(con, wanted, chats),
    )
    pipeline.load([tmp_path / "late.csv"], store=store)
    assert seen[0]["line"].to_list() == [line]
    assert seen[0]["day"].to_list() == [day - timedelta(days=1)]
    assert same_as_in_full(store, tmp_path) == []


@pytest.fixture(scope="module")
def six_weeks(tmp_path_factory):
    """A store of a fleet that is old enough for quiet times."""
    return fleet_store(tmp_path_factory.mktemp("explained"), lines=6, days=42, seed=8)


@pytest.fixture
def seen(monkeypatch):
    """What is measured: changes as (line, ms), and quiet times as (line, ms)."""
    found = {"changes": [], "quiet": []}

    def case_of(change, *rest, _of=cases.case_of):
        found["changes"].append((change.line, change.at))
        return _of(change, *rest)

    def usual_of(history, troubles, fleet, t, settings, _of=quiet.usual_of):
        found["quiet"].append((history.line, t))
        return _of(history, troubles, fleet, t, settings)

    monkeypatch.setattr(cases, "case_of", case_of)
    monkeypatch.setattr(quiet, "usual_of", usual_of)
    return found


def ms(at):
    return int(at.replace(tzinfo=UTC).timestamp() * 1000)


def changed(folder, line, at, new):
    path = folder / "change.csv"
    path.write_text(f"line,changed_at,new_health\n{line},{at.isoformat()}Z,{new}\n")
    return path


def test_a_new_change_on_one_line_measures_no_other_again(six_weeks, tmp_path, seen):
    store = tmp_path / "store.duckdb"
    shutil.copy(six_weeks, store)
    rows = pipeline.lines(store)
    line = rows.filter(pl.col("health") == "HEALTHY")["line"][0]
    at = rows["last_at"].max() + timedelta(minutes=1)
    before = marts(store)
    pipeline.load([changed(tmp_path, line, at, "AT_RISK")], store=store)
    assert seen["changes"] == [(line, ms(at))]
    latest = before["transition"]["changed_at"].max()  # quiet times up to a week before it are known
    assert all(t > ms(latest) - 8 * DAY for _, t in seen["quiet"])
    after = marts(store)
    kept = after["explanation"].join(before["explanation"], on=["line", "changed_at", "kind", "document"], how="semi")
    assert kept.height == before["explanation"].height == after["explanation"].height - 1
    assert after["quiet_time"].join(before["quiet_time"], on=["line", "day"], how="semi").equals(before["quiet_time"])
    assert before["quiet_time"]["line"].n_unique() > 1
    assert same_as_in_full(store, tmp_path) == []


def test_a_late_event_measures_its_own_line_again_and_little_of_others(six_weeks, tmp_path, seen):
    store = tmp_path / "store.duckdb"
    shutil.copy(six_weeks, store)
    changes = pipeline.transitions(store)
    late = changes["at"].sort()[changes.height // 2]
    line = pipeline.lines(store)["line"][0]
    (tmp_path / "late.csv").write_text(
        f"message_id,line,chat_id,direction,sent_at,service\nlate,{line},late,outbound,{late.isoformat()}Z,iMessage\n"
    )
    pipeline.load([tmp_path / "late.csv"], store=store)
    again = changes.filter(pl.col("at") >= late)
    due = {(line, ms(at)) for line, at in again.select("line", "at").iter_rows()}
    mine = {(of, at) for of, at in due if of == line}
    assert mine <= set(seen["changes"])
    assert len(due - mine) > 2 * len(due & set(seen["changes"]) - mine)
    assert all(t > ms(late) - 8 * DAY for _, t in seen["quiet"])
    assert same_as_in_full(store, tmp_path) == []
