"""Notebooks run from top to bottom on the demo fleet, are stored without outputs, and end in a finding."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))
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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs_on_the_demo_fleet(path, demo_store, tmp_path):
    stored = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    assert all(not c.outputs and c.execution_count is None for c in stored)
    run = subprocess.run(
        [sys.executable, "-c", RUN, str(path), str(tmp_path / "done.ipynb")],
        env={**os.environ, "LINEHEALTH_STORE": str(demo_store)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-2000:]
    code = [c for c in json.loads((tmp_path / "done.ipynb").read_text())["cells"] if c["cell_type"] == "code"]
    kinds = {kind for c in code for o in c["outputs"] for kind in o.get("data", {})}
    assert "image/svg+xml" in kinds  # a chart was drawn
    assert code[-1]["outputs"][0]["text"].strip()


def test_there_is_a_notebook():
    assert NOTEBOOKS
