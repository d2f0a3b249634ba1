"""What a notebook sees of ``import analysis as lh``: verbs that complete, explain themselves, and whose examples run on the demo fleet."""

import doctest
import shutil
import warnings

import pytest

import analysis as lh
from tests.sweep import EVERY

ASK = {"pull", "audit"}
"""Ask the vendor: an example cannot run here (not every version has them)."""
SLOW = {"report", "set_setting"}
"""Seconds each, and tested elsewhere: LINEHEALTH_EVERY=1 runs their examples, else they are only there."""
VERBS = [v for v in lh.__all__ if v != "LineHealthError" and v not in ASK]
WRITES = {"add_action", "keep_audit", "load", "load_actions", "mark_alerts", "refresh", "remove_action", "set_setting"}


def examples(verb):
    function = getattr(lh, verb)
    return [t for t in doctest.DocTestFinder(recurse=False).find(function, verb, globs={"lh": lh}) if t.examples]


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_has_an_example_that_gives_what_it_says(verb, demo_store, demo_files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = demo_store
    if verb in WRITES:
        store = shutil.copy(demo_store, tmp_path / "own.duckdb")
        (tmp_path / "exports").symlink_to(demo_files)
    monkeypatch.setenv("LINEHEALTH_STORE", str(store))
    found = examples(verb)
    assert len(found) == 1, "give its docstring an example"
    if verb in SLOW and not EVERY:
        return
    said = []
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(found[0], out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


def test_a_notebook_completes_verbs_and_nothing_else():
    assert {name for name in dir(lh) if not name.startswith("__")} == set(lh.__all__)


def test_ipython_completes_and_explains_a_verb():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from IPython.core.completer import provisionalcompleter
        from IPython.core.interactiveshell import InteractiveShell

        shell = InteractiveShell()
        shell.user_ns["lh"] = lh
        with provisionalcompleter():
            told = {c.text for c in shell.Completer.completions("lh.e", 4)}
        assert {"evidence", "explain"} <= told
        assert "why each change" in shell.object_inspect("lh.explain")["docstring"]
