"""`linehealth bench receive` on a few deliveries: every one acknowledged, both ways side by side; no times are judged here."""

import json

import pytest

from analysis.bench.receive import Told
from tests.sweep import EVERY


@pytest.mark.skipif(not EVERY, reason="starts two servers: $LINEHEALTH_EVERY=1")
def test_a_small_run_tells_both_ways(command):
    code, out, _ = command("bench", "receive", "--deliveries", 400, "--connections", 4, "--runs", 1, "--json")
    assert code == 0
    told = json.loads(out)
    assert set(told["runs"]) == {"durable", "not durable"}
    for way in told["runs"]:
        (run,) = told["runs"][way]
        assert run["a_second"] > 0
        assert run["p50_ms"] <= run["p99_ms"] <= run["worst_ms"]
        assert 1 <= run["lines_a_commit"] <= 4  # no more can wait than there are connections


def test_the_target_is_judged_on_the_durable_way():
    def run(a_second, p99_ms):
        return {"a_second": a_second, "p50_ms": 1.0, "p99_ms": p99_ms, "worst_ms": 9.0, "lines_a_commit": 2.0}

    good, slow, late = run(1000.0, 99.0), run(999.0, 9.0), run(5000.0, 101.0)
    for durable, met in ((good, True), (slow, False), (late, False)):
        told = Told(1, 1, 0.1, {"durable": [durable], "not durable": [good]})
        assert told.met == met
        assert ("NOT reached" in told.as_text()) == (not met)
