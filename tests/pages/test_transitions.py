"""The Transitions page: the log, spells of trouble, time in each state; and the sentence over them."""

import re
import shutil
from datetime import datetime, timedelta

import polars as pl
import pytest

from analysis import pipeline
from analysis.pages import _figures as figures
from analysis.pages import _transitions as parts
from analysis.pages import _words as words
from analysis.schema import SPELLS, Driver, Explanation
from tests.pages.conftest import words_of

T = datetime(2026, 3, 1)


def change(day, new, previous, *, line="+14155550101", cause="engagement", kind="health"):
    at = (T + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    drivers = [Driver(cause, "other", 0.8, "", {}), Driver("unexplained", "other", 0.2, "", {})]
    return Explanation(line, at, kind, previous, new, None, None, drivers, "h", [], [], "high", 0.8)


def told(*changes):
    return [(t.start, t.end, t.worst, t.cause, t.relapse) for t in parts.troubles(list(changes))]


def day(n):
    return T + timedelta(days=n)


def test_a_spell_of_trouble_lasts_from_the_fall_to_healthy_again():
    found = told(
        change(1, "AT_RISK", "HEALTHY"),
        change(2, "CRITICAL", "AT_RISK", cause="opt_outs"),
        change(3, "AT_RISK", "CRITICAL"),
        change(5, "HEALTHY", "AT_RISK"),
    )
    assert found == [(day(1), day(5), "CRITICAL", "engagement", False)]


@pytest.mark.parametrize(("gap", "relapse"), [(6, True), (7, True), (8, False)])
def test_a_fall_soon_after_healthy_again_is_a_relapse(gap, relapse):
    *_, last = told(
        change(1, "AT_RISK", "HEALTHY"), change(2, "HEALTHY", "AT_RISK"), change(2 + gap, "CRITICAL", "HEALTHY")
    )
    assert last == (day(2 + gap), None, "CRITICAL", "engagement", relapse)


def test_a_spell_whose_end_was_not_reported_is_left_out():
    found = told(change(1, "AT_RISK", "HEALTHY"), change(9, "AT_RISK", "HEALTHY"), change(10, "HEALTHY", "AT_RISK"))
    assert found == [(day(9), day(10), "AT_RISK", "engagement", False)]


def test_flags_and_other_lines_make_no_spell():
    assert told(change(1, "FLAGGED", "ACTIVE", kind="status")) == []
    found = told(change(1, "AT_RISK", "HEALTHY"), change(2, "HEALTHY", "AT_RISK", line="+14155550102"))
    assert [end for _, end, *_ in found] == [None]


def test_the_sentence_counts_falls_lines_and_the_median():
    of = parts.troubles(
        [
            change(1, "AT_RISK", "HEALTHY"),
            change(3, "HEALTHY", "AT_RISK"),
            change(4, "AT_RISK", "HEALTHY", line="+14155550102"),
            change(10, "HEALTHY", "AT_RISK", line="+14155550102"),
            change(11, "AT_RISK", "HEALTHY", line="+14155550102"),
        ]
    )
    assert parts.sentence(of, 12, "30 days") == (
        "3 falls on 2 of 12 lines in 30 days; half of those that are over took 4 days or less."
    )
    assert parts.sentence(of[:0], 12, "7 days") == "None of your 12 lines fell in 7 days."
    assert parts.sentence(of[:0], 1, "All") == "Your line did not fall in all the data."
    assert parts.sentence(of[2:], 12, "All") == "1 fall on 1 of 12 lines in all the data; none is over yet."
    assert [figure for _, figure, _ in parts.tiles(of)] == ["3", "2", "4 days", "1"]


def test_time_in_each_state_is_cut_to_the_period():
    rows = [
        ("+1", "health", "HEALTHY", None, day(2), False),
        ("+1", "health", "AT_RISK", day(2), day(6), True),
        ("+1", "health", "HEALTHY", day(6), None, True),
        ("+2", "health", "CRITICAL", day(1), day(9), True),
        ("+2", "status", "FLAGGED", day(1), day(9), True),
    ]
    spells = pl.DataFrame(rows, schema=SPELLS, orient="row")
    assert parts.held(spells, day(4), day(10)) == [("HEALTHY", 4.0, 1), ("AT_RISK", 2.0, 1), ("CRITICAL", 5.0, 1)]
    assert parts.held(spells, None, day(10)) == [("HEALTHY", 4.0, 1), ("AT_RISK", 4.0, 1), ("CRITICAL", 8.0, 1)]
    assert parts.held(spells, day(20), day(21)) == [("HEALTHY", 1.0, 1)]
    assert parts.held(spells.filter(pl.col("end_at").is_not_null()), day(20), day(21)) == []


def test_the_log_holds_every_change_newest_first(open_app, demo_store):
    at = open_app(demo_store, "transitions", period="All")
    assert not at.exception
    found = pipeline.explanations(demo_store)
    table = at.dataframe[0].value
    assert len(table) == len(found)
    assert list(table["why"]) == [e.headline for e in reversed(found)]
    assert f"{len(found)} changes. Choose a row" in words_of(at)
    falls = parts.troubles(found)
    assert f"{len(falls)} falls on {len({t.line for t in falls})} of" in words_of(at)


def test_filters_work_and_one_that_matches_nothing_says_so(open_app, demo_store):
    at = open_app(demo_store, "transitions", period="All", show="Recoveries", cause="Delivery")
    found = pipeline.explanations(demo_store)
    kept = [e for e in found if not words.worsened(e) and e.drivers[0].driver == "deliverability"]
    assert kept
    assert list(at.dataframe[0].value["why"]) == [e.headline for e in reversed(kept)]
    at.text_input(key="find").set_value("999999").run()
    assert not at.dataframe
    assert "No change matches." in words_of(at)


def test_the_download_holds_all_figures_in_utc(demo_store):
    found = pipeline.explanations(demo_store)
    frame = figures.log(found)
    assert frame["changed_at_utc"].to_list() == [words.instant(e.at) for e in found]
    assert frame["share"].to_list() == [e.drivers[0].share for e in found]
    assert {"line", "kind", "previous", "new", "main_driver", "confidence_p", "onset_utc", "headline"} <= set(
        frame.columns
    )


def test_a_store_without_a_change_says_so(open_app, tables):
    sends = "".join(f"m{i},+14155550101,c{i},outbound,2026-03-0{1 + i % 9}T10:00:00Z\n" for i in range(9))
    at = open_app(tables(sends), "transitions")
    assert not at.exception
    text = words_of(at)
    assert "Your line did not fall in 30 days." in text
    assert "No fall of this period is over yet." in text
    assert "No change matches." in text


def test_the_vendors_audits_stand_beside_ours_month_by_month_and_nothing_stands_where_none_is(
    open_app, demo_store, tmp_path
):
    """An audit after a fall names what we name first, one after another fall something else."""
    store = tmp_path / "audited.duckdb"
    shutil.copy(demo_store, store)
    assert "audits beside our reasons" not in words_of(open_app(demo_store, "transitions"))
    falls = [
        e for e in pipeline.explanations(store) if e.previous == "HEALTHY" and e.drivers[0].vendor_driver != "other"
    ]
    first, second = falls[-1], next(e for e in reversed(falls) if e.line != falls[-1].line)
    other = next(k for k in ("volume_spike", "new_conversation_rate") if k != second.drivers[0].vendor_driver)
    for number, (e, key) in enumerate(((first, first.drivers[0].vendor_driver), (second, other))):
        at = (datetime.fromisoformat(e.at) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        report = {"severity": e.new, "primary_driver": key, "drivers": [{"key": key, "metric": "", "summary": ""}]}
        answer = {"audit_id": f"a{number}", "status": "complete", "phone": e.line, "generated_at": at, "report": report}
        pipeline.keep_audit(answer, store=store)
    shown = words_of(open_app(store, "transitions"))
    assert "audits beside our reasons" in shown
    rows = {(r["month"], r["vendor_driver"]): r for r in pipeline.agreement(store, monthly=True).iter_rows(named=True)}
    told = rows[first.at[:7], first.drivers[0].vendor_driver]
    assert told["agree"] >= 1
    named = first.drivers[0].vendor_driver.replace("_", " ")
    assert " ".join(
        [first.at[:7], named, *(str(told[k]) for k in ("agree", "differ", "cannot tell", "vendor_named", "we_named"))]
    ) in " ".join(re.sub(r"<[^>]+>", " ", shown).split())
