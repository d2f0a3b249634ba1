"""The made-up big fleet, small: counts as asked, the same again, loadable without a refusal, and alive as real traffic is."""

import json
from datetime import timedelta

import polars as pl
import pytest

from analysis import pipeline
from analysis.bench.fleet import write_fleet
from analysis.errors import UsageError
from tests.sweep import SWEEP

MESSAGES, LINES, DAYS = 20_000, 6, 120


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench") / "fleet"
    return folder, write_fleet(folder, messages=MESSAGES, lines=LINES, days=DAYS, seed=3, file_rows=8000)


@pytest.fixture(scope="module")
def messages(fleet):
    return pl.read_parquet(fleet[0] / "messages-*.parquet")


@pytest.fixture(scope="module")
def loaded(fleet, tmp_path_factory):
    path = tmp_path_factory.mktemp("bench-store") / "bench.duckdb"
    patch = pytest.MonkeyPatch()
    patch.setenv("LINEHEALTH_KEY", "a key that only the tests use")
    report = pipeline.load(fleet[0], store=path)
    patch.undo()
    return path, report


def test_there_are_as_many_messages_lines_and_days_as_asked(fleet, messages):
    folder, told = fleet
    assert messages.height == told.messages == MESSAGES
    assert messages["line"].n_unique() == LINES
    assert messages["message_id"].n_unique() == MESSAGES
    assert messages["sent_at"].dt.date().n_unique() == DAYS
    assert told.files == len(list(folder.glob("messages-*.parquet"))) > 1
    assert sorted(p.name for p in folder.iterdir() if not p.name.startswith("messages-")) == [
        "chats.parquet",
        "transitions.parquet",
    ]


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(fleet, tmp_path):
    folder, _ = fleet
    for seed, same in ((3, True), (4, False)):
        write_fleet(tmp_path / str(seed), messages=MESSAGES, lines=LINES, days=DAYS, seed=seed, file_rows=8000)
        for path in folder.iterdir():
            other = tmp_path / str(seed) / path.name
            assert (other.exists() and pl.read_parquet(other).equals(pl.read_parquet(path))) == same, path.name


def test_a_smaller_fleet_in_the_same_folder_leaves_nothing_of_the_larger(tmp_path):
    write_fleet(tmp_path, messages=4000, lines=4, days=30, file_rows=1000)
    write_fleet(tmp_path, messages=500, lines=2, days=30, file_rows=1000)
    assert pl.read_parquet(tmp_path / "messages-*.parquet").height == 500


def test_everything_loads_without_a_refusal(loaded, fleet):
    path, report = loaded
    told = fleet[1]
    assert report.totals["quarantined"] == report.totals["duplicates"] == 0
    assert report.totals["inserted"] == MESSAGES + told.chats + told.transitions
    status = pipeline.status(path)
    assert (status["messages"], status["lines"], status["waiting"]) == (MESSAGES, LINES, 0)


def test_replies_openers_and_failures_are_as_frequent_as_in_real_traffic(loaded):
    days = pipeline.signals(loaded[0]).filter(pl.col("history_days") >= 14)
    of = days.select(pl.sum("outbound", "inbound", "failed", "mature", "replied", "new_conversations", "new_mature", "new_replied", "unanswered_turns")).row(0, named=True)  # fmt: skip
    assert 0.4 < of["replied"] / of["mature"] < 0.65
    assert 0.3 < of["new_replied"] / of["new_mature"] < of["replied"] / of["mature"]
    assert 0.05 < of["new_conversations"] / of["outbound"] < 0.2
    assert 0.003 < of["failed"] / of["outbound"] < 0.05
    assert 0.3 < of["inbound"] / (of["inbound"] + of["outbound"]) < 0.55
    assert of["unanswered_turns"] > 0


def test_weeks_and_days_have_a_rhythm(messages):
    sends = messages.filter(pl.col("direction") == "outbound")
    by_day = dict(sends.group_by(pl.col("sent_at").dt.weekday()).len().iter_rows())
    assert by_day[7] < by_day[6] < 0.85 * by_day[3]
    night = sends.filter(pl.col("sent_at").dt.hour().is_between(7, 11)).height  # at night from New York to Los Angeles
    assert night < 0.05 * sends.height


def test_chats_are_short_and_long_and_some_begin_with_the_other_side(messages):
    chats = messages.sort("sent_at").group_by("chat_id").agg(pl.len(), first=pl.col("direction").first())
    assert 5 <= chats["len"].median() <= 15
    assert chats["len"].quantile(0.98) > 40
    assert 0.15 < (chats["first"] == "inbound").mean() < 0.5
    assert 0.01 < messages["is_group"].mean() < 0.06


def test_people_are_made_up_and_never_a_line(messages):
    people = messages["recipient"].drop_nulls()
    assert people.str.contains(r"^\+1[2-9]\d\d555[1-9]\d{3}$").all()
    assert messages["line"].str.contains(r"^\+1[2-9]\d\d5550\d{3}$").all()
    chats = messages.filter(~pl.col("is_group")).unique(["line", "chat_id"])
    assert chats.unique(["line", "recipient"]).height == chats.height


def test_nothing_happens_before_it_was_sent_or_after_the_end(messages):
    end = messages["sent_at"].max() + timedelta(days=1)
    for column in ("delivered_at", "read_at", "failed_at"):
        told = messages.filter(pl.col(column).is_not_null())
        assert told.height
        assert (told[column] > told["sent_at"]).all()
        assert told[column].max() < end
        assert (told["direction"] == "outbound").all()
    assert (messages["failed_at"].is_not_null() == messages["failure_code"].is_not_null()).all()


@SWEEP
def test_falls_follow_what_was_planted_and_are_explained_by_more_than_one_cause(tmp_path, store):
    told = write_fleet(tmp_path / "fleet", messages=60_000, lines=12, days=120, seed=5)
    pipeline.load(tmp_path / "fleet", store=store)
    changes = pl.read_parquet(tmp_path / "fleet" / "transitions.parquet")
    falls = changes.filter(pl.col("new_health") == "AT_RISK").height
    assert 0 < falls <= sum(told.episodes.values())
    assert 24 <= changes.height <= 100
    first = [e.drivers[0].driver for e in pipeline.explanations(store) if e.new == "AT_RISK"]
    assert len(set(first)) >= 3
    assert first.count("unexplained") < len(first) / 3


def test_impossible_sizes_are_refused_in_one_sentence(tmp_path):
    for wrong in ({"messages": 3, "lines": 4}, {"messages": 10, "lines": 0}, {"messages": 10, "lines": 1, "days": 2}):
        with pytest.raises(UsageError, match="other sizes"):
            write_fleet(tmp_path, **{"days": 30, **wrong})
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="not a directory"):
        write_fleet(tmp_path / "file", messages=100, lines=2)


def test_the_command_takes_counts_with_separators_and_tells_what_it_wrote(command, tmp_path):
    code, out, _ = command("bench", "data", tmp_path, "--messages", "1_200", "--lines", 3, "--days", 20, "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["messages"], told["lines"]) == (1200, 3)
    code, out, _ = command("bench", "data", tmp_path, "--messages", "1,200", "--lines", 3, "--days", 20)
    assert "1,200 messages in 1 files" in out
    code, _, err = command("bench", "data", tmp_path, "--messages", "many")
    assert code == 2
    assert "many is not a whole number" in err
