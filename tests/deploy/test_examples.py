"""The ready examples: each parses as what it is, and names commands and options that exist."""

import configparser
import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from analysis.cli import cli

EXAMPLES = Path(__file__).resolve().parents[2] / "deploy" / "examples"
CALL = re.compile(r"\blinehealth ((?:[a-z][a-z-]*) [^&|\n]*)")


def calls(text: str) -> list[list[str]]:
    """Return the words after `linehealth` of each call in commands (not in comments)."""
    return [shlex.split(re.sub(r">\s*\S+", "", found)) for found in CALL.findall(text)]


def understood(words: list[str]) -> click.Context:
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None, words
    return command.make_context(words[0], words[1:])  # parses options and arguments; runs nothing


@pytest.fixture
def existing(monkeypatch):
    """Let paths that only a server has count as existing."""
    monkeypatch.setattr(click.Path, "convert", lambda self, value, param, ctx: value)


def test_every_line_of_the_crontab_is_a_time_and_commands_that_exist(existing):
    rows = [
        r
        for r in (EXAMPLES / "crontab").read_text().splitlines()
        if r and not r.startswith("#") and "=" not in r.split()[0]
    ]
    assert rows
    for row in rows:
        *times, command = row.split(None, 5)
        assert all(re.fullmatch(r"[\d*/,-]+", t) for t in times)
        assert "%" not in command  # cron reads it as a new line
        found = calls(command)
        assert found
        assert all(understood(words) for words in found)


def test_units_parse_and_run_commands_that_exist(existing):
    units = sorted(p for p in EXAMPLES.iterdir() if p.suffix in (".service", ".timer"))
    assert len(units) == 4
    for unit in units:
        parsed = configparser.RawConfigParser(strict=False, interpolation=None)
        parsed.optionxform = str  # type: ignore[assignment]
        parsed.read_string(unit.read_text())
        if unit.suffix == ".timer":
            assert parsed["Timer"]["OnCalendar"]
            assert unit.with_suffix(".service").exists()
            continue
        starts = [r.split("=", 1)[1] for r in unit.read_text().splitlines() if r.startswith("ExecStart=")]
        assert starts
        for start in starts:
            (words,) = calls(start)
            assert understood(words)


def test_the_workflow_parses_keeps_secrets_out_and_runs_commands_that_exist(existing):
    text = (EXAMPLES / "github-actions.yml").read_text()
    flow = yaml.safe_load(text)
    assert flow[True]["schedule"]  # YAML reads `on` as a truth
    job = flow["jobs"]["report"]
    assert set(job["env"]) == {"LINEHEALTH_STORE", "LINEHEALTH_KEY", "LINEHEALTH_NOTIFY"}
    assert all("secrets." in job["env"][name] for name in ("LINEHEALTH_KEY", "LINEHEALTH_NOTIFY"))
    runs = [step["run"] for step in job["steps"] if "run" in step]
    found = [words for run in runs for words in calls(run)]
    assert [words[0] for words in found] == ["load", "report"]
    assert all(understood(words) for words in found)


def test_an_option_that_does_not_exist_would_be_found(existing):
    with pytest.raises(click.UsageError):
        understood(["report", "--no-such-option"])
