"""The planted causes of the demo fleet are found through the store, and no time is far off."""

import json

import msgspec

from analysis import pipeline


def _by_key(truth):
    return {(t["line"], t["at"], t["kind"]): t for t in truth["transitions"]}


def test_main_drivers_of_the_demo_fleet(demo_files, demo_store):
    truth = _by_key(json.loads((demo_files / "truth.json").read_text()))
    found = [e for e in pipeline.explanations(demo_store) if (e.line, e.at, e.kind) in truth]
    assert len(found) >= 20
    wrong = [
        (e.line, e.at, truth[e.line, e.at, e.kind]["planted_driver"], e.headline)
        for e in found
        if e.drivers[0].driver != truth[e.line, e.at, e.kind]["planted_driver"]
    ]
    assert len(wrong) <= 0.05 * len(found), wrong


def test_explanations_hold_no_text_and_no_recipient(demo_files, demo_store):
    truth = json.loads((demo_files / "truth.json").read_text())
    told = msgspec.json.encode(pipeline.explanations(demo_store)).decode()
    assert not any(phrase in told for phrase in truth["phrases"])
