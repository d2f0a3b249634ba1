"""Gaps in the deliveries: lost hours are found, quiet nights, weekends and weak days are not; sends before a gap are not "unanswered"."""

from datetime import datetime, timedelta

import polars as pl
import pytest

from analysis import pipeline
from analysis.schema import GAPS
from analysis.settings import Settings
from analysis.signals.gaps import activity_of, blind, gaps, seen
from tests.live import traffic

NOON = traffic.START + timedelta(days=43, hours=12)  # a working day
LINE = "+14155550000"


def _gaps(told: pl.DataFrame) -> pl.DataFrame:
    return gaps(traffic.activity(told), as_of=told["at"].max(), settings=Settings())


@pytest.fixture(scope="module")
def fleet() -> pl.DataFrame:
    return traffic.events(1, days=60, a_day=300, lines=8)


@pytest.mark.parametrize(("a_day", "most"), [(40, 120), (4000, 1500)], ids=["in few slots", "in most"])
def test_slots_with_an_event_are_a_plain_recount_of_sends_replies_and_receipts(a_day, most):
    told = traffic.events(2, days=3, a_day=a_day, lines=2).sort("at").head(most)
    minute = timedelta(minutes=1)
    messages = told.select("line", "at").with_row_index("n").with_columns(
        delivered_at=pl.when(pl.col("n") % 3 > 0).then(pl.col("at") + 4 * minute),
        read_at=pl.when(pl.col("n") % 5 == 0).then(pl.col("at") + 61 * minute),
    )  # fmt: skip
    counted = {}
    for row in messages.iter_rows(named=True):
        for name in ("at", "delivered_at", "read_at"):
            if row[name] is not None:
                slot = (row[name] - datetime(1970, 1, 1)) // (5 * minute)
                found = counted.setdefault((row["line"], slot), [row[name], row[name], 0])
                found[:] = [min(found[0], row[name]), max(found[1], row[name]), found[2] + (name == "at")]
    assert activity_of(messages).rows() == [(*key, *counted[key]) for key in sorted(counted)]


def test_quiet_nights_weekends_and_uneven_days_are_no_gaps():
    """480 days of lines of five sizes: at the promised 0.1 a line and year, 0.1 false alarms are expected."""
    alarms = sum(_gaps(traffic.events(9, days=60, a_day=a_day, lines=2)).height for a_day in (10, 30, 100, 300))
    assert alarms == 0


def test_an_outage_of_the_whole_fleet_is_one_gap_with_its_edges(fleet):
    found = _gaps(traffic.without(fleet, NOON, NOON + timedelta(hours=2)))
    (gap,) = found.to_dicts()
    assert gap["line"] is None
    assert NOON - timedelta(minutes=10) < gap["start_at"] <= NOON
    assert NOON + timedelta(hours=2) <= gap["end_at"] < NOON + timedelta(hours=2, minutes=10)
    lost = fleet.height - traffic.without(fleet, NOON, NOON + timedelta(hours=2)).height
    assert lost / 3 < gap["expected"] < lost * 3
    assert gap["by_chance_a_year"] <= 0.1


def test_an_outage_of_one_line_is_that_lines_gap(fleet):
    (gap,) = _gaps(traffic.without(fleet, NOON, NOON + timedelta(hours=10), LINE)).to_dicts()
    assert gap["line"] == LINE
    assert gap["start_at"] <= NOON < NOON + timedelta(hours=10) <= gap["end_at"]


def test_a_silence_that_the_vendor_still_retries_is_no_gap():
    busy = traffic.events(2, days=21, a_day=6000)
    assert _gaps(
        traffic.without(busy, NOON - timedelta(days=28), NOON - timedelta(days=28) + timedelta(minutes=25))
    ).is_empty()


def test_a_line_no_longer_in_use_has_no_gap(fleet):
    stopped = fleet.filter((pl.col("line") != LINE) | (pl.col("at") < NOON - timedelta(days=20)))
    assert _gaps(stopped).is_empty()


def test_too_short_a_history_says_nothing():
    young = traffic.events(3, days=6, a_day=300)
    assert _gaps(
        traffic.without(young, traffic.START + timedelta(days=2), traffic.START + timedelta(days=3))
    ).is_empty()
    assert gaps(traffic.activity(young).clear(), as_of=NOON, settings=Settings()).schema == GAPS


@pytest.mark.parametrize("days", [36, 44, 51])
def test_what_was_told_of_a_silence_stays_whatever_comes_later(fleet, days):
    told = traffic.without(fleet, NOON - timedelta(days=10), NOON - timedelta(days=10, hours=-10), LINE)
    then = traffic.START + timedelta(days=days)
    early = _gaps(told.filter(pl.col("at") <= then))
    assert early.height == 1
    assert _gaps(told).filter(pl.col("start_at") < then).equals(early)


def test_clocks_put_back_are_no_gap():
    """Office hours from nine to five on the dot, an hour later by UTC from the seventh week on."""
    told = traffic.events(5, days=60, a_day=1500, lines=3)
    hours = (pl.col("at") - pl.col("at").dt.truncate("1d")).dt.total_seconds() / 3600
    office = told.filter(hours.is_between(9, 17))
    winter = pl.col("at") >= traffic.START + timedelta(weeks=6)
    moved = office.with_columns(at=pl.when(winter).then(pl.col("at") + timedelta(hours=1)).otherwise("at"))
    assert _gaps(moved).is_empty()
    assert _gaps(traffic.without(moved, NOON, NOON + timedelta(hours=2), LINE)).height == 1


def test_the_order_of_rows_changes_nothing(fleet):
    told = traffic.without(fleet, NOON, NOON + timedelta(hours=4))
    assert _gaps(told).equals(_gaps(told.sample(fraction=1, shuffle=True, seed=1)))


@pytest.mark.parametrize(
    ("hours_before", "line", "expected"),
    [(1, LINE, True), (24, LINE, True), (25, LINE, False), (-1, LINE, True), (-3, LINE, False), (1, "+1", False)],
)
def test_a_send_is_blind_where_its_window_meets_a_gap_of_its_line(hours_before, line, expected):
    gap = pl.DataFrame([(LINE, NOON, NOON + timedelta(hours=2), 5.0, 0.01)], schema=GAPS, orient="row")
    sends = pl.DataFrame({"line": [line], "at": [NOON - timedelta(hours=hours_before)]}, schema={"line": pl.String, "at": pl.Datetime("ms")})  # fmt: skip
    assert blind(sends, gap, within=timedelta(hours=24))["blind"].to_list() == [expected]
    everyone = gap.with_columns(pl.lit(None, dtype=pl.String).alias("line"))
    assert blind(sends, everyone, within=timedelta(hours=24))["blind"].to_list() == [expected or line == "+1"]


def test_an_open_gap_blinds_whatever_comes(fleet):
    gap = pl.DataFrame([(LINE, NOON, None, 5.0, 0.01)], schema=GAPS, orient="row")
    late = fleet.filter(pl.col("line") == LINE, pl.col("at") > NOON)
    assert blind(late, gap, within=timedelta(hours=1))["blind"].all()


@pytest.mark.parametrize("line", [LINE, None])
def test_hours_whose_answers_may_lie_in_a_gap_count_no_send_as_answered_or_not(line):
    hours = pl.DataFrame(
        {
            "line": LINE,
            "hour": [NOON + timedelta(hours=h) for h in range(-30, 10)],
            "outbound": 4,
            "mature": 4,
            "replied": 1,
        }
    ).cast({"hour": pl.Datetime("ms")})
    gap = pl.DataFrame([(line, NOON, NOON + timedelta(hours=2), 5.0, 0.01)], schema=GAPS, orient="row")
    told = seen(hours, gap, within=timedelta(hours=24))
    touched = [NOON + timedelta(hours=h) for h in range(-25, 2)]
    assert told.filter(pl.col("blind") == 1)["hour"].to_list() == touched
    assert told.filter(pl.col("blind") == 1)["mature"].sum() == 0
    assert told.filter(pl.col("blind") == 0).select(hours.columns).equals(hours.filter(~pl.col("hour").is_in(touched)))
    assert told["outbound"].sum() == hours["outbound"].sum()  # what was counted of sends stays
    other = gap.with_columns(line=pl.lit("+1"))
    assert seen(hours, other, within=timedelta(hours=24)).select(hours.columns).equals(hours)


def test_the_store_keeps_gaps_and_a_backfill_closes_them(store, write):
    told = traffic.events(4, days=20, a_day=200).with_row_index("n")
    lost = traffic.without(told, NOON - timedelta(days=28), NOON - timedelta(days=28, hours=-6))

    def export(frame: pl.DataFrame, name: str):
        rows = frame.select(
            message_id=pl.format("m{}", "n"), line="line", chat_id=pl.format("c{}", pl.col("n") % 50),
            direction=pl.when(pl.col("n") % 3 > 0).then(pl.lit("outbound")).otherwise(pl.lit("inbound")),
            sent_at=pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"),
        )  # fmt: skip
        return write(name, rows.write_csv())

    pipeline.load(export(lost, "lost.csv"), store=store)
    (gap,) = pipeline.gaps(store).to_dicts()
    assert gap["line"] is None
    assert pipeline.gaps(store, until=gap["start_at"]).is_empty()
    assert pipeline.gaps(store, since=gap["end_at"]).is_empty()
    pipeline.load(export(told, "all.csv"), store=store)
    assert pipeline.gaps(store).is_empty()
