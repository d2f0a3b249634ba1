"""The page "New conversations": its figures against a slow recount, its address, thin data, and its sentences."""

import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from analysis import pipeline
from analysis.pages import _new as new
from analysis.pages import _new_rows as rows
from analysis.pages import _words as words
from analysis.pages._counted import HOW
from analysis.pages._store import Here
from analysis.signals import bursts
from tests.pages.conftest import words_of

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
T = datetime(2026, 3, 20)
L1, L2 = "+14155550101", "+14155550102"


def _here(store):
    return Here(store, pipeline.snapshot(store), pipeline.status(store), pipeline.settings(store), "light")


@pytest.fixture(scope="module")
def here(demo_store):
    return _here(demo_store)


@pytest.fixture(scope="module")
def found(here):
    return new.bursts(here)


def _burst(**more):
    base = new.Burst(L1, T, T + 7 * HOUR, 62, 2.0, 60, 59, 11, "none", None, None, "")
    return replace(base, **more)


def _hours(counts, line=L1, *, health="HEALTHY", old=30, start=T):
    return pl.DataFrame(
        [(line, start + i * HOUR, n, old, health) for i, n in enumerate(counts)],
        schema={
            "line": pl.String,
            "hour": pl.Datetime("ms"),
            "new_conversations": pl.Int64,
            "history_days": pl.Int64,
            "health": pl.String,
        },
        orient="row",
    )


def _marked(hours, *, first_at=T - 60 * DAY, born=T - 60 * DAY):
    lines = pl.DataFrame({"line": [L1], "first_at": [born]}, schema={"line": pl.String, "first_at": pl.Datetime("ms")})
    return new.with_usual(hours, lines, young=7, first_at=first_at)


# ------------------------------------------------------------------ what a burst is


def test_every_burst_is_one_by_a_slow_count_of_the_signals(demo_store, here, found):
    assert found
    hours = pipeline.signals(demo_store, grain="hour")
    for b in found:
        own = {r["hour"]: r for r in hours.filter(pl.col("line") == b.line).iter_rows(named=True)}
        inside = [own[b.start + i * HOUR] for i in range(round(b.hours))]
        assert b.opened == sum(r["new_conversations"] for r in inside)
        assert (b.mature, b.replied) == (sum(r["new_mature"] for r in inside), sum(r["new_replied"] for r in inside))
        day_sums = [
            sum(own[end - i * HOUR]["new_conversations"] for i in range(24) if end - i * HOUR in own)
            for end in own
            if b.start <= end < b.end + DAY
        ]
        assert b.peak == max(day_sums)
        assert b.peak >= max(bursts.LEAST_OPENERS, bursts.TIMES * (b.usual or 0))


def test_what_followed_is_the_first_fall_of_health_within_72_hours(demo_store, here, found):
    falls = pipeline.transitions(demo_store).filter(pl.col("kind") == "health", "worsening")
    assert any(b.fell for b in found)
    for b in found:
        after = falls.filter(pl.col("line") == b.line, pl.col("at") > b.start, pl.col("at") <= b.start + 72 * HOUR)
        assert b.fall_at == after["at"].min()
        if b.fell:
            assert b.outcome == after.sort("at")["new"][0]
            assert words.find_change(pipeline.explanations(demo_store, line=b.line), b.key) == b.key


def test_the_usual_day_is_the_mean_of_healthy_hours_before_the_day_measured():
    calm = [1 if i % 12 == 0 else 0 for i in range(20 * 24)]
    burst = [0] * 8 + [4, 4, 4] + [0] * 13
    marked = _marked(_hours(calm + burst))
    first = marked.filter("above").row(0, named=True)
    assert first["usual"] == pytest.approx(2.0, rel=0.01)  # 467 hours before, not whole days
    assert first["day_sum"] >= bursts.LEAST_OPENERS
    assert first["hour"] == T + (20 * 24 + 10) * HOUR
    sick = _marked(_hours(calm + burst, health="CRITICAL")).filter("above").row(0, named=True)
    assert sick["usual"] is None


@pytest.mark.parametrize(
    ("usual_openers", "in_a_day", "is_one"), [(1, 9, False), (1, 10, True), (4, 11, False), (4, 13, True)]
)
def test_both_thresholds_must_be_reached(usual_openers, in_a_day, is_one):
    calm = ([1] * usual_openers + [0] * (24 - usual_openers)) * 20
    marked = _marked(_hours([*calm, *[0] * 24, in_a_day]))
    assert marked.filter("above").height == is_one


def test_first_days_count_only_on_lines_that_came_later():
    counts = [0] * 5 + [15]
    assert not _marked(_hours(counts, old=2), first_at=T, born=T).filter("above").height
    late = _marked(_hours(counts, old=2), first_at=T - 20 * DAY, born=T).filter("above")
    assert late.height == 1
    assert late["usual"][0] is None


def test_two_bursts_of_a_line_share_no_day():
    near = _marked(_hours([15] + [0] * 30 + [15] + [0] * 30))
    far = _marked(_hours([15] + [0] * 60 + [15] + [0] * 30))
    assert len(new.runs(near)) == 1
    assert len(new.runs(far)) == 2
    assert new.runs(near.filter(pl.lit(value=False))) == []


@pytest.mark.parametrize(
    ("openers", "place"),
    [
        ([0, 0, 5, 0, 6, 0], (2, 5)),
        ([1, 9, 9, 1], (1, 3)),
        ([0, 3], (1, 2)),
        ([7], (0, 1)),
        ([5, 0, 0, 0, 0, 0, 6], (6, 7)),
    ],
)
def test_a_burst_lasts_while_openers_are_beyond_the_pace(openers, place):
    assert new.stretch(openers, 1.2) == place


def test_by_chance_counts_hours_outside_bursts_only():
    marked = _hours([0] * 24 * 6)
    falls = pl.DataFrame({"line": [L1], "at": [T + 80 * HOUR]}, schema={"line": pl.String, "at": pl.Datetime("ms")})
    whole = rows.base_rate(marked, falls, [], T, T + 6 * DAY)
    assert whole == (65, 73)  # hours 0 to 72; those from 8 on are within 72 h of the fall
    assert rows.base_rate(marked, falls, [_burst(start=T + 10 * HOUR, end=T + 15 * HOUR)], T, T + 6 * DAY) == (60, 68)
    assert rows.base_rate(marked.with_columns(health=pl.lit("CRITICAL")), falls, [], T, T + 6 * DAY) == (0, 0)


# ------------------------------------------------------------------ the page


def test_the_page_says_what_the_bursts_say(open_app, demo_store, here, found):
    at = open_app(demo_store, "new")
    assert not at.exception
    text = words_of(at)
    assert new.sentence(found, 30, opened=1) in text
    listed = sorted(found, key=lambda b: (not b.fell, -b.peak, b.line, b.start))[:12]
    bodies = re.findall(r"<tr><td.*?</tr>", text)
    assert len(bodies) == len(listed)
    for b, body in zip(listed, bodies, strict=True):
        sent = pipeline.openers(demo_store, line=b.line, since=b.start, until=b.end)["at"].to_list()
        assert len(sent) == b.opened
        between = [(y - x).total_seconds() / 60 for x, y in pairwise(sent)]
        assert words.line_name(b.line) in body
        assert f"{b.peak:,}</td>" in body
        assert new.gap_words(median(between) if between else None) in body
        assert (f"line={words.line_key(b.line)}&amp;at={b.key}" in body) == b.fell
        assert ("no usual yet" in body) == (b.usual is None)


def test_a_day_in_the_address_lists_its_openers(open_app, demo_store):
    days = pipeline.signals(demo_store)
    day = days["day"].max() - timedelta(days=3)
    at = open_app(demo_store, "new", day=day.isoformat(), days="14")
    assert not at.exception
    own = days.filter(pl.col("day") == day, pl.col("new_conversations") > 0)
    table = at.dataframe[0].value
    assert table["Opened"].sum() == own["new_conversations"].sum()
    assert table.groupby("Line")["Opened"].sum().to_dict() == {
        words.line_name(r["line"]): r["new_conversations"] for r in own.iter_rows(named=True)
    }
    assert "in 14 days" in words_of(at)
    at.selectbox(key="pick_day").set_value(day - timedelta(days=1)).run()
    assert not at.exception
    assert at.query_params["day"] in ([str(day - timedelta(days=1))], str(day - timedelta(days=1)))


def test_the_period_is_chosen_by_hand_and_by_address(open_app, demo_store, here, found):
    at = open_app(demo_store, "new", days="14")
    since = new.period(here, 14).start
    late = [b for b in found if b.start >= since]
    assert new.sentence(late, 14, opened=1) in words_of(at)
    at.get("button_group")[0].set_value(30).run()
    assert new.sentence(found, 30, opened=1) in words_of(at)
    assert at.query_params["days"] in (["30"], "30")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"days": "7"}, "asks for a period that is not offered; these are 30 days"),
        ({"day": "2020-01-01"}, "is not one of these 30 days; no day is chosen"),
        ({"day": "<b>", "days": "x"}, "no day is chosen"),
    ],
)
def test_a_wrong_address_says_so(open_app, demo_store, query, said):
    at = open_app(demo_store, "new", **query)
    assert not at.exception
    assert said in words_of(at)
    assert not at.dataframe


def test_without_a_store_the_ways_to_start_are_offered(open_app, store):
    assert "Nothing is loaded yet" in words_of(open_app(store, "new"))


def _sends(line, days, a_day, *, first=1, direction="outbound"):
    return "".join(
        f"{line}-{d}-{i},{line},{line}-{d}-{i},{direction},2026-03-{d:02d}T{8 + i % 12:02d}:{i // 12:02d}:00Z\n"
        for d in range(first, first + days)
        for i in range(a_day)
    )


def test_thin_data_is_shown_for_what_it_is(open_app, tables):
    made = tables(_sends(L1, 4, 15))
    at = open_app(made, "new")
    assert not at.exception
    assert "Too little data to tell a burst" in words_of(at)


def test_no_opener_and_no_burst_say_so(open_app, tables):
    made = tables("", f"{L1},2026-03-10T12:00:00Z,HEALTHY,AT_RISK\n")
    at = open_app(made, "new")
    assert not at.exception
    assert "No conversation was opened in 30 days." in words_of(at)


def test_a_quiet_fleet_has_no_burst_and_a_young_line_no_usual(open_app, tables):
    made = tables(_sends(L1, 25, 3) + _sends(L2, 2, 20, first=20))
    at = open_app(made, "new")
    assert not at.exception
    text = words_of(at)
    assert "1 burst in 30 days; the health of its line is not known." in text
    assert "Health not known" in text
    assert "no usual yet" in text
    assert "No line with a usual had a burst" in text


@pytest.mark.parametrize(
    ("changed_at", "outcome"), [("2026-03-22T20:00:00Z", "AT_RISK"), ("2026-03-23T20:00:00Z", "none")]
)
def test_a_fall_counts_until_72_hours_after_the_start(tables, changed_at, outcome):
    made = tables(
        _sends(L1, 26, 3) + _sends(L2, 1, 20, first=20),
        f"{L2},2026-03-01T12:00:00Z,AT_RISK,HEALTHY\n{L2},{changed_at},HEALTHY,AT_RISK\n",
    )
    (burst,) = new.bursts(_here(made))  # it starts on 20 March at 08:00
    assert burst.start == datetime(2026, 3, 20, 8)
    assert (burst.outcome, burst.fell) == (outcome, outcome == "AT_RISK")


# ------------------------------------------------------------------ words


@pytest.mark.parametrize(
    ("outcomes", "says"),
    [
        ([], "No burst in 30 days: no line opened well above its usual."),
        (["AT_RISK"], "1 burst in 30 days; it was followed by a fall within 72 hours."),
        (["none"], "1 burst in 30 days; no fall followed within 72 hours."),
        (["early"], "1 burst in 30 days; it is too recent to say what followed."),
        (["unknown"], "1 burst in 30 days; the health of its line is not known."),
        (["unknown"] * 2, "2 bursts in 30 days; the health of their lines is not known."),
        (
            ["AT_RISK", "early", "early", "unknown"],
            "4 bursts in 30 days; 1 was followed by a fall within 72 hours, 2 are too recent to say, 1 is on a line of unknown health.",
        ),
        (["none", "none"], "2 bursts in 30 days; none was followed by a fall within 72 hours."),
        (
            ["CRITICAL", "none", "early"],
            "3 bursts in 30 days; 1 was followed by a fall within 72 hours, 1 is too recent to say.",
        ),
        (["CRITICAL"] * 4 + ["none"], "5 bursts in 30 days; 4 were followed by a fall within 72 hours."),
    ],
)
def test_the_headline_is_made_by_rule(outcomes, says):
    made = [_burst(outcome=o, fall_at=T + HOUR if o in ("AT_RISK", "CRITICAL") else None) for o in outcomes]
    assert new.sentence(made, 30, opened=9) == says


def test_a_line_without_a_usual_is_in_no_chart_and_reads_no_usual_yet():
    bare = _burst(usual=None)
    assert new.usual_words(bare) == "no usual yet"
    assert new.times_words(bare) == words.DASH
    assert new.chart_title([bare]) == "No burst can be drawn against a usual"
    assert new.times_words(_burst()) == "31\u202f×"
    assert new.usual_words(_burst(usual=2.345)) == "2.3"


def test_few_answers_are_counts_and_many_a_rate():
    assert rows.answered(3, 11) == "3 of 11"
    assert rows.answered(11, 59) == "19\u202f% (11 of 59)"
    assert rows.answered(0, 0) == "too early to say"
    few = new.compared([_burst()], (76, 1000))
    assert "followed 0 of 1 burst old enough to tell, and 7.6\u202f% of all other hours (76 of 1,000 line-hours)" in few
    assert new.compared([_burst(outcome="early")], (76, 1000)) == ""
    assert new.compared([_burst()], (7, 100)) == ""


def test_gaps_are_minutes_between_neighbours_in_time():
    sent = pl.DataFrame({"at": [T + timedelta(minutes=10), T, T + timedelta(minutes=4)]})
    assert new.gaps(sent) == [4.0, 6.0]
    assert [new.gap_words(m).replace("\u00a0", " ") for m in (0.5, 4.04, 52.4, 240, None)] == [
        "30 s",
        "4 min",
        "52 min",
        "4 h",
        "–",
    ]
    assert "within 5\u00a0min of the one before" in rows.gaps_title([(_burst(), [4.0, 6.0])])


def test_words_beside_marks_are_left_out_where_they_would_touch(here):
    near = [_burst(outcome="AT_RISK", start=T + i * HOUR) for i in range(3)]
    frame = rows.burst_marks([*near, _burst(usual=None)], {L1: "…0101"}, _window(), here)
    assert frame.height == 3
    told = frame.filter(pl.col("label") != "")
    assert sorted(told["left"].to_list()) == [False, True]  # one on each side, none for the third
    alone = rows.burst_marks([near[0]], {L1: "…0101"}, _window(), here)
    assert alone["label"].to_list() == ["…0101: 62 opened"]


def _window():
    start = (T - 10 * DAY - datetime(1970, 1, 1)) / timedelta(milliseconds=1)
    return start, start + 30 * rows.DAY_MS


def test_hours_of_the_calendar_are_those_of_the_zone(here):
    tokyo = replace(here, settings=replace(here.settings, timezone="Asia/Tokyo"))
    p = new.Period(30, T - 30 * DAY, datetime(2026, 2, 18))
    hours = _hours([4], start=datetime(2026, 3, 5, 20)).with_columns(new_mature=pl.lit(4), new_replied=pl.lit(1))
    told = rows.by_clock(hours, p, tokyo).row(0, named=True)
    assert (told["day"], told["clock"], told["opened"]) == (date(2026, 3, 6), 5, 4)
    assert rows.by_clock(hours.with_columns(new_conversations=pl.lit(0)), p, tokyo).is_empty()
    assert tokyo.zone == ZoneInfo("Asia/Tokyo")


def test_the_thresholds_written_are_those_counted():
    text = HOW["bursts"].words
    assert f"at least {bursts.LEAST_OPENERS} and at least {bursts.TIMES:.0f} times" in text
    assert f"{bursts.LEAST_HEALTHY_DAYS} days of such hours" in text
    assert f"within {new.FOLLOW_HOURS} h" in text
    assert f"{new.FOLLOW_HOURS} h" in rows.HEADS[-2][0]
