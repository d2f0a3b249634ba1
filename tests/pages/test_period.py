"""A period dragged over on Why: whole hours, counts against a plain recount, an address that restores it."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from analysis import pipeline
from analysis.pages import _period as parts
from analysis.pages import _words as words
from tests.pages.conftest import words_of

UTC, NEW_YORK = ZoneInfo("UTC"), ZoneInfo("America/New_York")
HOUR = timedelta(hours=1)


def wall_ms(text):
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1)) / timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("zone", "start", "end"),
    [
        (UTC, datetime(2026, 3, 5, 10), datetime(2026, 3, 5, 13)),
        (NEW_YORK, datetime(2026, 3, 5, 15), datetime(2026, 3, 5, 18)),
    ],
)
def test_a_drag_is_whole_hours_of_the_zone_shown(zone, start, end):
    chosen = {"brush": {"t": [wall_ms("2026-03-05T12:20"), wall_ms("2026-03-05T10:40")]}}
    assert parts.dragged(chosen, zone) == parts.Period(start, end)
    assert parts.dragged({"brush": {}}, zone) is None
    assert parts.dragged({}, zone) is None


def test_an_address_gives_the_same_period_and_nonsense_gives_none():
    period = parts.Period(datetime(2026, 3, 5, 10), datetime(2026, 3, 6, 2))
    assert parts.addressed(parts.address_of(period)) == period
    for wrong in (
        {},
        {"from": "20260305T1000"},
        {"from": "x", "to": "y"},
        {"from": "20260306T0000", "to": "20260305T0000"},
    ):
        assert parts.addressed(wrong) is None


@pytest.mark.parametrize("length", [3, 17, 60])
def test_counts_are_those_of_the_hours_and_the_usual_is_of_the_same_hours_of_the_day(demo_store, length):
    e = next(e for e in pipeline.explanations(demo_store) if words.worsened(e) and e.onset)
    hours = pipeline.signals(demo_store, grain="hour", line=e.line)
    start = words.instant(e.onset).replace(minute=0, second=0, microsecond=0)
    period, before = parts.Period(start, start + length * HOUR), words.instant(e.onset)
    told = {name: (seen, usual) for name, seen, usual in parts.counted_in(hours, period, before=before)}
    rows = [r for r in hours.iter_rows(named=True) if period.start <= r["hour"] < period.end]
    calm = [
        r
        for r in hours.iter_rows(named=True)
        if before - timedelta(days=28) < r["hour"] <= before and r["health"] in (None, "HEALTHY")
    ]
    for column, name in parts.COUNTS:
        assert told[name][0] == words.count(sum(r[column] for r in rows))
        expected = 0.0
        for i in range(length):
            same = [r[column] for r in calm if r["hour"].hour == (start + i * HOUR).hour]
            expected += sum(same) / len(same)
        assert told[name][1] == words.count(round(expected, 1))
    replied, mature = sum(r["replied"] for r in rows), sum(r["mature"] for r in rows)
    assert f"{replied:,} of {mature:,}" in told["Answered, of sends old enough"][0]
    assert ("%" in told["Answered, of sends old enough"][0]) == (mature >= 30)


def test_without_a_week_before_there_is_no_usual(demo_store):
    line = pipeline.lines(demo_store)["line"][0]
    hours = pipeline.signals(demo_store, grain="hour", line=line)
    start = hours["hour"].min()
    told = parts.counted_in(hours, parts.Period(start, start + 5 * HOUR), before=start + 100 * HOUR)
    assert {usual for _, _, usual in told} == {"no usual yet"}


def test_a_shared_period_is_shown_and_another_change_forgets_it(open_app, demo_store):
    e = next(e for e in pipeline.explanations(demo_store) if words.worsened(e))
    at = words.instant(e.at)
    period = parts.Period(
        at.replace(minute=0, second=0, microsecond=0) - 9 * HOUR, at.replace(minute=0, second=0, microsecond=0)
    )
    shown = open_app(demo_store, "why", line=words.line_key(e.line), at=e.at, **parts.address_of(period))
    assert not shown.exception
    assert period.words(UTC) in words_of(shown)
    later = next(b for b in shown.button if b.label == "Later").click().run()
    assert period.words(UTC) not in words_of(later)
    assert "Drag across a lane" in words_of(later)
