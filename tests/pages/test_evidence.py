"""The evidence of a change as a ZIP: everything that is said on the page, nothing of a person."""

import io
import json
import zipfile

import polars as pl
import pytest

from analysis import pipeline
from analysis.pages import _words as words
from analysis.pages._evidence import bundle
from analysis.pages._store import Here


@pytest.fixture
def here(demo_store):
    return Here(demo_store, "test", pipeline.status(demo_store), pipeline.settings(demo_store), "light")


def unpacked(e, here):
    with zipfile.ZipFile(io.BytesIO(bundle(e, here))) as packed:
        return {name: packed.read(name).decode() for name in packed.namelist()}


@pytest.mark.parametrize("cause", ["new_conversations", "deliverability", "engagement"])
def test_it_holds_the_reasons_and_the_figures_behind_them(here, demo_store, cause):
    e = next(e for e in pipeline.explanations(demo_store) if words.worsened(e) and e.drivers[0].driver == cause)
    found = unpacked(e, here)
    assert e.headline in found["change.txt"]
    assert json.loads(found["change.json"])["drivers"][0]["share"] == e.drivers[0].share
    assert pl.read_csv(found["chats.csv"].encode())["chat_id"].to_list() == [c["chat_id"] for c in e.chats_to_fix]
    days = pl.read_csv(found["signals_day.csv"].encode())
    own = pipeline.signals(demo_store, line=e.line)
    assert set(days["line"].cast(pl.String).str.strip_prefix("+")) == {e.line.lstrip("+")}
    assert 0 < days.height <= min(34, own.height)
    assert days["day"].max() == e.at[:10]
    hours = pl.read_csv(found["signals_hour.csv"].encode())["hour"]
    assert hours.min() < (e.onset or e.at) < hours.max()
    assert ("openers.csv" in found) or cause != "new_conversations"
    assert ("failures.csv" in found) or cause != "deliverability"
    listed = {name for name in found if name != "README.txt"}
    assert all(name in found["README.txt"] for name in listed)


def test_no_text_of_a_message_is_in_it(here, demo_store, demo_files):
    phrases = json.loads((demo_files / "truth.json").read_text())["phrases"]
    assert phrases
    for e in pipeline.explanations(demo_store):
        whole = " ".join(unpacked(e, here).values())
        assert not [phrase for phrase in phrases if phrase in whole]


def test_the_page_offers_it(open_app, demo_store):
    e = next(e for e in pipeline.explanations(demo_store) if words.worsened(e))
    at = open_app(demo_store, "why", line=words.line_key(e.line), at=e.at)
    assert not at.exception
    assert [b.label for b in at.get("download_button")].count("Download evidence") == 1
