"""The evidence of a change as a ZIP: everything that is said on the page, nothing of a person."""

import io
import json
import zipfile

import polars as pl
import pytest

import analysis as lh
from analysis import pipeline
from analysis.pages import _words as words
from analysis.store import Store
from tests.sweep import EVERY


def unpacked(e, store):
    with zipfile.ZipFile(io.BytesIO(pipeline.evidence(store, line=e.line, at=e.at))) as packed:
        return {name: packed.read(name).decode() for name in packed.namelist()}


@pytest.mark.parametrize("cause", ["new_conversations", "deliverability", "engagement"])
def test_it_holds_the_reasons_and_the_figures_behind_them(demo_store, cause):
    e = next(e for e in pipeline.explanations(demo_store) if words.worsened(e) and e.drivers[0].driver == cause)
    found = unpacked(e, demo_store)
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


def test_no_text_of_a_message_is_in_it_and_the_vendor_s_trace_ids_are(demo_store, demo_files):
    phrases = json.loads((demo_files / "truth.json").read_text())["phrases"]
    assert phrases
    traced = []
    for e in pipeline.explanations(demo_store)[:: 1 if EVERY else 4]:
        found = unpacked(e, demo_store)
        whole = " ".join(found.values())
        assert not [phrase for phrase in phrases if phrase in whole]
        if "failed_messages.csv" in found:
            failed = pl.read_csv(found["failed_messages.csv"].encode(), infer_schema_length=None)
            traced += failed["trace_id"].drop_nulls().to_list()
    assert traced


def test_the_page_offers_it(open_app, demo_store):
    e = next(e for e in pipeline.explanations(demo_store) if words.worsened(e))
    at = open_app(demo_store, "why", line=words.line_key(e.line), at=e.at)
    assert not at.exception
    assert [b.label for b in at.get("download_button")].count("Download evidence") == 1


def test_support_finds_the_failures_by_message_and_trace_id_and_nobody_by_name(demo_store):
    e = next(
        e for e in pipeline.explanations(demo_store) if words.worsened(e) and e.drivers[0].driver == "deliverability"
    )
    found = unpacked(e, demo_store)
    failed = pl.read_csv(found["failed_messages.csv"].encode(), infer_schema_length=None)
    start, end = pipeline.hours_around(e, words.instant(pipeline.status(demo_store)["as_of"]))
    own = pipeline.messages(demo_store, line=e.line, since=start, until=end).filter("failed")
    assert failed["message_id"].to_list() == own.sort("at", "message_id")["message_id"].to_list()[-500:]
    codes = pl.read_csv(found["failures.csv"].encode())
    assert codes["failed"].sum() >= failed.height > 0
    others = pl.read_csv(found["sample_messages.csv"].encode())
    assert 0 < others.height <= 100
    assert not others["failed"].any()
    with Store(demo_store).reader() as con:
        people = {
            r for (r,) in con.execute("select distinct recipient from chat where recipient is not null").fetchall()
        }
        kept = dict(con.execute("select message_id, trace_id from message where trace_id is not null").fetchall())
    assert people
    assert kept
    assert not [r for r in people if r in " ".join(found.values())]
    told = dict(failed.select("message_id", pl.col("trace_id").cast(pl.String)).iter_rows())
    assert told == {m: kept.get(m) for m in told}


def test_the_same_change_gives_the_same_file_from_page_command_and_notebook(demo_store, command, tmp_path):
    e = next(e for e in reversed(pipeline.explanations(demo_store)) if words.worsened(e))
    whole = pipeline.evidence(demo_store, line=e.line, at=e.at)
    out = tmp_path / "e.zip"
    assert command("evidence", "--store", demo_store, "--line", e.line, "--at", e.at[:16], "--out", out)[0] == 0
    assert out.read_bytes() == whole
    assert lh.evidence(demo_store, line=e.line) == whole  # the last fall where no time is named
    assert lh.evidence(demo_store, line=e.line, at=e.at[:10]) == whole


def test_a_change_that_is_not_there_is_wrong_use(demo_store, command, tmp_path):
    e = pipeline.explanations(demo_store)[-1]
    for line, at, out in (("+19995550100", None, "e.zip"), (e.line, "2020-01-01", "e.zip"), (e.line, None, "e.txt")):
        code, _, told = command(
            "evidence", "--store", demo_store, "--line", line, *(["--at", at] if at else []), "--out", tmp_path / out
        )
        assert (code, told.startswith("linehealth: ")) == (2, True)
        assert not (tmp_path / out).exists()
