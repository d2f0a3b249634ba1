"""Every command and every block of code in README and docs does what the page says, on the demo fleet."""

import importlib
import re
import tomllib

import polars as pl
import pytest

from tests.docs import blocks
from tests.docs.blocks import PAGES, ROOT


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_what_a_page_shows_runs_and_gives_what_it_says(
    page, command, demo_store, demo_files, weekly, tmp_path, monkeypatch
):
    store = blocks.prepared(tmp_path, demo_files, demo_store, own=blocks.writes(page))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LINEHEALTH_STORE", str(store))
    report = importlib.import_module("analysis.report")  # the room: as an attribute of the package it is the verb
    real = report.report
    # the week's report is the one that other modules look at too: made once
    monkeypatch.setattr(report, "report", lambda store=None, **of: real(store, **of) if any(of.values()) else weekly)
    with pl.Config():
        did = blocks.run_page(page, command, store, demo_files)
    assert did.wrong == [], "\n".join(did.wrong)


def test_the_readers_questions_are_asked_and_shown():
    """No page of the questions is words only."""
    for page in (ROOT / "docs" / "questions").glob("*.md"):
        assert blocks.blocks(page.read_text()), page.name


def test_a_wrong_output_an_unknown_command_and_an_unknown_language_are_found(
    tmp_path, command, demo_store, monkeypatch
):
    monkeypatch.setenv("LINEHEALTH_STORE", str(demo_store))
    page = tmp_path / "page.md"
    page.write_text(
        "```console\n$ linehealth gaps\nthree gaps found\n```\n```sh\nrm -rf x\nlinehealth app --port none\n```\n```perl\n1\n```\n"
    )
    did = blocks.run_page(page, command, demo_store, tmp_path)
    assert [w.split(":")[0].split("\n")[0] for w in did.wrong] == [
        "linehealth gaps",
        "nobody says how to run",
        "linehealth app --port none",
        "line 9",
    ]


def test_extras_that_pages_install_exist():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for page in PAGES:
        for extra in re.findall(r'-e "\.\[(\w+)\]"', page.read_text()):
            assert extra in extras, (page.name, extra)
