import random
import stat

import polars as pl
import pytest

from analysis.errors import StoreError
from analysis.sources.pseudonym import Pseudonyms, canonical_line, load_key, tells_a_person


def _names(*handles, key=b"k" * 32):
    return Pseudonyms(key).recipients(pl.Series("recipient", handles)).to_list()


@pytest.mark.parametrize(
    "other", ["+12065550117", "12065550117", "+1 (206) 555-0117", "tel:+1-206-555-0117", "0012065550117"]
)
def test_one_person_has_one_name_however_the_number_is_written(other):
    assert _names("+12065550117") == _names(other)


def test_addresses_are_told_apart_but_not_by_case():
    assert _names("Ann@example.com") == _names("ann@EXAMPLE.com")
    assert len(set(_names("ann@example.com", "bob@example.com", "+12065550117"))) == 3


def test_a_name_does_not_tell_the_person_and_depends_on_the_key():
    (name,) = _names("+12065550117")
    assert "555" not in name
    assert name.startswith("p_")
    assert (name,) != tuple(_names("+12065550117", key=b"other key of the same length ...")[:1])


@pytest.mark.parametrize(
    ("identifier", "unsafe"),
    [
        ("ba12f76d-d9e8-599d-911d-8f2bada4340d", False),
        ("chat-1", False),
        ("5530912", False),
        ("iMessage;-;+12065550117", True),
        ("ann@example.com", True),
        ("12065550117", True),
        ("206-555-0117", True),
        ("sms_1.206.555.0117_a", True),
        ("a-206-555-0117-7", True),
        ("550e8400-e29b", False),
        ("c12-845", False),
        ("msg-2026-11-25", False),
        ("dinner with Ann on Friday", True),
    ],
)
def test_ids_that_hold_a_person_are_named_too(identifier, unsafe):
    assert tells_a_person(identifier) is unsafe
    (kept,) = Pseudonyms(b"k" * 32).ids(pl.Series("chat_id", [identifier]))
    assert (kept == identifier) is not unsafe


def test_a_column_of_ids_names_those_that_each_alone_would_be():
    draw = random.Random(7)
    signs = "0123456789" * 6 + "-.:+a_~=\n @é٣"
    ids = ["".join(draw.choices(signs, k=draw.choice([9, 10, 11, 14, 36, 128, 129]))) for _ in range(5_000)]
    kept = Pseudonyms(b"k" * 32).ids(pl.Series("chat_id", ids)).to_list()
    assert [k != i for k, i in zip(kept, ids, strict=True)] == [tells_a_person(i) for i in ids]
    assert 0 < sum(map(tells_a_person, ids)) < len(ids)


@pytest.mark.parametrize(
    ("given", "line"),
    [("+1 415 555 0142", "+14155550142"), ("14155550142", "+14155550142"), ("9", "9"), (" support ", "support")],
)
def test_a_line_has_one_spelling(given, line):
    assert canonical_line(given) == line


def test_the_key_file_is_made_once_for_its_owner_only(tmp_path, monkeypatch):
    monkeypatch.delenv("LINEHEALTH_KEY")
    monkeypatch.setenv("LINEHEALTH_KEY_FILE", str(tmp_path / "deep" / "key"))
    first = load_key()
    assert load_key() == first
    assert len(first) == 64
    assert stat.S_IMODE((tmp_path / "deep" / "key").stat().st_mode) == 0o600
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["key"]


def test_a_key_that_others_can_read_is_refused(tmp_path, monkeypatch):
    monkeypatch.delenv("LINEHEALTH_KEY")
    key = tmp_path / "key"
    key.write_text("x" * 64)
    key.chmod(0o644)
    monkeypatch.setenv("LINEHEALTH_KEY_FILE", str(key))
    with pytest.raises(StoreError, match="chmod 600"):
        load_key()


def test_a_short_key_is_refused(monkeypatch):
    monkeypatch.setenv("LINEHEALTH_KEY", "short")
    with pytest.raises(StoreError, match="16 characters"):
        load_key()
