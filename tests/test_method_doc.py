"""METHOD.md, README and ARCHITECTURE keep up with the code: a signal, driver, setting or dependency that is not in them fails here."""

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest

import analysis
from analysis.schema import DRIVERS, SIGNALS_DAY
from analysis.settings import Settings
from tests import method_tables

ROOT = Path(analysis.__file__).resolve().parent.parent
METHOD = (ROOT / "analysis" / "METHOD.md").read_text()


@pytest.mark.parametrize("signal", [c for c in SIGNALS_DAY if c not in ("line", "day")])
def test_every_signal_is_in_the_method(signal):
    assert f"`{signal}`" in METHOD


@pytest.mark.parametrize("driver", DRIVERS)
def test_every_driver_is_in_the_method(driver):
    assert f"`{driver}`" in METHOD


@pytest.mark.parametrize("setting", dataclasses.fields(Settings), ids=lambda f: f.name)
def test_every_setting_is_in_the_method_and_says_unit_range_meaning_and_source(setting):
    assert f"`{setting.name}`" in METHOD
    assert {"unit", "low", "high", "help", "source"} <= set(setting.metadata)
    assert all(setting.metadata[k] for k in ("unit", "help", "source"))
    low, high = setting.metadata["low"], setting.metadata["high"]
    assert low is None or low <= setting.default <= high


@pytest.mark.parametrize("row", method_tables.constants(), ids=lambda row: row.split("`")[1])
def test_every_constant_stands_in_the_method_with_its_value_and_source(row):
    assert row in METHOD, "run: python -m tests.method_tables"
    assert all(cell.strip() for cell in row.strip("|").split("|"))


def test_every_dependency_is_in_the_architecture_and_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "ARCHITECTURE.md").read_text()
    pins = {line.split("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().split()}
    for requirement in [
        *project["dependencies"],
        *(r for extra in project["optional-dependencies"].values() for r in extra),
    ]:
        name = re.split(r"[<>=\[]", requirement)[0].lower()
        if name != "linehealth":
            assert name in text, name
            assert name in pins, name


def test_ci_runs_the_readmes_test_command():
    readme = (ROOT / "README.md").read_text()
    commands = [line for line in readme.splitlines() if line.startswith("python3 -m venv")]
    assert len(commands) == 2  # one to open the app, one to pass the tests: each one line to paste
    assert "README.md" in (ROOT / ".ci" / "run").read_text()


def test_no_registry_host_and_no_path_of_a_machine_is_in_a_tracked_file():
    import subprocess

    found = subprocess.run(
        ["git", "grep", "-nIE", r"pypi\.org|files\.pythonhosted|registry\.npmjs|(^|[^A-Za-z0-9._~-])/(work|root|home/[a-z]+)/", "--", ".", ":!tests/test_method_doc.py"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if found.returncode == 128:
        pytest.skip("not a git checkout")
    assert found.stdout == ""
