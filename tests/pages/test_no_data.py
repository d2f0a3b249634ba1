"""Gaps in the deliveries are told wherever their time is shown: it is not the same as no replies."""

import shutil
from datetime import datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from analysis import pipeline
from analysis.pages import _lanes
from analysis.pages._frames import ms
from analysis.schema import GAPS
from tests.pages.conftest import CHANGES, OUTAGE, words_of

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


@pytest.mark.parametrize("page", ["transitions", "delivery"])
def test_a_page_about_a_period_says_that_a_part_of_it_is_not_known(open_app, store_with_a_fall, demo_store, page):
    assert "No data for a part of" in words_of(open_app(store_with_a_fall, page))
    assert "No data for a part of" not in words_of(open_app(demo_store, page))


def test_a_chat_says_that_a_part_of_its_time_is_not_known(open_app, store_with_a_fall):
    states = pipeline.chat_states(store_with_a_fall, line=OTHER)
    long = states.filter(pl.col("first_at") < OUTAGE, pl.col("last_sent_at") > OUTAGE + 6 * HOUR)
    at = open_app(store_with_a_fall, "chat", line=OTHER[1:], chat=long["chat_id"][0])
    assert not at.exception
    assert "No data for a part of this time. Whole fleet: nothing from" in words_of(at)


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
