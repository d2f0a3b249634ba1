"""Times by hand: onset to fall, fall to healthy with lines still waiting, after slowing down, and falls again."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from analysis.ahead.features import HOURLY
from analysis.ahead.lags import CAUSES, lags_of, sentences_of, survival
from tests.ahead.made import START, changes

UNTIL = START + timedelta(days=100)
NOTHING = pl.DataFrame(schema=HOURLY)


def caused(*rows):
    data = [(line, START + timedelta(days=day), driver, lead) for line, day, driver, lead in rows]
    return pl.DataFrame(data, schema=CAUSES, orient="row")


def ups_and_downs(spans):
    """TRANSITIONS of lines that fall on day a and are healthy again on day b (None: never)."""
    rows = []
    for i, (a, b) in enumerate(spans):
        rows.append((f"l{i:02d}", a, "HEALTHY", "AT_RISK"))
        if b is not None:
            rows.append((f"l{i:02d}", b, "AT_RISK", "HEALTHY"))
    return changes(*rows)


def test_the_curve_is_kaplan_and_meiers():
    # by hand: 5 waiting, 1 healthy on day 2 (4/5 left); 1 left the data on day 3; 3 waiting, 1 healthy on day 4 (4/5 · 2/3)
    curve = {c["day"]: c for c in survival(np.array([2.0, 3, 4, 6, 6]), np.array([False, True, False, True, True]))}
    assert curve[2]["healthy"] == pytest.approx(1 / 5)
    assert curve[3]["healthy"] == pytest.approx(1 / 5)
    assert curve[4]["healthy"] == pytest.approx(1 - 4 / 5 * 2 / 3)
    assert curve[4]["open"] == 3
    assert curve[4]["low"] < curve[4]["healthy"] < curve[4]["high"]


def test_lines_still_at_risk_lengthen_the_time_to_healthy():
    done = [(10, 10 + d) for d in range(1, 13)]
    short = lags_of(caused(), ups_and_downs(done), NOTHING, until=UNTIL)["recovery"][0]
    waiting = lags_of(caused(), ups_and_downs([*done, *[(60, None)] * 8]), NOTHING, until=UNTIL)["recovery"][0]
    assert (short["falls"], short["recovered"], short["days"]) == (12, 12, 6)
    assert (waiting["falls"], waiting["recovered"]) == (20, 12)
    assert waiting["days"] > short["days"]
    assert waiting["days_low"] <= waiting["days"]
    assert waiting["curve"][-1]["healthy"] == pytest.approx(12 / 20)  # who waits is not counted as healthy at the end


def test_under_ten_recoveries_there_are_counts_only():
    got = lags_of(caused(), ups_and_downs([(10, 12)] * 9), NOTHING, until=UNTIL)
    assert got["recovery"][0]["recovered"] == 9
    assert got["recovery"][0]["days"] is None
    assert got["recovery"][0]["curve"] == []
    assert got["relapse"][0] == {"days": 7, "recoveries": 9, "relapsed": 0, "rate": None, "low": None, "high": None}
    assert "From at risk to healthy: 9 of 9 falls so far." in sentences_of(got)


def test_a_critical_fall_counts_from_both_states():
    rows = [
        ("l0", 5, "HEALTHY", "AT_RISK"),
        ("l0", 7, "AT_RISK", "CRITICAL"),
        ("l0", 9, "CRITICAL", "AT_RISK"),
        ("l0", 11, "AT_RISK", "HEALTHY"),
    ]
    risk, critical = lags_of(caused(), changes(*rows), NOTHING, until=UNTIL)["recovery"]
    assert (risk["falls"], critical["falls"]) == (1, 1)  # the step back to at risk is no fall
    assert (risk["recovered"], critical["recovered"]) == (1, 1)


def test_lags_are_the_median_and_quartiles_of_dated_falls():
    rows = [(f"l{i}", i, "failed" if i < 0 else "deliverability", float(i)) for i in range(1, 12)]
    got = lags_of(
        caused(*rows, ("x", 20, "deliverability", None), ("y", 21, "flagged", 1.0)), changes(), NOTHING, until=UNTIL
    )["onset"]
    assert got[0] == {
        "driver": "deliverability",
        "falls": 12,
        "dated": 11,
        "hours": 6,
        "hours_low": 3.5,
        "hours_high": 8.5,
    }
    assert (got[1]["falls"], got[1]["hours"]) == (1, None)


def test_a_relapse_needs_a_recovery_old_enough_to_tell():
    spans = [(10, 12)] * 10 + [(90, 95)]
    rows = [*ups_and_downs(spans).rows()]
    again = changes(("l00", 15, "HEALTHY", "AT_RISK"), ("l01", 30, "HEALTHY", "AT_RISK"))
    told = pl.concat([pl.DataFrame(rows, schema=again.schema, orient="row"), again]).sort("line", "at")
    week, month = lags_of(caused(), told, NOTHING, until=UNTIL)["relapse"]
    assert (week["recoveries"], week["relapsed"]) == (10, 1)  # the eleventh is five days old
    assert (month["recoveries"], month["relapsed"]) == (10, 2)
    assert month["low"] < 0.2 < month["high"]
    assert month["low"] == pytest.approx(0.0567, abs=0.001)  # Wilson, 2 of 10
    assert month["high"] == pytest.approx(0.5098, abs=0.001)


def test_after_slowing_down_time_runs_from_when_the_signal_is_back():
    spans = [(10, 16)] * 12
    causes = caused(*[(f"l{i:02d}", 10, "new_conversations", 5.0) for i in range(12)])
    hours = [START + timedelta(days=10, hours=h) for h in range(-24, 6 * 24, 6)]
    back = START + timedelta(days=12)
    rows = [{"line": f"l{i:02d}", "hour": h, "openers": 2.0 if h < back else 0.1} for i in range(11) for h in hours]
    past = pl.DataFrame([*rows, *[{"line": "l11", "hour": h, "openers": 2.0} for h in hours]]).cast(
        {"hour": HOURLY["hour"]}
    )
    past = pl.concat([pl.DataFrame(schema=HOURLY), past], how="diagonal")
    got = lags_of(
        causes,
        ups_and_downs(spans),
        past.with_columns(pl.all().exclude("line", "hour", "openers", "health", "status").fill_null(9.0)),
        until=UNTIL,
    )
    slowed = got["after_slowing"]
    assert (slowed["falls"], slowed["recovered"], slowed["not_before"]) == (11, 11, 1)
    assert slowed["days"] == pytest.approx(4, abs=0.05)  # back at the end of the hour of day 12


def test_nothing_later_than_the_end_is_looked_at():
    spans = [(10, 12)] * 12
    end = START + timedelta(days=11)
    got = lags_of(caused(("l00", 50, "flagged", 1.0)), ups_and_downs(spans), NOTHING, until=end)
    assert got["recovery"][0]["recovered"] == 0
    assert got["onset"] == []
    assert datetime.fromisoformat(got["until"]) == end
