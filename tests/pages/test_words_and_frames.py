"""What pages say and hand to charts: figures, addresses, trailing sums against a slow count, usual ranges, shares that add up."""

from datetime import date, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from analysis.pages import _fleet, _frames, _html, _why
from analysis.pages import _words as words
from analysis.schema import SIGNALS_DAY, SIGNALS_HOUR, SPELLS, Driver, Explanation

UTC, NEW_YORK = ZoneInfo("UTC"), ZoneInfo("America/New_York")
T = datetime(2026, 3, 28, 19, 29)


def _change(at, *, new="AT_RISK", previous="HEALTHY", kind="health"):
    return Explanation(
        "+16465550013",
        at,
        kind,
        previous,
        new,
        None,
        None,
        [Driver("unexplained", "other", 1.0, "", {})],
        "h",
        [],
        [],
        "low",
        0.3,
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (words.count(6081), "6,081"),
        (words.count(2.13), "2.1"),
        (words.count(None), "–"),
        (words.percent(0.0949), "9.5\u202f%"),
        (words.percent(0.64), "64\u202f%"),
        (words.percent(0), "0\u202f%"),
        (words.lasting(0.5), "30 min"),
        (words.lasting(44.2), "44 h"),
        (words.lasting(128), "5 days"),
        (words.line_name("+16465550013"), "+1 646 555 0013"),
        (words.line_name("+447700900123"), "+447700900123"),
        (words.moment(T, UTC), "Sat 28 Mar, 19:29 UTC"),
        (words.moment(T, NEW_YORK), "Sat 28 Mar, 15:29 EDT"),
    ],
)
def test_figures_are_written_as_the_design_sheet_says(written, expected):
    assert written == expected


def test_an_address_names_one_change_also_where_two_share_a_minute():
    found = [
        _change("2026-03-28T19:29:03.000Z"),
        _change("2026-03-28T19:29:44.000Z"),
        _change("2026-03-29T01:00:00.000Z"),
        _change("2026-03-29T01:00:00.000Z", new="FLAGGED", previous="ACTIVE", kind="status"),
    ]
    keys = words.change_keys(found)
    assert list(keys.values()) == found
    assert all(words.find_change(found, key) == key for key in keys)
    assert [words.change_key(e, found) for e in found] == list(keys)


@pytest.mark.parametrize("asked", ["20260328T1929", "2026-03-28T19:29:03Z", "2026-03-28", "20260328t1929"])
def test_an_address_may_be_written_in_other_ways(asked):
    found = [_change("2026-03-28T19:29:03.000Z"), _change("2026-03-29T01:00:00.000Z")]
    assert words.find_change(found, asked) == "20260328T1929"


@pytest.mark.parametrize("asked", ["20250101T0000", "2026", "", "yesterday", "'; drop table", "-"])
def test_a_wrong_address_names_nothing(asked):
    assert words.find_change([_change("2026-03-28T19:29:03.000Z")], asked) is None


def _hours(rows):
    base = dict.fromkeys(SIGNALS_HOUR.names())
    return pl.DataFrame(
        [{**base, "line": "L", "peak_recipients_24h": 0, "chats_active": 0, **r} for r in rows], schema=SIGNALS_HOUR
    )


def test_lanes_are_the_24_hours_up_to_the_end_of_each_hour():
    start = datetime(2026, 3, 1)
    sent = [(i * 7) % 5 for i in range(60)]
    rows = [
        {
            "hour": start + timedelta(hours=i),
            "outbound": n,
            "mature": n,
            "replied": n // 2,
            "failed": n // 3,
            "new_conversations": n // 4,
            "unanswered_turns": 0,
            "sends_after_opt_out": 0,
        }
        for i, n in enumerate(sent)
    ]
    got = _frames.trailing(_hours(rows))
    assert got["at"][0] == start + timedelta(hours=1)
    for i, row in enumerate(got.iter_rows(named=True)):
        window = sent[max(0, i - 23) : i + 1]
        assert row["sends"] == sum(window)
        assert row["replies"] == (sum(n // 2 for n in window) / sum(window) if sum(window) else None)
        assert row["new"] == sum(n // 4 for n in window)


def test_a_rate_without_a_counted_send_is_unknown_not_zero():
    got = _frames.trailing(
        _hours([{"hour": datetime(2026, 3, 1), "outbound": 3, "mature": 0, "replied": 0, "failed": 0}])
    )
    assert got["replies"].to_list() == [None]
    assert got["failures"].to_list() == [0.0]


def test_too_few_hours_make_no_usual():
    frame = pl.DataFrame({"x": [1.0] * 71})
    assert _frames.usual_range(frame, "x") is None
    assert _frames.usual_range(pl.DataFrame({"x": [float(i) for i in range(101)]}), "x") == (10.0, 90.0)


def test_usual_hours_are_healthy_ones_of_28_days_before():
    at = [T - timedelta(days=d) for d in (29, 27, 5, -1)]
    frame = pl.DataFrame(
        {"at": at, "health": ["HEALTHY", "AT_RISK", None, "HEALTHY"]},
        schema={"at": pl.Datetime("ms"), "health": pl.String},
    )
    assert _frames.healthy_before(frame, "at", T)["at"].to_list() == [at[2]]


def test_open_spells_are_cut_to_the_window_and_to_the_lines_own_life():
    spells = pl.DataFrame(
        [
            ("L", "health", "HEALTHY", None, T, False),
            ("L", "health", "AT_RISK", T, None, True),
            ("L", "status", "ACTIVE", None, None, False),
        ],
        schema=SPELLS,
        orient="row",
    )
    lines = pl.DataFrame(
        {"line": ["L"], "first_at": [T - timedelta(days=3)]}, schema={"line": pl.String, "first_at": pl.Datetime("ms")}
    )
    got = _frames.clipped(spells, lines, since=T - timedelta(days=30), until=T + timedelta(days=1))
    assert got.rows() == [("L", "HEALTHY", T - timedelta(days=3), T), ("L", "AT_RISK", T, T + timedelta(days=1))]


def test_charts_show_the_wall_clock_of_the_chosen_zone():
    assert _frames.ms(T, NEW_YORK) == _frames.ms(T - timedelta(hours=4), UTC)
    column = pl.DataFrame({"t": [T]}, schema={"t": pl.Datetime("ms")}).select(_frames.wall_ms(pl.col("t"), NEW_YORK))
    assert column.item() == _frames.ms(T, NEW_YORK)


def test_the_fleets_numbers_are_sums_of_seven_days_with_the_counts_kept():
    base = dict.fromkeys(SIGNALS_DAY.names())
    rows = [
        {
            **base,
            "line": "L",
            "day": date(2026, 3, 28) - timedelta(days=i),
            "outbound": 10,
            "mature": 8,
            "replied": i,
            "reply_rate": i / 8,
            "new_conversations": 1,
            "health": "HEALTHY",
        }
        for i in range(9)
    ]
    (got,) = _frames.fleet_numbers(pl.DataFrame(rows, schema=SIGNALS_DAY), T, UTC).to_dicts()
    assert (got["mature"], got["replied"], got["sends_a_day"]) == (56, sum(range(7)), 10)
    assert got["rates"] == [i / 8 for i in reversed(range(9))]
    assert got["low"] == pytest.approx(0.1)


def test_shares_on_the_bar_add_up_to_a_hundred_and_unexplained_is_always_there():
    thirds = [Driver(d, "other", 1 / 3, "seen", {}) for d in ("engagement", "opt_outs", "unexplained")]
    bar = _html.share_bar(thirds)
    shown = [int(part.split(" ")[-1]) for part in bar.split("\u202f%</b>")[:-1]]
    assert sum(shown) == 100
    certain = [Driver("engagement", "other", 1.0, "seen", {}), Driver("unexplained", "other", 0.0, "rest", {})]
    assert "lh-hatch" in _html.share_bar(certain)
    assert "Unexplained 0\u202f%" in _html.share_bar(certain)


def test_nothing_from_the_data_is_taken_for_html():
    nasty = "<img src=x onerror=alert(1)>"
    row = _html.need_row(
        state=nasty,
        since=nasty,
        line=nasty,
        sends=nasty,
        reason=nasty,
        step=nasty,
        spark="",
        rate=nasty,
        counts=nasty,
        ribbon="",
    )
    bar = _html.share_bar([Driver("engagement", "other", 1.0, nasty, {})])
    for text in (
        row,
        bar,
        _html.h1(nasty, nasty),
        _html.steps([{"action": nasty, "expected_effect": nasty}]),
        _html.tiles([("", nasty, nasty)]),
    ):
        assert "<img src=x" not in text


@pytest.mark.parametrize(
    ("driver", "figures", "told"),
    [
        (
            "deliverability",
            {"observed_count": 6, "observed_of": 9, "chats": 5},
            ["6 of 9 sends", "5 chats behind them"],
        ),
        ("engagement", {"observed_count": 6, "observed_of": 24, "unhealthy_chats": 6}, ["6 of 24 chats"]),
        ("engagement", {"observed": 12.0, "follow_ups": 14, "chats": 5}, ["5 chats silent for three or more"]),
        ("send_pace", {"observed": 740, "loop_chats": 4}, ["4 chats that got ten or more each"]),
    ],
)
def test_every_count_of_the_evidence_has_its_own_word(driver, figures, told):
    change = _change(T)
    change.drivers[0] = Driver(driver, "other", 1.0, "", {"usual": 0.1, "observed": 0.5} | figures, basis="verified")
    ((cells, _, _),) = _why.evidence_rows(change)
    assert all(text in cells for text in ("Verified · ", *told))
    assert ("silent for three" in cells) == ("follow_ups" in figures)


@pytest.mark.parametrize(
    ("causes", "title"),
    [
        (["opt_outs", "opt_outs", "engagement"], "Opt-outs: main cause of 2 of 3 falls"),
        (
            ["opt_outs", "deliverability", "engagement", "opt_outs", "deliverability"],
            "Delivery and Opt-outs: 2 of 5 falls each",
        ),
        (["unexplained", "unexplained", "engagement"], "2 of 3 falls have no clear cause"),
        ([], "No line fell"),
    ],
)
def test_the_most_frequent_cause_is_told_and_a_tie_is_told_as_one(causes, title):
    falls = [_change(T) for _ in causes]
    for fall, cause in zip(falls, causes, strict=True):
        fall.drivers[0] = Driver(cause, "other", 1.0, "", {})
    assert _fleet.causes_title(SimpleNamespace(falls=falls)) == title
