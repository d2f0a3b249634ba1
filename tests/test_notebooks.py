"""Notebooks run from top to bottom on the demo fleet, are stored without outputs, open in marimo, and end in a finding that is counted."""

import ast
import contextlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from analysis import pipeline
from tests.sweep import EVERY

nbformat = pytest.importorskip("nbformat")
NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))
SAMPLE = Path(__file__).resolve().parents[1] / "data" / "sample"
# in a process of its own: the kernel's sockets are closed by the end of it
RUN = """
import json, sys, tempfile, nbformat
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
with tempfile.TemporaryDirectory() as sockets:  # short: a socket's path may have about 100 characters
    kernel = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=sockets + "/k")
    NotebookClient(notebook, km=kernel, timeout=120).execute()
json.dump(notebook, open(sys.argv[2], "w"))
"""


def cells(path, kind="code"):
    return [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == kind]


def given_by(source) -> set[str]:
    """Return the names that a cell leaves behind: not those inside its functions and comprehensions."""
    names, stack = set(), list(ast.parse(source).body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif not isinstance(node, ast.ListComp | ast.DictComp | ast.SetComp | ast.GeneratorExp | ast.Lambda):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            stack += ast.iter_child_nodes(node)
    return names


def run(path) -> tuple[str, list]:
    """Run a notebook's cells in this process, as a kernel would: what the last one prints, and what each shows."""
    space: dict = {"__name__": "__main__"}
    shown, said = [], io.StringIO()
    for cell in cells(path):
        body = ast.parse(cell.source).body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(ast.Module(body, []), str(path), "exec"), space)
            if last is not None:
                shown.append(eval(compile(ast.Expression(last.value), str(path), "eval"), space))
    return said.getvalue(), [x for x in shown if x is not None]


@pytest.fixture(scope="module")
def ran(demo_store):
    """What each notebook finds and shows on the demo fleet."""
    patch = pytest.MonkeyPatch()
    patch.setenv("LINEHEALTH_STORE", str(demo_store))
    patch.setenv("LINEHEALTH_KEY", "a key that only the tests use")
    with pl.Config():
        found = {path.stem: run(path) for path in NOTEBOOKS}
    patch.undo()
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_short_and_stored_without_outputs(path):
    assert all(not c.outputs and c.execution_count is None for c in cells(path))
    assert len(cells(path)) < 15


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_no_name_is_given_in_two_cells_so_that_marimo_opens_it(path):
    given: dict[str, int] = {}
    for i, cell in enumerate(cells(path)):
        names = given_by(cell.source)
        for name in names:
            assert given.setdefault(name, i) == i, f"{name} is given in two cells"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_shows_frames_or_pictures_and_ends_in_a_finding_that_is_counted(path, ran):
    finding, shown = ran[path.stem]
    assert len(shown) >= 3
    for x in shown:
        if type(x).__module__.startswith("altair"):
            assert x.to_dict()["$schema"]  # Altair looks at the spec here
        else:
            assert hasattr(x, "_repr_html_") or isinstance(x, dict | str)
    assert re.search(r"\d", finding)
    assert not re.search(r"\+1\d{10}|\d+ of \d+", cells(path)[-1].source), "a finding is worked out, not written down"


def test_01_names_the_latest_fall_its_cause_and_the_first_step(ran, demo_store):
    e = [e for e in pipeline.explanations(demo_store) if e.new in ("AT_RISK", "CRITICAL")][-1]
    finding = ran["01_why_at_risk"][0]
    assert e.headline in finding
    assert f"{e.drivers[0].share:.0%} of it is {e.drivers[0].driver}" in finding
    assert e.actions[0]["action"] in finding


def test_02_finds_that_few_replies_and_not_volume_come_before_a_fall(ran):
    volume, replies = ran["02_reply_rate_vs_volume"][0].splitlines()
    quiet, busy = (int(x) for x in re.findall(r"\((\d+)%\)", volume))
    few, rest = (int(x) for x in re.findall(r"\((\d+)%\)", replies))
    assert abs(quiet - busy) <= 5  # the demo fleet's people answer as much on busy days
    assert few > 4 * rest


def test_03_finds_the_planted_burst(ran, demo_files):
    truth = json.loads((demo_files / "truth.json").read_text())
    planted = [t for t in truth["transitions"] if t["planted_driver"] == "new_conversations" and t["worsening"]]
    finding, shown = ran["03_new_conversation_bursts"]
    frames = [x for x in shown if isinstance(x, pl.DataFrame)]
    top = frames[0].row(0, named=True)
    assert (top["line"], str(top["day"]), top["fell"]) in {(t["line"], t["at"][:10], True) for t in planted}
    before, after = re.search(r"goes from (\d+)% to (\d+)%", finding).groups()
    assert int(before) >= int(after)


def test_04_counts_the_comparisons_that_its_table_shows(ran, demo_store):
    finding, shown = ran["04_agreement_with_audits"]
    table = next(x for x in shown if isinstance(x, pl.DataFrame))
    agree = table.filter(main="agree").height
    told = table.filter(pl.col("main") != "cannot tell").height
    assert told > 0
    assert f"the same main driver in {agree} of {told}" in finding
    assert finding.count("Differs:") == told - agree
    assert pipeline.agreement(demo_store)["vendor_named"].sum() == 0, "stand-ins belong into a copy"


def test_05_says_no_more_of_the_hours_than_their_intervals_allow(ran):
    finding = ran["05_your_own_question"][0]
    best, worst = (tuple(map(int, x)) for x in re.findall(r"\((\d+)%, (\d+)% to (\d+)%\)", finding))
    assert best[0] >= worst[0]
    assert ("overlap: chance" in finding) == (best[1] <= worst[2])


@pytest.mark.skipif(not EVERY, reason="a kernel a notebook takes half a minute: LINEHEALTH_EVERY=1")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_kernel_runs_it_and_draws_here(path, demo_store, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(path), str(tmp_path / "done.ipynb")],
        env={**os.environ, "LINEHEALTH_STORE": str(demo_store)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    code = [c for c in json.loads((tmp_path / "done.ipynb").read_text())["cells"] if c["cell_type"] == "code"]
    kinds = {kind for c in code for o in c["outputs"] for kind in o.get("data", {})}
    assert "text/html" in kinds  # a frame or a card
    if "04" not in path.stem:
        assert "image/svg+xml" in kinds  # a chart was drawn, and not by a script from elsewhere
    assert code[-1]["outputs"][0]["text"].strip()


@pytest.mark.skipif(not EVERY, reason="another fleet, another finding: LINEHEALTH_EVERY=1")
def test_other_data_gives_other_findings(ran, tmp_path, monkeypatch):
    store = tmp_path / "sample.duckdb"
    pipeline.load(SAMPLE, store=store)
    monkeypatch.setenv("LINEHEALTH_STORE", str(store))
    with pl.Config():
        for path in NOTEBOOKS:
            finding, _ = run(path)
            assert finding.strip()
            assert finding != ran[path.stem][0]


def test_there_are_five_notebooks():
    assert [p.stem[:2] for p in NOTEBOOKS] == ["01", "02", "03", "04", "05"]
