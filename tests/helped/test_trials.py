"""On made-up fleets: actions that did nothing are seldom said to have helped, ones that stopped something mostly are."""

import polars as pl

from analysis.evaluate.fleets import Fleet
from analysis.evaluate.helping import helping_evaluated, helping_text, trials_of
from tests.sweep import EVERY, SWEEP


@SWEEP
def test_placebos_seldom_help_and_planted_effects_mostly_do():
    told = pl.concat(
        [
            trials_of(Fleet("drawn", scorer, 7, 24 if EVERY else 18, 63))
            for scorer in (("ledger", "surprise") if EVERY else ("ledger",))
        ]
    )
    found = {(r["stopped"], r["when"]): r for r in helping_evaluated(told)}
    placebos = [found["nothing", when] for when in ("random", "fall")]
    assert sum(r["n"] for r in placebos) >= (30 if EVERY else 12)
    assert sum(r["helped"] for r in placebos) <= 0.1 * sum(r["n"] for r in placebos)
    planted = [r for (stopped, _), r in found.items() if stopped != "nothing"]
    assert sum(r["n"] for r in planted) >= (15 if EVERY else 6)
    assert sum(r["helped"] for r in planted) >= (0.7 if EVERY else 0.6) * sum(r["n"] for r in planted)
    assert "nothing" in helping_text(list(found.values()))
