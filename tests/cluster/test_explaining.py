"""Explanations shared out: the documents of the local run with any shards, periods and workers, also where a worker is killed mid-run."""

from collections import defaultdict
from datetime import datetime

import msgspec
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analysis.cluster import explaining, export, measuring, run
from analysis.cluster.folder import Folder, of_line
from analysis.explain import attribution
from analysis.explain.asks import rows_of
from analysis.explain.constants import DAY
from analysis.explain.measure import measure
from analysis.explain.receipts import Counts, expected_of, sends_of, silent_of
from analysis.explain.verdict import explained
from analysis.explain.weights import fitted
from analysis.pipeline.looks import with_looks
from analysis.pipeline.opened import reading
from analysis.schema import GAPS, OBSERVED
from analysis.settings import Settings
from analysis.store import read_measured
from tests.cluster.killing import one_killed
from tests.explain.builders import World
from tests.explain.test_receipts import without_receipts
from tests.sweep import SWEEP

AS_OF = datetime(2027, 1, 1)
LOST = "Receipts were missing on most lines"


def documents(out):
    return run.table(str(out), "explanation")["document"].to_list()


# ---------------------------------------------------------------------- the demo fleet's store


@pytest.fixture(scope="module")
def exported(demo_store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster") / "export"
    export.export(demo_store, str(folder))
    return str(folder)


@pytest.fixture(scope="module")
def kept(demo_store):
    """The explanations of the demo fleet's store, which has no audit."""
    with reading(demo_store) as con:
        found = read_measured.explanations_as_kept(con)
    assert len(found) > 20
    return found


def test_two_processes_and_one_killed_mid_run_give_the_store_s_explanations(kept, exported, tmp_path):
    out = tmp_path / "out"
    with one_killed(out, at="passes-*/quiet/*", seen="explanation/*") as (address, killed):
        told = explaining.explain(exported, str(out), workers_=address, most=2_000)
    assert told.shards > 2
    assert killed == [0]  # none was explained yet: the passes before it were under way
    table = run.table(str(out), "explanation")
    since = pl.col("compared_from").cast(pl.Int64)
    assert list(table.select("document", "measured_p", since).iter_rows()) == kept
    assert sorted(path.name for path in out.iterdir()) == [
        "done.json",
        "explanation",
    ]  # what passes leave to the next is gone


# ---------------------------------------------------------------------- a simulated fleet with all that lines share


def fleet(seed):
    """Lost receipts, gaps, a flag, a young line, opt-outs, a chat of two lines, a line without messages, and worsenings that teach weights."""
    world = World(seed)
    for i in range(1, 6):
        world.steady(f"+{i}", days=60)
        for k in range(4):
            day = 24.1 + 8 * k + i / 3
            if k % 2:
                world.burst(f"+{i}", day - 0.7, 60, name=f"b{k}")
            world.turn(f"+{i}", day).turn(f"+{i}", day + 2.5, "HEALTHY", "AT_RISK")
    world.steady("+6", days=60, first=50, service="SMS").turn("+6", 55).turn("+6", 57, "CRITICAL", "AT_RISK")
    world.steady("+7", days=60, asks=6, receipt=False).turn("+7", 0.0, "HEALTHY", None).turn("+7", 51.3)
    world.burst("+3", 47.9, 30, new=False, reply=0, chats=1).turn("+3", 48, "FLAGGED", "ACTIVE", kind="status")
    world.turn("+3", 49.5, "ACTIVE", "FLAGGED", kind="status")
    for i in range(12):
        world.opt_out(f"+2-c{i}", 30 + i / 10).message("+2", f"+2-c{i}", 49 + i / 20)
        world.ask("+4", "+5-c1", 40 + i / 5)
    world.turn("+none", 33, "AT_RISK", "HEALTHY")
    for i in range(1, 8):  # no cause of their own, all at once
        if i != 6:
            world.turn(f"+{i}", 59 + i / 20, "CRITICAL", "AT_RISK")
    return without_receipts(without_receipts(world, 48.55, 5), 56.55, 2)


def gaps_of(world):
    rows = [(None, world.at(36.4), world.at(36.6)), ("+2", world.at(44), world.at(44.5)), ("+5", world.at(58), None)]
    columns = pl.DataFrame(
        rows, schema={"line": pl.String, "start_at": GAPS["start_at"], "end_at": GAPS["end_at"]}, orient="row"
    )
    missing = [pl.lit(None, dtype=kind).alias(name) for name, kind in GAPS.items() if name not in columns.columns]
    return columns.with_columns(missing).select(GAPS.names())


def looks_of(world):
    """A change of the first line that only a look saw."""
    rows = [("+1", t["at"], "HEALTHY", "AT_RISK", world.at(24)) for t in world.transitions if t["line"] == "+1"][:1]
    return pl.DataFrame(rows, schema=OBSERVED, orient="row")


def written(world, folder):
    """Write what ``export`` would of a store with these facts."""
    messages, chats, health, spells, transitions = world.frames()
    into = Folder(str(folder))
    for (line,), rows in messages.partition_by("line", as_dict=True).items():
        into.write(of_line("messages", line), rows)
        for table, frame in (("chats", chats), ("chat_health", health)):
            into.write(of_line(table, line), frame.join(rows, on="chat_id", how="semi"))
    for name, frame in (
        ("spells", spells),
        ("transitions", transitions),
        ("gaps", gaps_of(world)),
        ("observed", looks_of(world)),
    ):
        into.write(f"{name}.parquet", frame)
    into.write(export.LINES, messages.group_by("line").agg(messages=pl.len().cast(pl.Int64)).sort("line"))
    into.write_json(export.FACTS, {"version": export.VERSION, "as_of": AS_OF.isoformat(), "settings": {}})
    return str(folder)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=SWEEP) for seed in range(2, 8))])
def test_any_shards_and_periods_give_the_documents_of_the_local_run(seed, tmp_path, monkeypatch):
    # weights that differ, which so few worsenings would not give
    monkeypatch.setattr(
        attribution,
        "learned",
        lambda worse, quiet: 1.5 * fitted(worse, quiet) if len(worse) else np.ones(quiet.shape[1]),
    )
    world, settings = fleet(seed), Settings()
    local = measure(*world.frames(), as_of=AS_OF, settings=settings, gaps=gaps_of(world))
    assert len({tuple(local.scales.weights_on(c.at // int(DAY))) for c in local.changes}) > 5
    found = with_looks(explained(local), looks_of(world))
    expected = [msgspec.json.encode(e).decode() for e in found]
    notes = [note for e in found for note in e.notes]
    assert any(note.startswith(LOST) for note in notes)
    assert any(note.startswith("No report tells") for note in notes)
    assert any(e.peers for e in found)
    assert any(local.drifts.values())
    source = written(world, tmp_path / "export")
    # 20 hours: a period ends while receipts are lost, on day 48.67
    for most, hours in ((1, None), (7_000, 20)):
        out = tmp_path / f"{most}"
        told = explaining.explain(source, str(out), most=most, hours=hours)
        assert told.rows == {"explanation": len(expected)}
        assert documents(out) == expected


def test_receipts_lost_are_those_of_the_whole_fleet_also_at_the_ends_of_periods(tmp_path):
    world = World(5)
    for line in ("+1", "+2", "+3"):
        world.steady(line, days=12, asks=60)
    for start in (7.3, 8.55, 9.45, 10.6):
        without_receipts(world, start, 4)
    sends = sends_of(rows := rows_of(*world.frames()[0:3:2]))
    counts = Counts.of(expected_of(sends).sort("at"))
    silent = {line: of.lost(counts) for line, of in silent_of(sends, rows).items()}
    local = pl.concat(
        pl.DataFrame({"line": line, "row": places, "lost": lost}, schema_overrides={"row": pl.Int64})
        for line, (places, lost) in silent.items()
    ).sort("line", "row")
    run_ = measuring.Run(written(world, tmp_path / "export"), str(tmp_path / "out"), "test", 3)
    shards_of = defaultdict(list)
    for number, line in enumerate(("+1", "+2", "+3")):
        for period in measuring.looked(run_, (number, [line]))[0].periods:
            shards_of[period].append(number)
    for period in list(shards_of):
        beside = {p: shards_of[p] for p in (period - 1, period, period + 1) if p in shards_of}
        measuring.lost(run_, (period, beside))
    found = pl.concat(pl.read_parquet(path) for path in (tmp_path / "out").glob("passes-test/lost/*/*.parquet"))
    assert local.height > 50
    assert_frame_equal(found.sort("line", "row"), local)


def test_a_store_without_changes_has_no_explanations(tmp_path):
    world = World(3).steady(days=10)
    source = written(world, tmp_path / "export")
    told = explaining.explain(source, str(tmp_path / "out"))
    assert (told.rows, documents(tmp_path / "out")) == ({"explanation": 0}, [])
