"""What a step costs: what its children held counts as well."""

import os
import subprocess
import sys

import pytest

from analysis.bench import steps


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="elsewhere the system does not tell what children hold"
)
def test_what_children_hold_counts_with_what_the_process_does():
    hold = "import time; held = bytearray(300_000_000); held[:: 4096] = bytes([1]) * len(held[:: 4096]); time.sleep(1)"
    with steps.costs() as found, steps._with_children() as together:
        subprocess.run([sys.executable, "-c", hold], check=True)
    assert together[0] > 300 + steps._held_mb(os.getpid()) / 2
    assert found["peak_mb"] >= together[0] - 50
    assert found["seconds"] > 1
    assert found["processor"] > 0
