"""What a rule does to the risk: a burst spread lowers it, a quiet line has none to lower, and nothing later teaches."""

from dataclasses import replace
from datetime import timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest

from analysis.ahead.altered import DAY, MOVED, Altered, Rule
from analysis.ahead.model import Model
from analysis.ahead.replay_words import Asked, sentences, verdict
from analysis.ahead.replayed import Change, Most, Replayed, held, replayed
from analysis.errors import UsageError
from analysis.pipeline.replay import Facts, replay_of
from analysis.schema import REPLAY
from analysis.settings import Settings
from analysis.signals import health, panel
from tests.ahead.made import fleet
from tests.explain.builders import World

LINE, OTHER, QUIET = "+14155550101", "+14155550102", "+14155550103"
DAYS = 42.0


def facts(made: World) -> Facts:
    messages, chats, chat_health, spells, transitions = made.frames()
    chosen = Settings()
    hours = panel.signals(messages, chats, chat_health, spells, as_of=made.at(DAYS), settings=chosen, grain="hour")
    return Facts(messages, chats, chat_health, spells, transitions, hours, made.at(DAYS), chosen)


@cache
def burst() -> tuple[World, Facts]:
    """A line with 150 openers in five hours on day 28, and three falls after bursts on other lines before."""
    made = World(7).steady(LINE, days=DAYS, chats=40, asks=20, new=4)
    for i in range(3):
        line = f"+1415555020{i}"
        made.steady(line, days=DAYS, chats=40, asks=20, new=4).burst(line, 18.4 + i, 120, hours=5, reply=0.05)
        made.turn(line, 0.5, "HEALTHY", "AT_RISK").turn(line, 18.9 + i).turn(line, 23, "HEALTHY", "AT_RISK")
    made.turn(LINE, 0.5, "HEALTHY", "AT_RISK").burst(LINE, 28.4, 150, hours=5, reply=0.05).turn(LINE, 28.8)
    return made, facts(made)


def test_a_planted_burst_spread_over_a_week_lowers_the_risk_and_the_interval_says_so():
    made, known = burst()
    found = replay_of(known, LINE, Rule("spread", 7), made.at(28), made.at(29)).record
    own = found["worst"][LINE]
    assert own["before"] > 0.3
    assert own["after"] < own["before"] / 2
    assert own["high"] < -0.1
    assert found["verdict"] == "peak"
    assert "A lower peak with the rule" in found["title"]
    assert "mostly through new conversations" in found["sentences"][4]
    assert "It turned at risk on 29 Mar" in found["sentences"][-1]
    assert found["moved"] == pytest.approx(found["opened"] * 6 / 7, abs=2)


def test_another_line_that_takes_half_of_a_burst_is_counted_too():
    made = World(7).steady(LINE, days=DAYS, chats=40, asks=20, new=4).steady(OTHER, days=DAYS, chats=40, asks=20, new=4)
    made.turn(LINE, 0.5, "HEALTHY", "AT_RISK").turn(OTHER, 0.5, "HEALTHY", "AT_RISK")
    made.burst(LINE, 28.4, 150, hours=5, reply=0.05)
    found = replay_of(facts(made), LINE, Rule("over_lines", lines=(OTHER,)), made.at(28), made.at(29))
    assert found.record["worst"][LINE]["change"] < -0.05
    assert found.record["worst"][OTHER]["change"] > 0.05
    assert set(found.rows["line"]) == {LINE, OTHER}
    both = found.rows.group_by("line").agg(pl.col("p_before").sum() / 24)["p_before"].sum()
    assert found.record["falls"]["before"] == pytest.approx(both, abs=1e-4)


@pytest.mark.parametrize("rule", [Rule("spread", 10), Rule("cap", 3), Rule("stop_after", 1)], ids=lambda r: r.what)
def test_no_rule_changes_a_quiet_lines_risk_much(rule):
    made = World(3).steady(QUIET, days=DAYS, chats=40, asks=20, new=4).turn(QUIET, 0.5, "HEALTHY", "AT_RISK")
    found = replay_of(facts(made), QUIET, rule, made.at(25), made.at(32)).record
    assert abs(found["worst"][QUIET]["change"]) < 0.05
    assert abs(found["falls"]["change"]) < 0.1
    assert found["verdict"] != "higher"
    assert any("little to lower" in s for s in found["sentences"])


def test_nothing_later_than_the_periods_start_teaches_the_model():
    made, known = burst()
    begin, end = made.at(28), made.at(29)
    later = pl.col("hour") + timedelta(hours=1) > begin
    noisy = known.fleet.with_columns(
        pl.when(later & (pl.col("line") != LINE)).then(pl.col("outbound") * 50 + 7).otherwise("outbound").alias("outbound")
    )  # fmt: skip
    extra = [{**row, "line": f"+1415555020{i}", "at": made.at(28.5 + i / 4)} for i in range(3) for row in known.transitions.head(1).to_dicts()]  # fmt: skip
    more = pl.concat([known.transitions, pl.DataFrame(extra, schema=known.transitions.schema)]).with_columns(
        worsening=pl.lit(True)
    )
    now = pl.col("at") <= begin
    told = pl.concat([known.transitions.filter(now), more.filter(~now)])
    rule = Rule("spread", 7)
    plain = replay_of(known, LINE, rule, begin, end)
    other = replay_of(replace(known, fleet=noisy, transitions=told), LINE, rule, begin, end)
    assert other.record["worsenings"] == plain.record["worsenings"] == 3
    assert other.rows.equals(plain.rows)


def test_what_was_reported_after_the_begin_is_no_input_on_either_side():
    made, known = burst()
    begin, end = made.at(28), made.at(29)
    plain = replay_of(known, LINE, Rule("spread", 7), begin, end)
    never = replace(known, spells=held(known.spells, begin))
    assert replay_of(never, LINE, Rule("spread", 7), begin, end).rows.equals(plain.rows)


def test_hours_are_looked_at_until_three_days_after_the_last_conversation_that_was_moved():
    made, known = burst()
    found = replay_of(known, LINE, Rule("spread", 7), made.at(28), made.at(29))
    assert found.rows["hour"].min() >= made.at(28)
    last = found.rows["hour"].max()
    assert made.at(34 + 3) < last < made.at(35 + 3)


def test_what_waits_beyond_the_data_is_told_and_no_help_is_claimed():
    made, known = burst()
    found = replay_of(known, LINE, Rule("cap", 5), made.at(28), made.at(29)).record
    assert found["beyond_data"] > 0
    assert found["verdict"] == "unsure"
    assert any("beyond the end of the data" in s for s in found["sentences"])


def test_the_interval_holds_the_figure_and_a_known_slope():
    rows, spells, _, as_of = fleet("drawn", "ledger", 41, lines=8, days=30)
    from analysis.ahead.features import known_by_hour
    from analysis.ahead.model import FEATURES, fitted
    from analysis.ahead.prior import PRIOR

    x = np.zeros((0, len(FEATURES)))
    model = fitted(x, np.zeros(0), np.zeros(0), hours=24, prior=PRIOR[24])
    known = known_by_hour(rows, spells, as_of=as_of).filter(pl.col("line") == rows["line"][0])
    since, until = as_of - 3 * DAY, as_of
    same = replayed(known, [known], model, since=since, until=until)
    assert (same.falls.change, same.falls.low, same.falls.high) == (0, 0, 0)
    fewer = known.with_columns(openers=pl.col("openers") - 2.0)
    less = replayed(known, [fewer], model, since=since, until=until).falls
    assert less.low < less.change < 0
    assert less.change < less.high


@pytest.mark.parametrize(
    ("rule", "first", "last", "told"),
    [
        (Rule("cap", 200), 28, 29, "would move nothing"),
        (Rule("stop_after", 90), 28, 29, "no send of the period"),
        (Rule("spread", 7), 3, 10, "less than a week"),
        (Rule("over_lines", lines=("+14155550200",)), 18, 25, "not healthy all through"),
    ],
    ids=["cap", "stop", "young", "ill"],
)
def test_what_nothing_can_be_said_of_is_refused_with_a_reason(rule, first, last, told):
    made, known = burst()
    with pytest.raises(UsageError, match=told):
        replay_of(known, LINE, rule, made.at(first), made.at(last))


def test_a_line_that_opened_nothing_or_is_critical_is_refused():
    made = World(3).steady(QUIET, days=DAYS, chats=40, asks=20, new=0).turn(QUIET, 20, "CRITICAL", "HEALTHY")
    known = facts(made)
    with pytest.raises(UsageError, match="no new conversation"):
        replay_of(known, QUIET, Rule("spread", 7), made.at(12), made.at(19))
    with pytest.raises(UsageError, match="critical when the period begins"):
        replay_of(known, QUIET, Rule("spread", 7), made.at(25), made.at(32))


def test_a_change_tells_only_where_its_whole_interval_lies_on_one_side():
    assert Change(0.5, 0.2, -0.4, -0.1).tells == -1
    assert Change(0.5, 0.2, -0.4, 0.0).tells == 0
    assert Change(0.2, 0.5, 0.1, 0.4).tells == 1


SURE, OPEN, RISE, SMALL = (
    Change(0.5, 0.2, -0.4, -0.1),
    Change(0.5, 0.4, -0.4, 0.2),
    Change(0.2, 0.5, 0.1, 0.4),
    Change(0.2, 0.2, -0.01, 0.01),
)


@pytest.mark.parametrize(
    ("falls", "peak", "said", "words"),
    [
        (SURE, SURE, "lower", "holds no increase"),
        (SURE, OPEN, "lower", "holds no increase"),
        (SURE, RISE, "mixed", "no lower"),
        (OPEN, SURE, "peak", "only be put off"),
        (replace(OPEN, after=0.6), SURE, "peak", "put off rather than taken away"),
        (OPEN, OPEN, "unsure", "can't tell"),
        (RISE, SURE, "higher", "holds no decrease"),
        (SMALL, SMALL, "none", "next to no change"),
    ],
    ids=["lower", "lower open peak", "mixed", "peak", "put off", "unsure", "higher", "none"],
)
def test_a_verdict_claims_no_more_than_both_intervals_hold(falls, peak, said, words):
    made, known = burst()
    of = {"line": LINE, "rule": Rule("spread", 7), "since": made.at(28), "until": made.at(29), "end": made.at(38)}
    rows = pl.DataFrame([(LINE, made.at(28), 0.5, 0.2, -0.4, -0.1)], schema=REPLAY, orient="row")
    moved = pl.DataFrame([("c", made.at(28.5), made.at(30.5), LINE)], schema=MOVED, orient="row")
    what = Altered(known.messages, known.chats, known.chat_health, 2, moved)
    most = Most(made.at(28), 0.5, 0.5, "send_pace")
    model = Model(24, np.zeros(1), np.zeros((1, 1)), 5, 400.0)
    a = Asked(**of, newest=made.at(DAYS), fell=None, altered=what, found=Replayed(rows, falls, {LINE: peak}, {LINE: most}), model=model, settings=Settings())  # fmt: skip
    assert verdict(a) == said
    assert words in sentences(a)[3]
    assert verdict(replace(a, newest=made.at(30))) in (said if said in ("none", "higher") else "unsure")
    assert "1 waits 2 days" in sentences(a)[0]


def test_spells_are_held_as_they_stood():
    spells = health.spells(
        pl.DataFrame(
            {
                "line": [LINE, LINE],
                "changed_at": [World().at(5), World().at(9)],
                "previous_health": ["HEALTHY", "AT_RISK"],
                "new_health": ["AT_RISK", "HEALTHY"],
                "previous_status": [None, None],
                "new_status": [None, None],
            },
            schema_overrides={"previous_status": pl.String, "new_status": pl.String, "changed_at": pl.Datetime("ms")},
        )
    )
    stood = held(spells, World().at(7))
    assert stood.filter(pl.col("end_at").is_null())["state"].to_list() == ["AT_RISK"]
    assert stood["state"].to_list() == ["HEALTHY", "AT_RISK"]
