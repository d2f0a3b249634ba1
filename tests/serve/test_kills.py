"""What was acknowledged is in the store exactly once, whatever is killed: three kills here, fifty by `python -m tests.serve.kills`."""

import pytest

from tests.serve.kills import run
from tests.sweep import EVERY


@pytest.mark.parametrize("seed", [3, *([4, 5] if EVERY else [])])
def test_kill_9_under_load_loses_nothing_that_was_acknowledged_and_counts_nothing_twice(tmp_path, seed):
    figures = run(tmp_path / "store.duckdb", kills=12 if EVERY else 3, seed=seed, longest_s=2.0 if EVERY else 0.8)
    assert figures.kills.total() >= 3
    assert len(figures.acknowledged) > 100
    assert figures.good, str(figures)
