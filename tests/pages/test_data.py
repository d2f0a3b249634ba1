"""The Data page beyond loading: gaps, freshness, duplicates and late events, settings; and what other pages say of gaps."""

import json
import re
import tempfile
from datetime import datetime, timedelta

import polars as pl
import pytest

from analysis import pipeline
from analysis.pages import _quality as quality
from analysis.pages import _settings as settings
from analysis.pages import _words as words
from analysis.pages._running import Run
from analysis.pages._store import Here
from tests.events import at as at_hour
from tests.events import message
from tests.pages.conftest import DAYS, OUTAGE, QUIET, START, traffic, words_of

HOUR = timedelta(hours=1)
L2 = "+14155550102"


def _here(store):
    return Here(store, pipeline.snapshot(store), pipeline.status(store), pipeline.settings(store), "light")


# ------------------------------------------------------------------ gaps


def test_gaps_are_listed_with_length_and_messages_expected_the_fleets_first(open_app, store_with_gaps):
    at = open_app(store_with_gaps, "data")
    assert not at.exception
    text = words_of(at)
    assert "2 gaps in the deliveries: 1 of the whole fleet (6 h) and 1 of a single line" in text
    fleet, _ = pipeline.gaps(store_with_gaps).rows(named=True)
    assert OUTAGE - HOUR / 2 < fleet["start_at"] <= OUTAGE < OUTAGE + 6 * HOUR <= fleet["end_at"]
    cells = re.findall(r"<tr><td><b[^>]*>(Whole fleet|\+1[^<]*)</b></td>(.*?)</tr>", text)[:2]
    assert [name for name, _ in cells] == ["Whole fleet", words.line_name(L2)]
    assert f">{fleet['expected']:.0f}<" in cells[0][1]
    assert "Wed 18 Mar 2026, 08:50 UTC" in cells[0][1]
    assert "24 h" in cells[1][1]
    assert "less than once in 1,000 years" in cells[1][1]
    offered = {b.proto.id.removeprefix("$$ID-").split("-", 1)[1] for b in at.get("download_button")}
    cards = ("deliveries", "fresh", "late", "receipts", "sources", "settings")
    assert offered >= {f"{kind}_{card}" for kind in ("csv", "parquet", "json") for card in cards}


def test_without_a_gap_the_page_says_so_and_draws_none(open_app, demo_store):
    at = open_app(demo_store, "data")
    assert pipeline.gaps(demo_store).is_empty()
    assert "No silence that this fleet&#x27;s own rhythm does not give." in words_of(at)
    assert not at.get("vega_lite_chart")


@pytest.mark.parametrize(
    ("a_year", "told"), [(1e-9, "less than once in 1,000 years"), (0.1, "once in 10 years"), (0.9, "once in 1 year"), (12.0, "12.0 times a year")]
)  # fmt: skip
def test_how_often_a_silence_comes_by_chance_is_told_in_words(a_year, told):
    assert quality.by_chance(a_year) == told


def test_sends_whose_answer_may_be_lost_are_those_of_a_slow_count(store_with_gaps):
    gaps = pipeline.gaps(store_with_gaps).rows(named=True)
    hours = pipeline.signals(store_with_gaps, grain="hour").rows(named=True)
    slow: dict[str, list[int]] = {}
    for h in hours:
        for g in gaps:
            if (
                g["line"] in (None, h["line"])
                and h["hour"] + HOUR > g["start_at"] - 24 * HOUR
                and h["hour"] < g["end_at"]
            ):
                own = slow.setdefault(h["line"], [0, 0])
                own[0] += h["mature"]
                own[1] += h["replied"]
                break
    told = pipeline.blinded(store_with_gaps)
    assert {r["line"]: [r["mature"], r["replied"]] for r in told.to_dicts()} == slow
    assert all(mature > replied for mature, replied in slow.values())
    for line in [L2, "+14155550101", "+14155550199"]:
        assert pipeline.blinded(store_with_gaps, line=line).equals(told.filter(pl.col("line") == line))
    by_line = dict(told.select("line", "silent_hours").iter_rows())
    lengths = {g["line"]: (g["end_at"] - g["start_at"]) / HOUR for g in gaps}
    assert by_line[L2] == pytest.approx(sum(lengths.values()))
    assert by_line["+14155550101"] == pytest.approx(lengths[None])


def test_only_gaps_of_the_period_count(store_with_gaps):
    after = pipeline.blinded(store_with_gaps, since=OUTAGE - 2 * HOUR, until=OUTAGE + 2 * HOUR)
    assert set(after["gaps"]) == {1}
    assert after["silent_hours"].max() == pytest.approx((OUTAGE + 2 * HOUR - datetime(2026, 3, 18, 8, 50)) / HOUR)
    assert pipeline.blinded(store_with_gaps, since=OUTAGE + 12 * HOUR).is_empty()
    assert pipeline.blinded(store_with_gaps, until=QUIET - 2 * HOUR).is_empty()


@pytest.mark.parametrize("page", ["replies", "new"])
def test_pages_about_replies_and_openers_tell_that_days_hold_a_gap(open_app, store_with_gaps, demo_store, page):
    text = words_of(open_app(store_with_gaps, page))
    told = re.search(
        r"hold (\d) gaps in the deliveries \(on 3 lines\).*?Of ([\d,]+) sends within 24 h before or in them, ([\d,]+) have",
        text,
    )
    assert told
    counts = pipeline.blinded(store_with_gaps).select(pl.col("mature", "replied").sum()).row(0)
    assert told.groups() == ("2", f"{counts[0]:,}", f"{counts[0] - counts[1]:,}")
    assert "gaps in the deliveries" not in words_of(open_app(demo_store, page))


def test_hours_in_a_gap_of_the_fleet_are_struck_through_on_the_calendar(open_app, store_with_gaps):
    at = open_app(store_with_gaps, "new")
    assert "Struck through: no data" in words_of(at)
    hours = quality.hours_without(_here(store_with_gaps), START, START + timedelta(days=DAYS))
    begun = [datetime(1970, 1, 1) + timedelta(milliseconds=t) for t in hours["t"]]
    assert begun == [datetime(2026, 3, 18, h) for h in range(8, 16)]  # 08:50 to 15:12


def test_a_ribbon_has_the_gaps_of_its_line_and_of_the_fleet(store_with_gaps):
    here = _here(store_with_gaps)
    gaps = quality.longest_first(pipeline.gaps(store_with_gaps), here)
    window = (0.0, 4e12)
    boxes = quality.gap_marks_of(gaps, ["+14155550101", L2], window, here)
    assert boxes["label"].to_list() == ["+1 415 555 0101", *["+1 415 555 0102"] * 2]
    assert quality.gap_marks_of(gaps, [L2], (0.0, boxes["t0"].min() - 1), here).is_empty()


# ------------------------------------------------------------------ freshness


@pytest.fixture(scope="module")
def store_with_a_silent_line(tmp_path_factory):
    end = START + timedelta(days=DAYS)
    folder = tmp_path_factory.mktemp("silent")
    path = traffic(
        folder / "m.csv", lambda n, at: (n == 0 and at > end - 30 * HOUR) or (n == 2 and at > end - timedelta(days=9))
    )
    pipeline.load(path, store=folder / "s.duckdb")
    return folder / "s.duckdb"


def test_a_line_silent_beyond_its_rhythm_comes_first_and_one_not_in_use_is_called_so(
    open_app, store_with_a_silent_line
):
    fresh = pipeline.freshness(store_with_a_silent_line)
    assert fresh.select("line", "silence").rows() == [
        ("+14155550101", "gap"),
        ("+14155550103", "unused"),
        (L2, None),
    ]
    assert fresh["silent_hours"][0] == pytest.approx(30, abs=0.5)
    text = words_of(open_app(store_with_a_silent_line, "data"))
    assert "1 line is silent for longer than usual" in text
    assert "deliveries may be lost" in text
    assert "Not in use: silent for longer than 7 days" in text
    assert "not over yet" in text


def test_a_line_of_which_only_reports_are_known_was_never_heard(store, write, open_app):
    path = write("t.csv", f"line,changed_at,previous_health,new_health\n{L2},2026-03-01T00:00:00Z,HEALTHY,AT_RISK\n")
    pipeline.load(path, store=store)
    (row,) = pipeline.freshness(store).to_dicts()
    assert (row["silence"], row["last_event"]) == ("never", None)
    assert "No message of it is loaded" in words_of(open_app(store, "data"))


# ------------------------------------------------------------------ duplicates and late events


def test_what_files_told_twice_and_late_stands_with_its_counts(open_app, store, write):
    late = message("message.received", "r2", 2, person="+12065550118") | {"created_at": at_hour(4)}
    rows = [
        message("message.sent", "m1", 1),
        message("message.sent", "m1", 1),
        message("message.delivered", "m1", 1),
        late,
    ]
    pipeline.load(write("log.jsonl", rows), store=store)
    text = words_of(open_app(store, "data"))
    assert "1 of 4 rows told nothing new; 1 of 4 events came more than an hour late" in text
    assert "With a receipt: 1 of 1 send; failed: 0; neither: 0." in text
    again = pipeline.delays(store)
    assert again.to_dicts() == [
        {"line": "+14155550142", "sends": 1, "failed": 0, "received": 1, "received_1h": 0, "received_24h": 0}
    ]


def test_receipts_of_a_line_are_those_of_a_slow_count(demo_store):
    sends = pipeline.messages(demo_store).filter(pl.col("direction") == "outbound").rows(named=True)
    for row in pipeline.delays(demo_store).rows(named=True):
        own = [m for m in sends if m["line"] == row["line"]]
        assert row["sends"] == len(own)
        assert row["failed"] == sum(m["failed"] for m in own)
        assert row["received"] == sum(not m["failed"] and bool(m["delivered_at"] or m["read_at"]) for m in own)
        assert row["received_1h"] == sum(bool(m["delivered_at"]) and m["delivered_at"] - m["at"] > HOUR for m in own)


# ------------------------------------------------------------------ settings


def test_changed_settings_come_first_and_are_marked_and_all_can_be_searched(open_app, store, write):
    pipeline.load(write("log.jsonl", [message("message.sent", "m1", 1)]), store=store)
    pipeline.set_setting("gap_longest_days", "9", store=store)
    at = open_app(store, "data")
    text = words_of(at)
    table = text[text.index("lh-settings") :]
    assert table.index("gap_longest_days") < table.index("timezone")
    assert re.search(r"gap_longest_days</code> <span[^>]*>changed</span>", table)
    assert re.search(r"<b>9</b><small>days</small><small>default 7</small><small>allowed: 1 to 365</small>", table)
    assert "explain_baseline_days" not in table
    at.text_input(key="find_setting").set_value("baseline usual").run()
    table = words_of(at)
    table = table[table.index("lh-settings") :]
    assert "explain_baseline_gap_days" in table
    assert "timezone" not in table
    at.text_input(key="find_setting").set_value("no such thing").run()
    assert "No setting matches." in words_of(at)
    frame = settings.settings_frame(_here(store))
    assert frame["changed"].to_list() == [True, *[False] * (frame.height - 1)]
    assert frame.row(0, named=True)["default"] == "7"


def test_a_source_that_is_an_address_is_a_link_and_the_rest_stays_text():
    told = settings.linked("see https://example.org/a?b=1&c=2, <b>page</b> 3")
    assert 'href="https://example.org/a?b=1&amp;c=2"' in told
    assert "&lt;b&gt;page&lt;/b&gt; 3" in told


# ------------------------------------------------------------------ live progress


def test_a_run_tells_the_newest_whole_step_and_keeps_a_half_told_one(write):
    run = Run([], "Loading.", tempfile.TemporaryDirectory())
    err = run._file("err")
    steps = [json.dumps({"stage": "reading", "share": s, "words": f"at {s}"}) for s in (0.1, 0.2, 0.3)]
    err.write_text(f"{steps[0]}\n{steps[1]}\nlinehealth: a note\n{steps[2][:20]}")
    run.listen()
    assert run.step["share"] == 0.2
    err.write_text(err.read_text() + steps[2][20:] + "\n")
    run.listen()
    assert run.step["share"] == 0.3
    run.folder.cleanup()


def test_commands_run_one_after_the_other_and_an_error_is_the_sentence_that_is_shown(store, tmp_path):
    run = Run([["demo", str(tmp_path / "d"), "--lines", "1", "--days", "3"], ["load", "nowhere", "--store", str(store), "--progress", "json"]], "x", tempfile.TemporaryDirectory())  # fmt: skip
    for _ in range(2):
        run.begin()
        run.process.wait()
        ended = run.end()
    assert (tmp_path / "d").exists()
    assert not ended.ok
    assert "no such file" in ended.sentence
    assert ended.told is None
    run.folder.cleanup()


def test_a_path_that_begins_like_an_option_is_still_a_path(open_app, store):
    at = open_app(store, "data")
    at.text_input(key="path").set_value("--strict")
    next(b for b in at.button if b.label == "Load this path").click()
    at.run()
    assert "--strict" in words_of(at)
    assert "no such file" in words_of(at)
