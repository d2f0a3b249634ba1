"""The container file and the systemd unit name commands, options and files that exist."""

import json
import re
import shlex
from pathlib import Path

import pytest

import analysis
from analysis.cli import cli
from analysis.serve import receive, together

ROOT = Path(analysis.__file__).resolve().parent.parent
DOCKER = (ROOT / "deploy" / "Dockerfile").read_text()
UNIT = (ROOT / "deploy" / "linehealth.service").read_text()


def commands() -> list[list[str]]:
    told = json.loads(re.search(r"^CMD (\[.*\])$", DOCKER, re.M)[1])
    unit = shlex.split(re.search(r"^ExecStart=(.*)$", UNIT, re.M)[1])
    assert Path(unit[0]).name == told[0] == "linehealth"
    return [told[1:], unit[1:]]


@pytest.mark.parametrize("words", commands(), ids=["container", "unit"])
def test_the_command_and_its_options_exist(words):
    context = cli.make_context("linehealth", list(words))
    name, command, rest = cli.resolve_command(context, list(words))
    assert (name, command.make_context(name, list(rest)).params["port"]) == ("up", 8777)


def test_the_container_copies_what_is_there_and_what_its_ignore_file_lets_through():
    let = {line[1:] for line in (ROOT / "deploy" / "Dockerfile.dockerignore").read_text().split() if line[:1] == "!"}
    copied = [w for line in re.findall(r"^COPY (.*)$", DOCKER, re.M) for w in line.split()[:-1]]
    assert all((ROOT / name).exists() for name in copied)
    assert set(copied) == let


def test_whoever_stops_it_waits_longer_than_its_parts_may_take():
    unit = int(re.search(r"TimeoutStopSec=(\d+)", UNIT)[1])
    docker = int(re.search(r"--stop-timeout (\d+)", DOCKER)[1])
    assert min(unit, docker) >= receive.GRACE_S + together.GRACE_S


def test_variables_are_those_that_the_program_reads():
    for name in ("LINQ_WEBHOOK_SECRET", "LINEHEALTH_STORE", "LINEHEALTH_KEY_FILE"):
        assert name in DOCKER
        assert name in UNIT
        assert any(name in path.read_text() for path in (ROOT / "analysis").rglob("*.py"))
