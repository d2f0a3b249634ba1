"""Actions as people record them: by hand, by CSV, with labels that hold nobody's number or words."""

import json
import shutil
from datetime import datetime

import duckdb
import pytest
from click.testing import CliRunner

from analysis import cli, pipeline
from analysis.errors import LineHealthError, SourceError, UsageError
from analysis.sources.actions import label_of
from tests.events import LINE, message

OTHER = "+14155550199"
T = "2026-03-02T10:00:00Z"


@pytest.fixture(scope="module")
def made(tmp_path_factory, with_key):
    folder = tmp_path_factory.mktemp("actions")
    log = [message("message.sent", f"m{i}", i, chat=f"c{i % 4}") for i in range(20)]
    (folder / "log.jsonl").write_text("".join(json.dumps(event) + "\n" for event in log), encoding="utf-8")
    pipeline.load(folder / "log.jsonl", store=folder / "made.duckdb")
    return folder / "made.duckdb"


@pytest.fixture
def loaded(made, store):
    store.parent.mkdir()
    shutil.copy(made, store)
    return store


def run(*words):
    return CliRunner().invoke(cli.cli, [str(w) for w in words])


@pytest.mark.parametrize(
    "label",
    [
        "call +1 (415) 555-0123",
        "4155550123",
        "415.555.0123 moved",
        "٤١٥٥٥٥٠١٢٣",
        "mail ann@example.com",
        "see https://example.com",
        "Hi Ann! Are you free on Sunday? Let me know.",
        "We moved. Come by",
        "w " * 13,
        "x" * 81,
        "a\x07b",
    ],
)
def test_a_label_that_may_be_a_message_a_number_or_an_address_is_refused_and_not_repeated(loaded, label):
    with pytest.raises(UsageError) as refused:
        pipeline.add_action("slower", line=LINE, at=T, label=label, store=loaded)
    assert label.strip() not in str(refused.value)
    assert pipeline.actions(loaded).is_empty()


@pytest.mark.parametrize(
    "label", ["copy B", "v2.1, 40 % fewer openers", "list of 2026-03-01", "half pace until Fri.", "spring: 2 of 3"]
)
def test_plain_labels_are_kept_as_typed(label):
    assert label_of(f"  {label} ") == label
    assert label_of("   ") is None


def test_an_action_is_one_of_its_line_time_and_kind(loaded):
    first = pipeline.add_action("slower", line=LINE, at=T, label="half", store=loaded)
    assert pipeline.add_action("slower", line=LINE, at=T, label="a third", store=loaded) == first
    pipeline.add_action("deploy", at="2026-03-01", store=loaded)
    found = pipeline.actions(loaded)
    assert found.select("line", "at", "kind", "label", "source").rows() == [
        (None, datetime(2026, 3, 1), "deploy", None, "hand"),
        (LINE, datetime(2026, 3, 2, 10), "slower", "a third", "hand"),
    ]
    assert pipeline.actions(loaded, line=OTHER).height == 1
    pipeline.remove_action(first, store=loaded)
    assert pipeline.actions(loaded).height == 1
    with pytest.raises(UsageError, match="no action of this name"):
        pipeline.remove_action(first, store=loaded)


@pytest.mark.parametrize(
    ("given", "reason"),
    [({"line": OTHER}, "not a line of this store"), ({"kind": "magic"}, "no such kind"), ({"at": "1999-01-01"}, "out of range"), ({"at": "soon"}, "not a date")],
)  # fmt: skip
def test_an_action_that_cannot_be_is_refused_with_a_reason(loaded, given, reason):
    with pytest.raises(LineHealthError, match=reason) as refused:
        pipeline.add_action(**({"kind": "pause", "line": LINE, "at": T, "store": loaded} | given))
    assert OTHER not in str(refused.value)


BAD = f"""line,at,kind,label
{LINE},2026-03-02T10:00:00Z,slower,"half, from Monday"
,2026-03-03T08:00:00+02:00,deploy,

{OTHER},2026-03-02T10:00:00Z,pause,
{LINE},yesterday,pause,
{LINE},2026-03-04,magic,
{LINE},2026-03-04,new_copy,call 415 555 0123
{LINE},2026-03-04,new_copy,a,b
{LINE},2026-03-04
"""


def test_bad_rows_of_a_csv_are_told_with_line_number_and_reason_and_the_rest_is_kept(loaded, tmp_path):
    path = tmp_path / "actions.csv"
    path.write_text(BAD)
    done = run("action", "load", path, "--json", "--store", loaded)
    told = json.loads(done.stdout)
    assert done.exit_code == 0
    assert (told["kept"], told["new"]) == (2, 2)
    assert [(r["position"], r["reason"]) for r in told["refused"]] == [
        (5, "not a line of this store"),
        (6, "at is not a time"),
        (7, "no such kind of action"),
        (8, "the label may hold a phone number or an address"),
        (9, "more cells than columns"),
        (10, "no such kind of action"),
    ]
    assert not any(value in done.output for value in (OTHER, "555 0123", "yesterday", "magic"))
    assert pipeline.actions(loaded)["at"].to_list() == [datetime(2026, 3, 2, 10), datetime(2026, 3, 3, 6)]


def test_the_same_csv_again_changes_nothing(loaded, tmp_path):
    path = tmp_path / "actions.csv"
    path.write_text(BAD)
    pipeline.load_actions(path, store=loaded)
    before = pipeline.actions(loaded)
    report = pipeline.load_actions(path, store=loaded)
    assert (report.kept, report.new) == (2, 0)
    assert pipeline.actions(loaded).equals(before)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"line,kind\n", "no column at"), (b"", "no column line, at, kind"), (b"line,at,kind\n\xff\xfe\n", "not a CSV file in UTF-8")],
)  # fmt: skip
def test_a_file_that_is_no_list_of_actions_is_refused_whole(loaded, tmp_path, content, reason):
    path = tmp_path / "actions.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=reason):
        pipeline.load_actions(path, store=loaded)


def test_a_file_without_a_usable_row_fails_and_says_why_for_each(loaded, tmp_path):
    path = tmp_path / "actions.csv"
    path.write_text("line,at,kind\n,never,pause\n")
    done = run("action", "load", path, "--store", loaded)
    assert done.exit_code == 1
    assert "line 2: at is not a time" in done.stderr


def test_the_command_line_records_lists_and_forgets(loaded):
    name = run(
        "action", "add", "--line", LINE, "--at", T, "--kind", "slower", "--label", "half", "--store", loaded
    ).stdout.strip()
    assert (
        run("action", "list", "--store", loaded).stdout == f"{name}  2026-03-02T10:00:00.000Z  {LINE}  slower  half\n"
    )
    (row,) = json.loads(run("action", "list", "--json", "--store", loaded).stdout)
    assert row["action_id"] == name
    assert run("action", "remove", name, "--store", loaded).exit_code == 0
    assert "no action recorded" in run("action", "list", "--store", loaded).stdout


def test_actions_stay_when_exports_are_loaded_and_refreshed(loaded, write):
    pipeline.add_action("slower", line=LINE, at=T, store=loaded)
    pipeline.load(write("more.jsonl", [message("message.sent", "n1", 30, chat="c9")]), store=loaded)
    pipeline.refresh(store=loaded, full=True)
    assert pipeline.actions(loaded).height == 1


def test_a_store_of_the_version_before_takes_actions(loaded):
    with duckdb.connect(str(loaded)) as con:
        con.execute(
            "drop table quiet_time; drop table lesson; drop table line_day; drop table asked_line; drop table asked_day; drop table asked_service; drop table asked_hour; drop table expected_receipt; drop table forgotten; drop table observation; drop table observed_change; drop table alert; drop table activity; alter table explanation drop column measured_p; alter table explanation drop column compared_from; drop view actions; drop table action; update meta set value = '6' where key = 'schema_version'"
        )
    pipeline.refresh(store=loaded)
    pipeline.add_action("pause", line=LINE, at=T, store=loaded)
    assert pipeline.actions(loaded).height == 1
