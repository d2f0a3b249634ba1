"""What was known at an hour: counted again by hand, and from nothing later."""

from datetime import timedelta
from math import log2

import polars as pl
import pytest

from analysis.ahead.features import FACTS, HOURLY, NAMES, known_by_hour
from analysis.ahead.rows import up_to
from tests.ahead.made import LINE, NO_SPELLS, START, fleet, hours


def at(frame: pl.DataFrame, n: int, line: str = LINE) -> dict:
    return frame.filter(pl.col("line") == line, pl.col("hour") == START + timedelta(hours=n)).row(0, named=True)


def test_a_burst_after_quiet_weeks_is_counted_against_them():
    rows = hours(30, outbound=2, inbound=1, replied=1, new_conversations=lambda n: 5 if n >= 29 * 24 else 0)
    seen = at(known_by_hour(rows, NO_SPELLS, as_of=START + timedelta(days=30)), 29 * 24 + 5)
    assert seen["new_24h"] == 30
    assert seen["usual_new"] == pytest.approx(0.5 / 27.9, abs=0.01)
    assert seen["openers"] == pytest.approx(log2(33 / (seen["usual_new"] + 3)), abs=0.01)
    assert abs(seen["volume"]) < 0.1


def test_replies_count_only_once_their_window_has_passed():
    silent = 29 * 24
    rows = hours(31, outbound=4, inbound=2, replied=lambda n: 0 if n >= silent else 2)
    known = known_by_hour(rows, NO_SPELLS, as_of=START + timedelta(days=31))
    assert abs(at(known, silent + 20)["few_replies_2d"]) < 0.5
    late = at(known, silent + 47)["few_replies_2d"]
    expected, rate = 24 * 4 * 0.5, 0.5
    assert late == pytest.approx(expected / (1.6 * 2 * expected * (1 - rate) + 1) ** 0.5, rel=0.1)


def test_hours_of_trouble_are_no_part_of_the_usual():
    rows = hours(30, outbound=lambda n: 40 if 240 <= n < 480 else 2)
    ill = pl.col("hour").is_between(START + timedelta(hours=240), START + timedelta(hours=479))
    rows = rows.with_columns(health=pl.when(ill).then(pl.lit("AT_RISK")).otherwise("health"))
    assert at(known_by_hour(rows, NO_SPELLS, as_of=START + timedelta(days=30)), 700)["usual_sends"] == pytest.approx(
        48, rel=0.05
    )


def test_a_line_that_fell_silent_is_counted_on_to_the_end():
    both = pl.concat([hours(10, outbound=2), hours(20, line="+14155550102", outbound=2)])
    last = known_by_hour(both, NO_SPELLS, as_of=START + timedelta(days=20, hours=-1))
    seen = last.filter(pl.col("line") == LINE).tail(1).row(0, named=True)
    assert (seen["hour"], seen["sends_24h"], seen["health"]) == (START + timedelta(days=20, hours=-1), 0, "HEALTHY")


def test_a_change_told_long_after_the_fleets_last_message_finds_every_feature_known():
    """The latest event of a store may be a change of health at night, when nobody writes."""
    known = known_by_hour(hours(10, outbound=2, replied=1), NO_SPELLS, as_of=START + timedelta(days=13))
    assert at(known, 12 * 24)["sends_24h"] == 0
    assert known.select(pl.col(*NAMES).null_count()).sum_horizontal().sum() == 0


def test_nothing_stands_out_on_a_line_of_a_few_days():
    rows = hours(3, outbound=50, new_conversations=20, inbound=0)
    seen = at(known_by_hour(rows, NO_SPELLS, as_of=START + timedelta(days=3)), 60)
    assert all(abs(seen[name]) < 2.5 for name in ("openers", "volume", "silent_today"))


@pytest.mark.parametrize("back", [1, 31, 200])
def test_the_same_figures_come_out_of_data_that_ends_there(back):
    rows, spells, _, as_of = fleet("drawn", "ledger", 41, lines=8, days=30)
    then = as_of.replace(minute=0, second=0, microsecond=0) - timedelta(hours=back)
    whole = known_by_hour(rows, spells, as_of=as_of).filter(pl.col("hour") == then)
    # what later hours alone can tell: replies to sends of the last day, and the ends of spells
    settled = pl.col("hour") > then - timedelta(hours=23)
    cut = rows.filter(pl.col("hour") <= then).with_columns(
        pl.when(settled).then(0).otherwise(pl.col(c)).alias(c) for c in ("mature", "replied")
    )
    known = spells.filter(pl.col("start_at").is_null() | (pl.col("start_at") <= then + timedelta(hours=1)))
    known = known.with_columns(end_at=pl.when(pl.col("end_at") <= then + timedelta(hours=1)).then("end_at"))
    part = known_by_hour(cut, known, as_of=then).filter(pl.col("hour") == then)
    columns = ["line", *NAMES, *FACTS]
    assert whole.select(columns).equals(part.select(columns))


def test_batches_and_order_change_nothing(monkeypatch):
    from analysis.ahead import rows as rows_of_lines

    rows, spells, _, as_of = fleet("drawn", "ledger", 41, lines=8, days=30)
    whole = known_by_hour(rows, spells, as_of=as_of, every=6)
    monkeypatch.setattr(rows_of_lines, "BATCH", 3)
    assert known_by_hour(rows.sample(fraction=1, shuffle=True, seed=1), spells, as_of=as_of, every=6).equals(whole)
    assert whole.schema == HOURLY


def test_hours_that_are_all_asked_for_are_not_copied():
    rows = hours(3)
    assert up_to(rows, START + timedelta(days=3)) is rows
    after, end = START + timedelta(hours=1), START + timedelta(hours=4)
    assert up_to(rows, end, after=after)["hour"].to_list() == [START + timedelta(hours=n) for n in (2, 3, 4)]


def test_the_fleets_rate_counts_what_was_sent_a_day_ago_and_before():
    few = hours(3, outbound=1, mature=1, replied=lambda n: n % 2)
    many = hours(3, line="+14155550102", outbound=2, mature=2, replied=0)
    known = known_by_hour(pl.concat([few, many]), NO_SPELLS, as_of=START + timedelta(hours=34))
    assert at(known, 10)["few_replies_2d"] == 0  # no send is a day old yet
    # 11 hours are: 33 sends and 5 replies of both lines, drawn to 35 of 100; of the line itself 11 and 5
    rate = (5 + 35) / (33 + 100)
    assert at(known, 34)["few_replies_2d"] == pytest.approx((11 * rate - 5) / (1.6 * 11 * rate * (1 - rate) + 1) ** 0.5)


def test_a_line_of_two_days_is_told_by_its_own_chats_whatever_the_lines_beside_it():
    young = hours(2, outbound=2, chats_active=10, chats_opted_out=lambda n: 2 if n < 24 else 6)
    other = hours(9, line="+14155550102", outbound=2, chats_active=10, chats_opted_out=9)
    end = START + timedelta(days=2, hours=-1)
    seen = at(known_by_hour(pl.concat([young, other]), NO_SPELLS, as_of=end), 47)
    assert seen["opted_out_rise"] == pytest.approx((6 - 2) / 15 / 0.05)


def test_long_after_the_fleets_last_message_every_feature_is_a_number():
    rows = hours(20, outbound=3, inbound=1, replied=1)
    known = known_by_hour(rows, NO_SPELLS, as_of=START + timedelta(days=40))
    assert known["hour"].max() == START + timedelta(days=40)
    assert known.select(pl.col(NAMES).is_null().any()).row(0) == (False,) * len(NAMES)
