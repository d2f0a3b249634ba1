"""Alerts by hand: told once, one message a reason, quiet hours, and what counts in the record of the past."""

import json
from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.ahead.alerted import alerted_before
from analysis.ahead.alerts import due, in_force, is_quiet, record_sentence
from analysis.errors import SettingsError
from analysis.schema import ALERTED, FORECAST, Driver, Explanation
from analysis.settings import Settings
from tests.ahead.made import START
from tests.ahead.test_backtest import told as tried

NOTHING = pl.DataFrame(schema=ALERTED)
LEVEL = 0.2


def chances(*rows):
    """FORECAST with drivers, of (line, chance, main driver)."""
    data = [
        {
            **dict.fromkeys(FORECAST),
            "line": line,
            "p_worse_24h": p,
            "p_worse_24h_low": None if p is None else p / 2,
            "p_worse_24h_high": None if p is None else min(1.0, 2 * p),
            "drivers": json.dumps([{"driver": driver, "share": 1.0, "summary": "9 replies to 80 sends in 24 h"}]),
        }
        for line, p, driver in rows
    ]
    return pl.DataFrame(data, schema={**FORECAST, "drivers": pl.String})


def change(line, hours, previous, new, driver="engagement", kind="health"):
    """An explained change so many hours after START."""
    at = f"{START + timedelta(hours=hours):%Y-%m-%dT%H:%M:%S}.000Z"
    cause = Driver(driver, "other", 1.0, "said", {})
    first = [{"action": "Pause follow-ups."}]
    return Explanation(line, at, kind, previous, new, None, None, [cause], "Replies fell.", [], first, "high", 0.9)


def asked(hours, forecast=None, changes=(), alerted=NOTHING, level=LEVEL, **settings):
    """Alerts due so many hours after START."""
    at = START + timedelta(hours=hours)
    rows = chances() if forecast is None else forecast
    return due(rows, changes, alerted, at=at, newest=at, level=level, settings=Settings(**settings))


def marked(found, alerted=NOTHING):
    """What is kept once alerts were delivered."""
    calm = pl.col("line").is_in(found.calmed) & (pl.col("kind") == "likely") & pl.col("calm_at").is_null()
    known = alerted.with_columns(
        calm_at=pl.when(calm).then(pl.lit(found.at)).otherwise("calm_at").cast(ALERTED["calm_at"])
    )
    new = found.rows.with_columns(calm_at=pl.lit(None, dtype=ALERTED["calm_at"])).select(ALERTED.names())
    return pl.concat([known, new])


def lines_of(found):
    return found.rows["line"].to_list()


def test_ten_lines_with_one_reason_make_one_message_the_worst_first():
    rows = [(f"+{n}", 0.2 + n / 100, "engagement") for n in range(10)] + [
        ("+a", 0.9, "send_pace"),
        ("+b", 0.19, "send_pace"),
    ]
    first, second = asked(0, chances(*rows)).messages
    assert first.title == "10 lines are likely to turn worse within 24 h: few replies"
    assert [told.split(":")[0] for told in first.lines] == [f"+{n}" for n in range(9, -1, -1)]
    assert first.lines[0] == "+9: 29 in 100 (15 to 58); 9 replies to 80 sends in 24 h"
    assert (second.title, len(second.lines)) == ("1 line is likely to turn worse within 24 h: high volume", 1)


def test_a_line_that_stays_likely_is_told_again_only_for_another_reason_after_a_calm_or_after_three_days():
    known = marked(asked(0, chances(("+1", 0.5, "engagement"))))
    same = chances(("+1", 0.6, "engagement"))
    assert lines_of(asked(71, same, alerted=known)) == []
    assert lines_of(asked(72, same, alerted=known)) == ["+1"]
    assert lines_of(asked(5, chances(("+1", 0.5, "send_pace")), alerted=known)) == ["+1"]
    lower = asked(5, chances(("+1", 0.11, "engagement")), alerted=known)  # not under half of the level
    assert lines_of(asked(6, same, alerted=marked(lower, known))) == []
    calm = asked(5, chances(("+1", 0.09, "engagement")), alerted=known)
    assert calm.calmed == ["+1"]
    assert lines_of(asked(6, same, alerted=marked(calm, known))) == ["+1"]


def test_a_reason_told_already_is_not_news_when_two_reasons_take_turns():
    known = marked(asked(0, chances(("+1", 0.5, "engagement"))))
    known = marked(asked(1, chances(("+1", 0.5, "send_pace")), alerted=known), known)
    assert lines_of(asked(2, chances(("+1", 0.5, "engagement")), alerted=known)) == []


def test_a_change_is_told_once_with_its_headline_and_first_step():
    fell = [change("+1", 0, "HEALTHY", "AT_RISK"), change("+2", 1, "AT_RISK", "CRITICAL")]
    found = asked(2, changes=fell)
    (message,) = found.messages
    assert message.title == "2 lines turned worse: few replies"
    assert message.lines == [
        "+2: critical since 1 Mar 01:00 UTC, was at risk. Replies fell. First: Pause follow-ups.",
        "+1: at risk since 1 Mar 00:00 UTC, was healthy. Replies fell. First: Pause follow-ups.",
    ]
    known = marked(found)
    again = [*fell, change("+1", 3, "AT_RISK", "CRITICAL")]
    assert asked(4, changes=again, alerted=known).rows.select("line", "new").rows() == [("+1", "CRITICAL")]


def test_old_changes_and_recoveries_are_no_news_unless_asked_for():
    told = [
        change("+1", 0, "HEALTHY", "AT_RISK"),
        change("+1", 10, "AT_RISK", "HEALTHY"),
        change("+2", 0, "ACTIVE", "FLAGGED", "flagged", "status"),
    ]
    assert lines_of(asked(72, changes=told)) == []
    assert lines_of(asked(72, changes=told, alert_news_hours=100)) == ["+1", "+2"]
    back = asked(72, changes=told, alert_recovered=1)
    assert [m.title for m in back.messages] == ["1 line is well again"]
    assert (
        ", healthy now. Replies fell." in asked(20, changes=told[:2]).messages[0].lines[0]
    )  # and no first step any more


def test_nothing_later_than_the_time_is_told_nor_what_is_likely_from_old_data():
    assert lines_of(asked(5, changes=[change("+1", 6, "HEALTHY", "CRITICAL")])) == []
    old = due(
        chances(("+1", 0.9, "engagement")), [], NOTHING, at=START + timedelta(hours=25), newest=START, level=LEVEL, settings=Settings()
    )  # fmt: skip
    assert lines_of(old) == []


@pytest.mark.parametrize(
    ("hour", "zone", "hours", "quiet"),
    [
        (21, "UTC", "22-07", False),
        (22, "UTC", "22-07", True),
        (3, "UTC", "22-07", True),
        (7, "UTC", "22-07", False),
        (3, "America/New_York", "22-07", True),  # 22:00 there
        (2, "America/New_York", "22-07", False),
        (12, "America/New_York", "22-07", False),
        (13, "UTC", "12-14", True),
        (14, "UTC", "12-14", False),
        (3, "UTC", "", False),
    ],
)
def test_quiet_hours_go_across_midnight_in_the_stores_zone(hour, zone, hours, quiet):
    assert is_quiet(datetime(2026, 3, 2, hour), Settings(alert_quiet=hours, timezone=zone)) is quiet


@pytest.mark.parametrize("hours", ["22", "22-22", "22-24", "ten-seven", "-"])
def test_quiet_hours_that_are_none_are_refused(hours):
    with pytest.raises(SettingsError, match="alert_quiet"):
        Settings(alert_quiet=hours)


def test_in_quiet_hours_only_the_worst_changes_are_told_and_the_rest_when_they_end():
    fell = [
        change("+1", 23, "HEALTHY", "AT_RISK"),
        change("+2", 23, "AT_RISK", "CRITICAL"),
        change("+3", 23, "ACTIVE", "FLAGGED", "flagged", "status"),
    ]
    likely = chances(("+4", 0.5, "engagement"))
    night = asked(24, likely, fell, alert_quiet="22-07")
    assert (set(lines_of(night)), night.waiting) == ({"+2", "+3"}, 2)
    morning = asked(31, likely, fell, marked(night), alert_quiet="22-07")
    assert (set(lines_of(morning)), morning.waiting) == ({"+1", "+4"}, 0)


def test_the_level_is_the_setting_else_what_the_past_chose_else_the_gates():
    past = {"record": {"alarm": {"from_p": 0.07}}}
    assert in_force(Settings(alert_from=0.3), past) == (0.3, "setting")
    assert in_force(Settings(), past) == (0.07, "own past")
    assert (
        in_force(Settings(), {"record": {"alarm": None}})
        == in_force(Settings(), {})
        == (Settings().gate_risk, "gate_risk")
    )


@given(
    st.lists(
        st.tuples(
            st.integers(0, 40),
            st.lists(st.tuples(st.sampled_from(["+1", "+2", "+3"]), st.sampled_from([None, 0.05, 0.15, 0.25, 0.9]), st.sampled_from(["engagement", "send_pace"])), max_size=3, unique_by=lambda r: r[0]),
            st.booleans(),
        ),
        max_size=12,
    ),
    st.sampled_from(["", "22-07"]),
)  # fmt: skip
def test_what_was_delivered_is_not_due_again_and_what_was_not_is(runs, quiet):
    known, hours = NOTHING, 0
    for later, rows, delivered in runs:
        hours += later
        fell = [change(line, hours, "HEALTHY", "CRITICAL") for line, p, _ in rows if p == 0.9]
        found = asked(hours, chances(*rows), fell, known, alert_quiet=quiet)
        assert asked(hours, chances(*rows), fell, known, alert_quiet=quiet).rows.equals(found.rows)
        if delivered:
            known = marked(found, known)
            assert asked(hours, chances(*rows), fell, known, alert_quiet=quiet).rows.is_empty()
            assert asked(hours, chances(*rows), fell, known, alert_quiet=quiet).calmed == []


# ------------------------------------------------------------------ how right they would have been


def in_force_row(told, level=0.5, **settings):
    (row,) = (r for r in alerted_before(told, level=level, settings=Settings(**settings)) if r["in_force"])
    return row


def test_the_record_counts_alerts_as_they_are_sent():
    calm = [("a", 6 * i, 0.1, None) for i in range(120)]
    right = [("b", 6 * i, 0.9 if i >= 6 else 0.3, 70) for i in range(11)]  # told once, 34 h ahead
    false = [
        ("c", 6 * i, 0.8 if i in (3, 5, 9) else 0.1 if i == 7 else 0.3, None) for i in range(120)
    ]  # 3, and 9 after a calm
    late = [("d", 6 * i, 0.9 if i == 4 else 0.1, 28) for i in range(5)]  # 4 h ahead: too late to be told, but not false
    row = in_force_row(tried(*calm, *right, *false, *late))
    assert (row["alerts"], row["right"], row["false"]) == (4, 2, 2)
    assert (row["told"], row["worsenings"], row["lead_hours"]) == (1, 2, 34)
    assert (row["precision"], row["recall"]) == (0.5, 0.5)
    assert row["false_a_month"] == pytest.approx(2 / ((120 + 11 + 120 + 5) / 4 / 30))


def test_an_alarm_that_stands_is_told_again_after_the_time_set():
    stands = tried(*[("a", 6 * i, 0.9, None) for i in range(25)])  # 144 h
    assert in_force_row(stands)["alerts"] == 3
    assert in_force_row(stands, alert_again_hours=700)["alerts"] == 1


def test_quiet_hours_make_alerts_of_the_record_later():
    told = tried(*[("a", 6 * i, 0.9, 66) for i in range(4, 11)])  # midnight of day 2 on
    assert in_force_row(told)["lead_hours"] == 42
    assert in_force_row(told, alert_quiet="22-07")["lead_hours"] == 30  # noon: at 6 it is quiet still
    assert in_force_row(told, alert_quiet="01-07")["lead_hours"] == 42
    assert in_force_row(told, alert_quiet="22-07", timezone="America/New_York")["lead_hours"] == 42  # 19:00 there


def test_four_levels_are_told_and_one_is_in_force():
    rows = alerted_before(tried(("a", 0, 0.1, None)), level=0.5, settings=Settings())
    assert [(r["level"], r["in_force"]) for r in rows] == [
        (pytest.approx(1 / 3), False),
        (0.5, True),
        (pytest.approx(2 / 3), False),
        (pytest.approx(0.8), False),
    ]
    assert (rows[0]["precision"], rows[0]["recall"], rows[0]["lead_hours"]) == (None, None, None)


def test_the_record_is_told_in_a_sentence_with_counts_and_too_few_say_so():
    row = {
        "in_force": True,
        "alerts": 22,
        "right": 15,
        "worsenings": 31,
        "told": 14,
        "lead_hours": 17.2,
        "false_a_month": 0.91,
    }
    assert record_sentence({"weeks": 8, "worsenings": 31, "levels": [row]}) == (
        "Of the last 8 weeks' 31 falls these alerts would have told 14, 17 h ahead at the median, with 0.9 false alarms a line and month "
        "(22 alerts, 15 followed by a fall within 3 days)."
    )
    few = record_sentence({"weeks": 4, "worsenings": 5, "levels": []})
    assert few == "Too few changes to say how right such alerts are here: 5 falls could be tried in the last 4 weeks."
