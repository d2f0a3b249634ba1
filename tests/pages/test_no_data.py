"""Gaps in the deliveries are told wherever their time is shown: it is not the same as no replies."""

import shutil
from base64 import b64decode
from datetime import datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from analysis import pipeline
from analysis.pages import _fleet, _lanes
from analysis.pages._frames import ms
from analysis.pages._store import Here
from analysis.schema import GAPS
from tests.pages.conftest import CHANGES, OUTAGE, traffic, words_of
from tests.sweep import EVERY

LINE, OTHER = "+14155550102", "+14155550101"
"""The line with a gap of its own beside that of the fleet, and one without."""
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def store_with_a_fall(store_with_gaps, tmp_path_factory):
    """The same traffic, and two lines that went at risk after the fleet's gap."""
    folder = tmp_path_factory.mktemp("fall")
    made = folder / "store.duckdb"
    shutil.copy(store_with_gaps, made)
    at = OUTAGE + timedelta(days=1)
    rows = "".join(f"{line},{at:%Y-%m-%dT%H:%M:%SZ},HEALTHY,AT_RISK\n" for line in (LINE, OTHER))
    (folder / "changes.csv").write_text(CHANGES + rows)
    patch = pytest.MonkeyPatch()
    patch.setenv("LINEHEALTH_KEY", "a key that only the tests use")
    pipeline.load(folder / "changes.csv", store=made)
    patch.undo()
    return made


def lost_in(at):
    """Return how many times without data each chart of a page was given."""
    return {
        kind.name: pl.read_ipc_stream(kind.data.data).height
        for chart in at.get("vega_lite_chart")
        for kind in chart.proto.datasets
        if kind.name == "lost"
    }


@pytest.mark.parametrize(("line", "gaps"), [(LINE, 2), (OTHER, 1)])
def test_lanes_mark_the_gaps_of_the_fleet_and_of_their_own_line(open_app, store_with_a_fall, line, gaps):
    at = open_app(store_with_a_fall, "why", line=line[1:])
    assert not at.exception
    text = unescape(words_of(at))
    assert f"Grey columns: no data. These days hold {gaps} gap" in text
    assert lost_in(at) == {"lost": gaps}


def test_replies_against_volume_says_that_its_days_hold_a_gap(open_app, store_with_a_fall):
    text = unescape(words_of(open_app(store_with_a_fall, "why", line=OTHER[1:])))
    assert text.count("These days hold 1 gap in the deliveries (of the whole fleet, 6 h from") == 2  # lanes, and days


@pytest.mark.parametrize(
    "page", ["fleet", "ahead", "helped", "transitions", "delivery", *(["replies", "new"] if EVERY else [])]
)
def test_a_page_about_a_period_says_that_a_part_of_it_is_not_known(open_app, store_with_a_fall, demo_store, page):
    at = open_app(store_with_a_fall, page)
    assert not at.exception
    assert "No data for a part of" in words_of(at)
    assert "No data for a part of" not in words_of(open_app(demo_store, page))


def test_a_chat_says_that_a_part_of_its_time_is_not_known(open_app, store_with_a_fall):
    states = pipeline.chat_states(store_with_a_fall, line=OTHER)
    long = states.filter(pl.col("first_at") < OUTAGE, pl.col("last_sent_at") > OUTAGE + 6 * HOUR)
    at = open_app(store_with_a_fall, "chat", line=OTHER[1:], chat=long["chat_id"][0])
    assert not at.exception
    assert "Grey columns: no data for a part of this time. Whole fleet: nothing from" in words_of(at)
    assert lost_in(at) == {"lost": 1}


def test_a_day_of_chats_says_what_is_not_known_of_it(open_app, store_with_a_fall):
    for day, told in ((OUTAGE, True), (OUTAGE - timedelta(days=8), False)):
        at = open_app(store_with_a_fall, "chats", line=OTHER[1:], day=f"{day:%Y-%m-%d}")
        assert not at.exception
        assert ("The hours of this day hold 1 gap in the deliveries" in words_of(at)) == told


@pytest.mark.parametrize(("line", "boxes"), [(LINE, 2), (OTHER, 1)])
def test_small_pictures_mark_times_without_data(store_with_a_fall, line, boxes):
    s = store_with_a_fall
    here = Here(s, pipeline.snapshot(s), pipeline.status(s), pipeline.settings(s), "light")
    fleet = _fleet.fleet(here)
    row = next(r for r in fleet.rows if r.line == line)
    spark, ribbon = (b64decode(uri.split(",")[1]).decode() for uri in _fleet.images(row, fleet.window, "light", width=180, height=16))  # fmt: skip
    assert ribbon.count("stroke=") == boxes
    assert spark.count('opacity="0.5"') == boxes


def test_the_gate_that_a_load_keeps_knows_of_the_gap_of_its_last_day(tmp_path):
    """Traffic that ends a few hours after the outage: what is kept, and asked by the endpoint, opens nothing."""

    def lost(number, at):
        return OUTAGE <= at < OUTAGE + 6 * HOUR or at > OUTAGE + 9 * HOUR

    made = tmp_path / "store.duckdb"
    changes = "".join(f"{line},2026-03-02T00:00:00Z,AT_RISK,HEALTHY\n" for line in (LINE, OTHER))
    (tmp_path / "changes.csv").write_text(CHANGES + changes)
    pipeline.load([traffic(tmp_path / "messages.csv", lost), tmp_path / "changes.csv"], store=made)
    kept = pipeline.gate(made).filter(pl.col("line").is_in([LINE, OTHER]))
    assert kept["why"].str.contains("deliveries of 6 hours of today are missing").all()
    assert kept["new_recipients_left_today"].sum() == 0


def test_the_gate_opens_nothing_on_the_day_of_the_gap_and_opens_again_on_the_next(store_with_a_fall, tmp_path):
    made, healthy = tmp_path / "store.duckdb", "+14155550103"
    shutil.copy(store_with_a_fall, made)
    (tmp_path / "more.csv").write_text(CHANGES + f"{healthy},2026-03-02T00:00:00Z,AT_RISK,HEALTHY\n")
    pipeline.load(tmp_path / "more.csv", store=made)
    ways = [pipeline.gate(made, at=OUTAGE + h).filter(pl.col("line") == healthy).row(0, named=True) for h in (10 * HOUR, 40 * HOUR)]  # fmt: skip
    assert (ways[0]["decision"], ways[0]["new_recipients_left_today"]) == ("slow", 0)
    assert "deliveries of 6 hours of today are missing" in ways[0]["why"]
    assert (ways[1]["decision"], ways[1]["new_recipients_left_today"] > 0) == ("send", True)


def test_gaps_that_overlap_are_one_column_and_end_with_the_picture():
    zone = ZoneInfo("UTC")
    day = datetime(2026, 3, 1)
    pic = _lanes.Picture([], [], [], day, day + timedelta(days=10))
    rows = [
        (None, day + 5 * HOUR, day + 8 * HOUR, 9.0, 0.0),
        ("+1", day + 7 * HOUR, day + 12 * HOUR, 9.0, 0.0),
        ("+1", day - 9 * HOUR, day + 2 * HOUR, 9.0, 0.0),
        ("+1", day + timedelta(days=9), None, 9.0, 0.0),
    ]
    lost = _lanes.without_data(pl.DataFrame(rows, schema=GAPS, orient="row"), pic, zone)
    ends = [(day, day + 2 * HOUR), (day + 5 * HOUR, day + 12 * HOUR), (day + timedelta(days=9), pic.end)]
    assert lost.select("t0", "t1").rows() == [(ms(a, zone), ms(b, zone)) for a, b in ends]
    assert lost["tip"][1] == "No data from Sun 1 Mar, 05:00 UTC to Sun 1 Mar, 12:00 UTC"
