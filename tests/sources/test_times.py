from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from analysis.sources import times
from analysis.sources.times import instants, without_zone


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-05-08T16:21:12Z", datetime(2026, 5, 8, 16, 21, 12)),
        ("2026-05-08T16:21:12.7Z", datetime(2026, 5, 8, 16, 21, 12, 700000)),
        ("2026-05-08T16:21:12.793119775Z", datetime(2026, 5, 8, 16, 21, 12, 793000)),
        ("2026-05-08T16:21:12.999999999Z", datetime(2026, 5, 8, 16, 21, 12, 999000)),  # cut, not rounded
        ("2026-05-08T16:21:12-05:00", datetime(2026, 5, 8, 21, 21, 12)),
        ("2026-05-08T16:21:12.25+0530", datetime(2026, 5, 8, 10, 51, 12, 250000)),
        ("2026-05-08 16:21:12+02", datetime(2026, 5, 8, 14, 21, 12)),
        ("2026-05-08 16:21:12 UTC", datetime(2026, 5, 8, 16, 21, 12)),
        ("2026-05-08t16:21z", datetime(2026, 5, 8, 16, 21)),
        ("2026-05-08", datetime(2026, 5, 8)),
        ("2026-05-08 16:21", datetime(2026, 5, 8, 16, 21)),
        (" 2026-05-08T16:21:12 ", datetime(2026, 5, 8, 16, 21, 12)),
        ("2026-13-08T16:21:12Z", None),
        ("2026-02-30", None),
        ("yesterday", None),
        ("08/05/2026", None),
        ("", None),
    ],
)
def test_a_text_is_the_instant_it_says(text, expected):
    assert instants(pl.Series("t", [text]))[0] == expected


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (1082040961, "s", datetime(2004, 4, 15, 14, 56, 1)),
        ("1082040961", "s", datetime(2004, 4, 15, 14, 56, 1)),
        (1082040961.5, "s", datetime(2004, 4, 15, 14, 56, 1, 500000)),
        (1082040961999, "ms", datetime(2004, 4, 15, 14, 56, 1, 999000)),
        (1082040961999999, "us", datetime(2004, 4, 15, 14, 56, 1, 999000)),
        (1082040961999999999, "ns", datetime(2004, 4, 15, 14, 56, 1, 999000)),
        (1082040961, None, None),  # a number without a unit is never guessed
    ],
)
def test_a_number_needs_its_unit(value, unit, expected):
    assert instants(pl.Series("t", [value]), unit=unit)[0] == expected


def test_native_times_become_utc_and_are_cut():
    aware = pl.Series("t", [datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=-5)))])
    assert instants(aware)[0] == datetime(2026, 3, 1, 17)
    assert instants(pl.Series("t", [datetime(2026, 3, 1, 0, 0, 0, 999999)]))[0] == datetime(2026, 3, 1, 0, 0, 0, 999000)
    assert instants(pl.Series("t", [datetime(1969, 12, 31, 23, 59, 59, 999999)]))[0] == datetime(
        1969, 12, 31, 23, 59, 59, 999000
    )
    assert instants(pl.Series("t", [date(2026, 3, 1)]))[0] == datetime(2026, 3, 1)


def test_a_zone_applies_only_to_times_without_one():
    texts = pl.Series("t", ["2026-07-01 12:00:00", "2026-07-01T12:00:00Z"])
    assert instants(texts, zone=ZoneInfo("America/New_York")).to_list() == [
        datetime(2026, 7, 1, 16),
        datetime(2026, 7, 1, 12),
    ]
    assert texts.to_frame().select(without_zone(pl.col("t"))).to_series().to_list() == [True, False]


def test_the_common_form_is_read_to_the_instant_that_the_general_reading_gives():
    texts = pl.Series(
        "t",
        [
            f"{year}-{month:02d}-{day:02d}T{time}{end}"
            for year in ("0000", "0001", "1900", "2000", "2023", "2024", "9999")
            for month in range(14)
            for day in range(33)
            for time in ("00:00:00", "23:59:59", "24:00:00", "12:60:00", "23:59:60", "07:08:09")
            for end in ("Z", ".5Z", ".000Z", ".9994Z", ".123456789Z", ".1234567891Z")
        ],
    )
    general = texts.to_frame().select(times._from_text(pl.col("t"), None)).to_series()
    assert instants(texts).equals(general, null_equal=True)
    common = texts.to_frame().select(times._from_common(pl.col("t"))).to_series()
    assert common.is_not_null().sum() > 30_000
