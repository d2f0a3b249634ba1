"""The command line as a person meets it: words, exit codes, stdout and stderr."""

import json
import shutil
import subprocess
import sys
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from analysis import cli, pipeline
from tests.events import LINE, at, changed, created, message

LOG = [
    *(message("message.sent", f"m{i}", i, chat=f"c{i % 4}") for i in range(40)),
    *(message("message.received", f"r{i}", i + 0.2, chat=f"c{i % 4}") for i in range(0, 40, 2)),
    created("c0", 0),
    changed(41, "HEALTHY", "AT_RISK"),
]


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def process(*words: object, store=None) -> subprocess.CompletedProcess:
    """Run the command line in a process of its own, as a person would."""
    options = ["--store", str(store)] if store else []
    return subprocess.run(
        [sys.executable, "-m", "analysis", *map(str, words), *options], capture_output=True, text=True, check=False
    )


@pytest.fixture
def run(command):
    """Run the command line in this process: sooner done, where the process is not what is tried."""
    return lambda *words, store=None: Done(*command(*words, *(["--store", store] if store else [])))


@pytest.fixture(scope="module")
def made(tmp_path_factory, with_key):
    """The log in a store, made once; tests that write take ``loaded``."""
    folder = tmp_path_factory.mktemp("cli")
    log = folder / "log.jsonl"
    log.write_text("".join(json.dumps(event) + "\n" for event in LOG), encoding="utf-8")
    pipeline.load(log, store=folder / "made.duckdb")
    return folder / "made.duckdb"


@pytest.fixture
def loaded(made, store):
    store.parent.mkdir()
    shutil.copy(made, store)
    return store


def test_load_prints_counts_that_add_up(store, write):
    done = process("load", write("log.jsonl", [*LOG, {"x": 1}]), "--json", store=store)
    assert done.returncode == 0
    told = json.loads(done.stdout)
    (source,) = told["sources"]
    assert {"path", "kind", "read", "inserted", "merged", "duplicates", "ignored", "quarantined"} <= set(source)
    assert told["totals"]["read"] == 63 == sum(v for k, v in told["totals"].items() if k != "read")
    assert told["totals"]["quarantined"] == 1


def test_strict_exits_with_1_when_anything_was_refused(run, store, write):
    done = run("load", write("log.jsonl", [*LOG, {"x": 1}]), "--strict", store=store)
    assert done.returncode == 1
    assert "1 rows were quarantined" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["status"], 1, "no store at"),
        (["signals"], 1, "no store at"),
        (["explain"], 1, "no store at"),
        (["refresh"], 1, "no store at"),
        (["quarantine"], 1, "no store at"),
        (["load", "nowhere.csv"], 2, "no such file"),
        (["load"], 2, "Missing argument"),
        (["dance"], 2, "No such command"),
        (["signals", "--grain", "week"], 2, "is not one of"),
    ],
)
def test_errors_are_one_sentence_on_stderr(run, store, words, code, says):
    options = [] if words[0] in ("dance",) or words == ["load"] else ["--store", str(store)]
    done = run(*words, *options)
    assert done.returncode == code
    assert says in done.stderr
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_a_date_that_is_none_is_wrong_use(run, made):
    done = run("signals", "--since", "tomorrow", store=made)
    assert (done.returncode, "not a date or time" in done.stderr) == (2, True)


def test_signals_as_csv_json_and_parquet_agree(run, made, tmp_path):
    import polars as pl

    printed = run("signals", store=made).stdout
    rows = json.loads(run("signals", "--json", store=made).stdout)
    assert run("signals", "--out", tmp_path / "s.parquet", store=made).returncode == 0
    assert run("signals", "--out", tmp_path / "s.csv", store=made).returncode == 0
    frame = pl.read_parquet(tmp_path / "s.parquet")
    assert (tmp_path / "s.csv").read_text() == printed
    assert printed.splitlines()[0].split(",") == frame.columns == list(rows[0])
    assert [r["outbound"] for r in rows] == frame["outbound"].to_list() == [12, 24, 4]
    assert rows[0]["day"] == "2026-09-01"


def test_hours_and_a_period(run, made):
    rows = json.loads(
        run(
            "signals",
            "--grain",
            "hour",
            "--since",
            "2026-09-01T13:00:00Z",
            "--until",
            "2026-09-01T15:00:00Z",
            "--json",
            store=made,
        ).stdout
    )
    assert [(r["hour"], r["outbound"]) for r in rows] == [
        ("2026-09-01T13:00:00.000Z", 1),
        ("2026-09-01T14:00:00.000Z", 1),
    ]


def test_explain_has_every_field_of_the_contract(run, made):
    (e,) = json.loads(run("explain", "--json", store=made).stdout)
    assert (e["line"], e["at"], e["kind"], e["previous"], e["new"]) == (LINE, at(41), "health", "HEALTHY", "AT_RISK")
    assert {
        "onset",
        "lead_hours",
        "drivers",
        "headline",
        "chats_to_fix",
        "actions",
        "confidence",
        "confidence_p",
    } <= set(e)
    assert sum(d["share"] for d in e["drivers"]) == pytest.approx(1, abs=1e-9)
    assert [d["share"] for d in e["drivers"]] == sorted((d["share"] for d in e["drivers"]), reverse=True)
    assert "unexplained" in [d["driver"] for d in e["drivers"]]
    for d in e["drivers"]:
        assert set(d) >= {"driver", "vendor_driver", "share", "summary", "evidence"}
    assert e["confidence"] in ("high", "medium", "low")
    text = run("explain", store=made).stdout
    assert e["headline"] in text


def test_status_says_what_is_there_and_how_fresh(run, made):
    told = json.loads(run("status", "--json", store=made).stdout)
    assert (told["lines"], told["messages"], told["transitions"], told["as_of"]) == (1, 60, 1, at(41))
    assert "60 messages" in run("status", store=made).stdout


def test_quarantine_lists_source_position_reason_and_fix(run, store, write):
    run("load", write("log.jsonl", [*LOG, {"x": 1}]), store=store)
    (row,) = json.loads(run("quarantine", "--json", store=store).stdout)
    assert row["source"].endswith("log.jsonl")
    assert row["position"] == 63
    assert row["reason"]
    assert row["fix"]


def test_refresh_gives_the_same_marts(run, loaded):
    before = run("signals", store=loaded).stdout
    assert run("refresh", "--full", store=loaded).returncode == 0
    assert run("signals", store=loaded).stdout == before


def test_settings_are_listed_with_sources_and_kept_in_the_store(run, loaded):
    listed = json.loads(run("settings", "--json", store=loaded).stdout)
    assert all(s["source"] and s["unit"] and s["help"] for s in listed)
    assert run("settings", "timezone=Pacific/Auckland", store=loaded).returncode == 0
    days = [r["day"] for r in json.loads(run("signals", "--json", store=loaded).stdout)]
    assert days == ["2026-09-02", "2026-09-03"]  # 1 September 12:00 UTC is midnight in Auckland
    for wrong, says in (
        ("timezone=Mars/Base", "IANA"),
        ("reply_window_hours=0", "from 1 to 168"),
        ("colour=red", "no such setting"),
        ("nothing", "not KEY=VALUE"),
    ):
        done = run("settings", wrong, store=loaded)
        assert (done.returncode, says in done.stderr) == (2, True)
    assert run("settings", "timezone=", store=loaded).returncode == 0
    assert json.loads(run("signals", "--json", store=loaded).stdout)[0]["day"] == "2026-09-01"


def test_every_command_has_help():
    runner = CliRunner()
    for name, command in cli.cli.commands.items():
        assert command.help, name
        shown = runner.invoke(cli.cli, [name, "--help"])
        assert shown.exit_code == 0
        for option in command.params:
            assert option.param_type_name == "argument" or option.help, f"{name} {option.name}"


def test_the_environment_names_the_store(run, made, monkeypatch):
    monkeypatch.setenv("LINEHEALTH_STORE", str(made))
    assert run("status").returncode == 0


def test_help_loads_no_heavy_library():
    code = "import sys; sys.argv=['linehealth','--help']\nfrom analysis import cli\ntry:\n    cli.main()\nfinally:\n    heavy={'polars','duckdb','streamlit','altair','pandas','rich'} & set(sys.modules)\n    sys.exit(f'loaded {heavy}' if heavy else 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# ------------------------------------------------------------------ how far a load is


def test_progress_as_json_names_the_file_the_rows_and_every_stage_and_never_runs_back(run, store, write):
    files = [write(f"log{i}.jsonl", [message("message.sent", f"m{i}-{j}", j) for j in range(9)]) for i in range(3)]
    done = run("load", *files, "--progress", "json", "--json", store=store)
    assert done.returncode == 0
    steps = [json.loads(line) for line in done.stderr.splitlines()]
    reading = [(s["file"], s["files"], s["name"], s["rows"]) for s in steps if s["stage"] == "reading"]
    assert {(1, 3, "log0.jsonl", 0), (2, 3, "log1.jsonl", 9), (3, 3, "log2.jsonl", 18)} <= set(reading)
    assert list(dict.fromkeys(s["stage"] for s in steps)) == ["reading", "merging", "signals"]  # nothing to explain
    shares = [s["share"] for s in steps]
    assert shares == sorted(shares)
    assert shares[0] >= 0
    assert shares[-1] <= 1
    assert steps[-1]["rows"] == 27
    assert "Merging 27 rows" in next(s["words"] for s in steps if s["stage"] == "merging")


def test_explaining_is_a_stage_where_there_is_something_to_explain(run, store, write):
    done = run("load", write("log.jsonl", LOG), "--progress", "json", store=store)
    assert json.loads(done.stderr.splitlines()[-1])["stage"] == "explaining"
    again = run("refresh", "--full", "--progress", "json", store=store)
    assert [json.loads(line)["stage"] for line in again.stderr.splitlines()][-1] == "explaining"


def test_an_error_is_told_in_words_after_the_steps(store, write):
    done = process("load", write("x.csv", "a,b\n1,2\n"), "--progress", "json", store=store)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("linehealth: ")
