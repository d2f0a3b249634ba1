"""A late event makes those explanations again that rest on it: of its own line, and of others where what all lines share is not what it was."""

import shutil
from dataclasses import replace
from datetime import timedelta

import duckdb
import msgspec
import numpy as np
import polars as pl
import pytest

from analysis import pipeline
from analysis.explain import cases, verdict
from analysis.explain.attribution import Scale, Scales
from analysis.explain.baseline import FIXED, Fleet, FleetSums
from analysis.explain.change import Change
from analysis.explain.constants import DAY, KINDS
from analysis.explain.drift import Lesson, ScoringChanges
from analysis.explain.quiet import WIDTH, KnownQuietTimes
from analysis.explain.standing import Kept, Standing
from analysis.settings import Settings
from analysis.store import asked
from tests.explain.builders import World, share
from tests.explain.stores import stored
from tests.store.refreshing import fleet_store, same_as_in_full
from tests.sweep import EVERY

HOUR = timedelta(hours=1)
TIMES = pl.col(pl.Datetime).dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")


@pytest.fixture(scope="module", params=[5, 21, 34] if EVERY else [5])
def seven_weeks(request, tmp_path_factory):
    return fleet_store(tmp_path_factory.mktemp("standing"), lines=10, days=50, seed=request.param)


@pytest.fixture
def measured(monkeypatch):
    """The changes that are measured."""
    found = []

    def case_of(change, *rest, _of=cases.case_of):
        found.append(change)
        return _of(change, *rest)

    monkeypatch.setattr(cases, "case_of", case_of)
    return found


@pytest.fixture
def told_again(monkeypatch):
    """Explanations that stand, as they were and as they are told now."""
    found = []

    def retold(e, change, *rest, _of=verdict.retold):
        now = _of(e, change, *rest)
        found.append((e, now))
        return now

    monkeypatch.setattr(verdict, "retold", retold)
    return found


def loaded(store, tmp_path, rows):
    path = tmp_path / "late.csv"
    rows.with_columns(TIMES).write_csv(path)
    report = pipeline.load([path], store=store)
    assert report.totals["read"] == rows.height
    assert report.totals["quarantined"] == report.totals["ignored"] == 0


def answered(store, line, at):
    """One send in a chat of its own, and its answer."""
    rows = [("late-1", line, "late", "outbound", at), ("late-2", line, "late", "inbound", at + HOUR)]
    names = ["message_id", "line", "chat_id", "direction", "sent_at"]
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(service=pl.lit("iMessage"))


def failed(store, line, at):
    """The first sends of a line since a time: all of them failed, as is known only now."""
    with duckdb.connect(str(store), read_only=True) as con:
        sql = "select message_id, line, chat_id, direction, sent_at from message where line = ? and sent_at >= ? and direction = 'outbound' and delivered_at is null and read_at is null and failed_at is null order by sent_at limit 2"
        rows = con.sql(sql, params=[line, at]).pl()
    assert rows.height == 2
    return rows.with_columns(failed_at=pl.col("sent_at") + HOUR, failure_code=pl.lit("4001"))


def ill(store, line, at):
    """A chat that left, as is known only now."""
    with duckdb.connect(str(store), read_only=True) as con:
        sql = "select chat_id, line from message where line = ? and sent_at < ? and direction = 'inbound' order by sent_at desc limit 1"
        rows = con.sql(sql, params=[line, at]).pl()
    assert rows.height == 1
    return rows.with_columns(health=pl.lit("OPTED_OUT"), health_updated_at=pl.lit(at))


@pytest.mark.parametrize("of", [answered, failed, ill])
@pytest.mark.parametrize("which", [2, 4] if EVERY else [2])
def test_what_comes_late_is_told_as_if_it_had_been_there(seven_weeks, tmp_path, measured, told_again, of, which):
    store = shutil.copy(seven_weeks, tmp_path / "store.duckdb")
    changes, line = pipeline.transitions(store), pipeline.lines(store)["line"][which]
    late = changes["at"].sort()[changes.height // 3]
    loaded(store, tmp_path, of(store, line, late))
    again = changes.filter(pl.col("at") >= late)
    others = again.filter(pl.col("line") != line)
    mine = {change.at // 1000 for change in measured if change.line == line}
    settled = again.filter(pl.col("line") == line, pl.col("at") > late + timedelta(days=2))
    assert {int(at.timestamp()) for at in settled["at"].dt.replace_time_zone("UTC")} <= mine
    assert others.height >= 7
    if of is answered:  # one message among many: few of the others' explanations rest on it
        assert len({change.key for change in measured if change.line != line}) < others.height
        assert len(told_again) > 0
    assert same_as_in_full(store, tmp_path) == []


def test_what_stands_tells_how_the_other_lines_did_as_it_is_known_now(seven_weeks, tmp_path, told_again):
    store = shutil.copy(seven_weeks, tmp_path / "store.duckdb")
    compared = [e for e in pipeline.explanations(store) if e.peers is not None]
    line = next(line for line in pipeline.lines(store)["line"] if line != compared[-1].line)
    since = pl.Series([compared[-1].peers["since"]]).str.to_datetime(time_zone="UTC").dt.replace_time_zone(None)[0]
    loaded(store, tmp_path, answered(store, line, since - timedelta(days=3)))
    more = [(was, now) for was, now in told_again if was.line != line and was.peers != now.peers]
    assert len(more) >= 1
    kept = {(e.line, e.at, e.kind): e for e in pipeline.explanations(store)}
    for was, now in more:
        for which, one in (("peers_asks", 1), ("peers_answered", 1), ("own_asks", 0)):
            told = [sum(e.peers[f"{which}_{word}"] for word in ("before", "after")) for e in (was, now)]
            assert told[1] - told[0] == one
        assert kept[was.line, was.at, was.kind].peers == now.peers


@pytest.fixture
def outage(tmp_path):
    """Four lines without receipts for five hours, and the changes of one in and after them; and the receipts of the other three."""
    world = World(2)
    for i in range(1, 5):
        world.steady(f"+{i}", days=42)
    a, b = world.at(40.45), world.at(40.45) + 5 * HOUR
    gone = []
    for m in world.messages:
        if a <= m["at"] < b and m["delivered_at"] is not None:
            gone.append(dict(m))
            m["delivered_at"] = None
    store = stored(world.turn("+1", 41.1), tmp_path)
    late = pl.DataFrame([m for m in gone if m["line"] != "+1"]).select(
        "message_id", "line", "chat_id", "direction", "delivered_at", "service", sent_at="at"
    )
    assert late.height > 20
    return store, late


def test_receipts_of_other_lines_that_come_late_show_that_one_line_s_were_its_own(outage, tmp_path, measured):
    store, receipts = outage
    (e,) = pipeline.explanations(store)
    assert share(e, "deliverability") < 0.2
    measured.clear()
    loaded(store, tmp_path, receipts.cast({"sent_at": pl.Datetime("ms"), "delivered_at": pl.Datetime("ms")}))
    (e,) = pipeline.explanations(store)
    assert e.drivers[0].driver == "deliverability"
    assert [change.line for change in measured] == ["+1"]
    assert same_as_in_full(store, tmp_path) == []


# ---------------------------------------------------------------------- which changes, by hand


def change(line, day, **more):
    return replace(Change(line, day * DAY, "health", "HEALTHY", "AT_RISK", True, False), **more)


def sums(rates):
    """Sums of days 0 to 79, with answers of openers at these rates by day; 1,000 a day."""
    counts = np.zeros((80, FIXED))
    counts[:, 0], counts[:, 2 * len(KINDS)] = 1000, 1000
    counts[:, len(KINDS)] = [round(1000 * rates(day)) for day in range(80)]
    return FleetSums(0, [], counts, np.zeros((80, 26)))


def standing(changes, *, begins=None, were=None, was=lambda day: 0.5, now=lambda day: 0.5, lessons=(), quiet=None):
    firsts = dict.fromkeys(("+1", "+2", "+3"), 0)
    kept = Kept(begins or {}, changes if were is None else were, firsts, sums(was), quiet or {}, list(lessons))
    return Standing(kept, changes, sorted(firsts), Fleet(sums(now), Settings()), Settings())


CHANGES = [change("+1", 30), change("+2", 40), change("+1", 50), change("+2", 60)]


def test_a_line_s_own_news_make_its_later_changes_due():
    assert standing(CHANGES, begins={"+1": 45 * DAY}).due() == {CHANGES[2]}
    assert standing(CHANGES, begins={"+1": 50 * DAY}).due() == {CHANGES[2]}
    assert standing(CHANGES, begins={"+1": 50 * DAY + 1}).due() == frozenset()


def test_a_change_that_was_not_there_is_due():
    assert standing(CHANGES, were=CHANGES[:3]).due() == {CHANGES[3]}


def test_what_follows_in_the_same_spell_is_due_with_its_beginning():
    worse, well = (
        change("+1", 31, previous="AT_RISK", new="CRITICAL"),
        change("+1", 32, previous="CRITICAL", new="HEALTHY", worsening=False),
    )
    changes = [CHANGES[0], worse, well, CHANGES[2]]
    assert standing(changes, were=changes[1:]).due() == {CHANGES[0], worse, well}


def test_pooled_rates_in_other_steps_make_the_changes_of_their_days_due_on_every_line():
    begins = {"+3": 20 * DAY}
    assert standing(CHANGES, begins=begins, now=lambda day: 0.5 + 0.001 * (day == 20)).due() == frozenset()
    late = standing(CHANGES, begins=begins, now=lambda day: 0.5 + 0.4 * (day == 42))
    assert late.due() == {CHANGES[2], CHANGES[3]}  # from when the reply window of that day has passed


def test_a_change_of_scoring_that_shows_otherwise_makes_changes_due():
    def lesson(i, unexplained=0.9):
        return Lesson(f"+{i}", (59 + i // 4) * DAY, "health", np.zeros(WIDTH), unexplained)

    then = [lesson(i) for i in range(3)]
    found = standing(CHANGES, begins={"+7": 10 * DAY}, lessons=then)
    starts = {f"+{i}": 0 for i in range(8)}
    told = [(one.at, one.line, one.unexplained) for one in (lesson(i) for i in range(8))]
    now = ScoringChanges(told, starts)
    assert now.at(60 * DAY) is not None
    assert now.at(50 * DAY) is None
    assert found.drifted(frozenset(), now) == {CHANGES[3]}
    assert found.drifted(frozenset({CHANGES[3]}), now) == frozenset()


def points(**more):
    """Quiet times of three lines, every other day of a month: nothing out of the usual; but on some days of the third."""
    days = np.arange(10, 40, 2)
    found = {line: (days, np.zeros((len(days), WIDTH))) for line in ("+1", "+2", "+3")}
    for day, effects in more.items():
        found["+3"][1][(int(day[1:]) - 10) // 2, : len(effects)] = effects
    return found


def on_another_scale(now, then):
    found = standing(CHANGES, begins={"+7": 10 * DAY}, quiet=then)
    scales = Scales(KnownQuietTimes(now, {}), [])
    return found.on_another_scale(frozenset(), scales, now, {}), found.rescaled


def test_a_quiet_time_that_moves_no_unit_is_told_of_again_where_it_counts():
    due, rescaled = on_another_scale(points(d12=[0.001]), points())
    assert due == frozenset()
    assert rescaled == set(CHANGES)  # within 60 days, and more than a week before each
    assert on_another_scale(points(d38=[0.001]), points())[1] == {CHANGES[2], CHANGES[3]}
    assert on_another_scale(points(), points()) == (frozenset(), frozenset())


def test_quiet_times_that_move_a_unit_make_changes_due():
    much = {f"d{day}": [2.0] for day in range(10, 40, 2)}
    due, rescaled = on_another_scale(points(**much), points())
    assert due == set(CHANGES)
    assert rescaled == frozenset()


def test_how_often_quiet_times_had_as_much_pressure_is_told_again(seven_weeks):
    e = next(e for e in pipeline.explanations(seven_weeks) if e.drivers[-1].evidence.get("quiet_times"))
    scale = Scale(quiet=np.array([0.0, 1e9]), counts=np.array([1.0, 1.0]))
    now = verdict.retold(e, CHANGES[0], None, scale, None)
    told = next(d for d in now.drivers if d.driver == "unexplained").evidence
    assert (told["quiet_times"], told["quiet_share"]) == (2, round(2 / 3, 4))
    assert replace_drivers(now, e) == e


def replace_drivers(one, other):
    return msgspec.structs.replace(one, drivers=other.drivers)


def test_what_is_later_than_every_change_looks_for_no_lost_receipts(seven_weeks, tmp_path, monkeypatch):
    store = shutil.copy(seven_weeks, tmp_path / "store.duckdb")
    before, line = pipeline.explanations(store), pipeline.lines(store)["line"][2]
    later = pipeline.lines(store)["last_at"].max() + HOUR
    with duckdb.connect(str(store), read_only=True) as con:
        sql = (
            "select chat_id from message where line = ? and delivered_at is not null and direction = 'outbound' limit 1"
        )
        ((chat,),) = con.execute(sql, [line]).fetchall()  # a receipt is expected of a send in it
    monkeypatch.setattr(asked, "sends_between", lambda *_: pytest.fail("read the sends of all lines"))
    loaded(store, tmp_path, answered(store, line, later).with_columns(chat_id=pl.lit(chat)))
    assert pipeline.explanations(store) == before
