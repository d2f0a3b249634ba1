"""`linehealth doctor`: what is broken is found, with what to do; a secret is never shown."""

import json

import pytest


@pytest.fixture
def looked(command, store, write):
    from analysis import pipeline

    pipeline.load(write("m.csv", "message_id,line,chat_id,direction,sent_at\nm,+14155550101,c,outbound,2026-03-01T00:00:00Z\n"), store=store)  # fmt: skip

    def _look():
        code, out, err = command("doctor", "--store", store, "--json")
        assert err == ""
        assert "a key that only the tests use" not in out
        return code, {c["name"]: c for c in json.loads(out)}

    return _look


def test_what_is_in_order_is_said_and_the_exit_code_is_0(looked):
    code, found = looked()
    assert code == 0
    assert {"versions", "key", "rights", "store", "freshness", "gaps", "disk", "leftovers", "chromium"} <= set(found)
    assert all(c["fix"] for c in found.values() if c["state"] != "ok")


def test_what_is_broken_fails_with_what_to_do(looked, store, monkeypatch):
    store.chmod(0o644)
    assert (looked()[0], looked()[1]["rights"]["state"]) == (1, "fail")
    store.chmod(0o600)
    (store.parent / f".{store.name}.1.new").touch()
    assert looked()[1]["leftovers"]["state"] == "warn"
    monkeypatch.setenv("LINEHEALTH_KEY", "short")
    code, out = looked()
    assert (code, out["key"]["state"]) == (1, "fail")
    store.write_bytes(b"\0" * 5000)
    assert "linehealth rebuild" in looked()[1]["store"]["fix"]
