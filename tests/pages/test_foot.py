"""Under every card: the definition, the call and the query of its figures, and files that say what is in them."""

import json
import re
import shlex
import shutil
from datetime import date, datetime, timedelta
from decimal import Decimal
from io import BytesIO

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analysis import pipeline
from analysis.pages import _foot
from analysis.pages import _words as words
from analysis.pages._columns import COLUMNS, meaning
from analysis.pages._counted import HOW
from analysis.pages._counted_sql import SQL, literal
from analysis.pages._export import about, csv_bytes, json_bytes, parquet_bytes
from analysis.pages._store import Here
from tests.opening import ROOT, opened
from tests.pages.conftest import words_of
from tests.sweep import EVERY

EXTRA = {"bursts": {"first_hour_above"}, "every_burst": {"first_hour_above"}, "calendar": {"local"}}
"""Columns of a query beside those of its file: what it is sorted or grouped by."""
NONE_MOVED = "spread"
"""In the made-up fleet no pattern moves to another line: test_helped.py has one that does."""
PARTLY = ("plan", "replay", "settings", "helped", "effects", "spread")
"""The file holds what no query can give: the plan is computed by the call, and the store keeps no default of a setting."""
LINE = "+14155550101"
STRETCHED = ("bursts", "every_burst")
"""Their query lists runs of hours of the longest period; the page keeps those whose fullest stretch lies in the period shown."""


def replayed(store):
    """The address of a rule tried on the first line's last week with a fall, of a made-up fleet; nothing where it has no fall."""
    falls = [e for e in pipeline.explanations(store) if e.kind == "health" and e.previous == "HEALTHY"]
    if not falls:
        return {}
    end = date.fromisoformat(falls[0].at[:10])
    days = {"begin": f"{end - timedelta(days=6)}", "end": f"{end}"}
    return {"hist": words.line_key(falls[0].line), "rule": "spread", "n": "14", **days}


def addresses(store):
    """Every page with its choices; Why on a change of each cause, on a recovery, and on a change of status."""
    found, seen = words.by_line(pipeline.explanations(store)), set()
    yield "fleet", {}
    for line, own in found.items():
        for key, e in words.change_keys(own).items():
            kind = (e.kind, e.drivers[0].driver if words.worsened(e) else "")  # every one with $LINEHEALTH_EVERY=1
            if EVERY or kind not in seen:
                seen.add(kind)
                yield "why", {"line": words.line_key(line), "at": key}
    yield from (("replies", {"days": n}) for n in ("7", "14", "30"))
    yield from (("new", {"days": n}) for n in ("14", "30"))
    for query in ({}, {"period": "7 days"}, {"period": "All"}):
        yield "transitions", query
    yield from (("delivery", {"days": n}) for n in ("7", "30"))
    yield "ahead", replayed(store)
    yield from (("ahead", query) for query in ({}, {"may": "● Send", "find": "01", "new": "20", "days": "2"}))
    yield "data", {}
    yield "helped", {}
    states = pipeline.chat_states(store)
    for most in ("health_at", "failed", "unanswered"):
        chat = states.sort(most, "line", "chat_id", descending=True, nulls_last=True).row(0, named=True)
        yield "chat", {"line": words.line_key(chat["line"]), "chat": chat["chat_id"]}
        yield "chats", {"line": words.line_key(chat["line"]), "day": f"{chat['first_at']:%Y-%m-%d}"}


class Feet(list[_foot.Shown]):
    """What the feet of a store's pages were given, each card once for each query and call it showed."""

    def __init__(self, store, pages=None):
        cards: dict[tuple[str, str, str], _foot.Shown] = {}
        self.offered: dict[str, int] = {}
        """The least number of files that a page offers."""
        self.made: list[str] = []
        """What made a file though none was asked for."""
        draw = _foot._counted

        def note(card, here):
            cards[card.card, card.sql, card.call] = card
            draw(card, here)

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LINEHEALTH_STORE", str(store))
            patch.setattr(_foot, "_counted", note)
            for name in ("csv_bytes", "parquet_bytes", "json_bytes", "about"):
                patch.setattr(_foot, name, lambda *_, name=name: self.made.append(name))
            for page, query in pages or addresses(store):
                at = opened(page, query)
                assert not at.exception, (page, query)
                offered = len(at.get("download_button"))
                self.offered[page] = min(offered, self.offered.get(page, offered))
        super().__init__(cards.values())


def with_record(store, folder):
    """Return a copy of a store in which forecasts have been tried: the made-up fleet has too few falls for that."""
    kept = folder / "record.duckdb"
    shutil.copy(store, kept)
    tenths = [{"told": 0.01, "came": 0.0, "n": 40}, {"told": 0.31, "came": 0.275, "n": 40}]
    day = {"skill": 0.2, "calibration_error": 0.03, "reliability": tenths}
    three = {**day, "reliability": [{"told": 0.5, "came": 0.45, "n": 80}]}
    alert = {
        "level": 0.15,
        "in_force": True,
        "alerts": 22,
        "right": 14,
        "false": 8,
        "false_a_month": 0.91,
        "worsenings": 11,
    }
    alert |= {"told": 6, "lead_hours": 17.0, "precision": 14 / 22, "recall": 6 / 11}
    silent = {
        **alert,
        "level": 0.4,
        "in_force": False,
        "alerts": 0,
        "right": 0,
        "false": 0,
        "told": 0,
        "lead_hours": None,
    }
    record = {
        "worsenings": 11,
        "ticks": 80,
        "horizons": {"24": day, "72": three},
        "alarm": None,
        "alerts": [alert, silent],
    }
    with duckdb.connect(str(kept)) as con:
        held = json.loads(con.sql("select value from meta where key = 'ahead'").fetchall()[0][0])
        con.execute(
            "update meta set value = ? where key = 'ahead'",
            [json.dumps({**held, "record": record, "tried": {"worsenings": 11, "weeks": 8}})],
        )
    line, at = pipeline.transitions(store).filter("worsening").select("line", "at").row(0)
    pipeline.add_action("slower", line=line, at=at + timedelta(hours=9), label="half pace", store=kept)
    pipeline.add_action("deploy", at=at - timedelta(days=3), store=kept)
    return kept


@pytest.fixture(scope="module")
def full_store(demo_store, tmp_path_factory):
    """The made-up fleet with a record of its forecasts."""
    return with_record(demo_store, tmp_path_factory.mktemp("record"))


@pytest.fixture(scope="module")
def shown(full_store):
    return Feet(full_store)


@pytest.fixture(scope="module")
def shown_with_gaps(store_with_gaps):
    """Each page once: its other choices are those of the made-up fleet."""
    return Feet(store_with_gaps, dict(addresses(store_with_gaps)).items())


def rows_of(frame, columns):
    """Return the rows of some columns, comparable and in one order."""

    def plain(v):
        return round(float(v), 6) if isinstance(v, int | float | Decimal) and not isinstance(v, bool) else v

    return sorted(([plain(v) for v in row] for row in frame.select(columns).iter_rows()), key=str)


def assert_queries_give_the_files(shown, store):
    with duckdb.connect(str(store), read_only=True) as con:
        for s in shown:
            result = con.sql(s.sql).pl()
            columns = [c for c in result.columns if c not in EXTRA.get(s.card, ())]
            ours, theirs = (
                (rows_of(f, columns) for f in (s.frame, result))
                if s.card not in PARTLY
                else ([], rows_of(result, columns))
            )
            if s.card == "plan":
                assert set(s.frame["line"]) <= set(
                    result["line"]
                )  # the call gives the plan: the query what it starts from
                left = s.frame.filter(pl.col("day_ahead") == 0).join(result, on="line")
                assert (left["new_recipients"] <= left["new_recipients_left_today"]).all()
            elif s.card == "replay":
                assert result["hour_utc"].is_in(s.frame["hour_utc"].implode()).all()  # what the rule starts from
                assert result["new_conversations"].sum() > 0
            elif s.card in ("helped", "effects"):  # the call gives the verdicts: the query what was recorded
                ours = rows_of(s.frame.filter(pl.col("recorded_by") != "found").unique("action_id"), columns)
                assert all(row in theirs for row in ours), s.card
                assert ours == theirs or s.card == "effects"
            elif s.card == "spread":  # the call gives who took over: the query what it is told from
                assert set(s.frame["to_line"]) <= set(result["line"])
            elif s.card == "settings":
                ours = rows_of(s.frame.filter("changed"), columns)  # the store keeps no default
                assert ours == theirs, (s.card, s.name)
            elif s.card in STRETCHED:
                assert all(row in theirs for row in ours), (s.card, s.name)
            else:
                assert ours == theirs, (s.card, s.name)


def test_every_query_gives_the_rows_of_its_file(shown, shown_with_gaps, full_store, store_with_gaps):
    assert_queries_give_the_files(shown, full_store)
    assert_queries_give_the_files(shown_with_gaps, store_with_gaps)
    every = [*shown, *shown_with_gaps]
    most = {card: max(s.frame.height for s in every if s.card == card) for card in HOW if card != NONE_MOVED}
    assert min(most.values()) > 0, most


def test_queries_look_back_as_far_as_the_page_does_and_cut_days_in_its_zone(tables):
    """A line whose pace fell twice, so that a usual of a day more or less is another; then a burst, and a fall."""
    start, rows = datetime(2026, 3, 1), []
    for day in range(52):
        pace = 40 if day == 50 else 1 + (7 * day) % 11
        for n in range(pace):
            at = start + timedelta(days=day, hours=8, minutes=12 * n)
            rows.append(f"s{day}-{n},{LINE},c{day}-{n},outbound,{at:%Y-%m-%dT%H:%M:%SZ}\n")
            if day != 50 and n % 3:
                rows.append(f"r{day}-{n},{LINE},c{day}-{n},inbound,{at + timedelta(minutes=9):%Y-%m-%dT%H:%M:%SZ}\n")
    made = tables("".join(rows), f"{LINE},2026-04-20T20:00:00Z,HEALTHY,AT_RISK\n")
    pipeline.set_setting("timezone", "America/New_York", store=made)
    cards = Feet(made)
    assert {"burst", "bursts", "burst_gaps", "calendar", "opened", "chats_on"} <= {s.card for s in cards}
    assert [s.frame.filter("changed")["setting"].to_list() for s in cards if s.card == "settings"] == [["timezone"]]
    usual = [s.frame["usual_day"].item() for s in cards if s.card == "bursts"]
    assert min(usual) > 1
    assert_queries_give_the_files(cards, made)


def test_every_card_that_is_explained_is_on_a_page_and_has_a_query(shown):
    assert {s.card for s in shown} == set(HOW) == set(SQL)


def test_the_call_under_the_plan_gives_the_plan_that_is_shown(shown, full_store, command, monkeypatch):
    monkeypatch.setenv("LINEHEALTH_STORE", str(full_store))
    plans = [s for s in shown if s.card == "plan"]
    assert len({s.call for s in plans}) == 2
    for s in plans:
        _, out, _ = command(*shlex.split(s.call)[1:])
        told = json.loads(out)
        ours = s.frame.select("day_ahead", "line", "new_recipients").rows()
        assert ours == [(r["day"], r["line"], r["new_recipients"]) for r in told["rows"]]


def test_the_call_under_a_rule_gives_the_hours_that_are_shown_and_moves_what_its_query_counts(
    shown, full_store, command, monkeypatch
):
    monkeypatch.setenv("LINEHEALTH_STORE", str(full_store))
    (s,) = (s for s in shown if s.card == "replay")
    _, out, _ = command(*shlex.split(s.call)[1:])
    told = json.loads(out)
    assert [r["p_after"] for r in told["rows"]] == pytest.approx(s.frame["p_with_rule"].to_list())
    with duckdb.connect(str(full_store), read_only=True) as con:
        assert con.sql(s.sql).pl()["new_conversations"].sum() == told["opened"] > 0


def test_every_call_that_a_card_names_gives_something(
    shown, shown_with_gaps, full_store, store_with_gaps, command, monkeypatch
):
    gaps = [s.call for s in shown_with_gaps if s.card == "deliveries"]
    calls = [
        (full_store, s.call) for s in {s.card: s for s in shown if s.card not in ("deliveries", NONE_MOVED)}.values()
    ]
    for store, call in sorted({*calls, (store_with_gaps, gaps[0])}, key=str):
        monkeypatch.setenv("LINEHEALTH_STORE", str(store))
        if call.startswith("linehealth "):
            code, out, _ = command(*shlex.split(call)[1:])
            assert code == 0, call
            assert json.loads(out), call
        else:
            imported, verb = call.split("; ")
            names: dict = {}
            exec(imported, names)
            assert len(eval(verb, names)) > 0, call


def test_every_column_of_every_file_is_in_the_dictionary(shown):
    used = {c for s in shown for c in s.frame.columns}
    assert {c for c in used if not meaning(c)[0]} == set()
    stems = {c.removesuffix(ending) for c in used for ending in ("", "_now", "_before")}
    assert set(COLUMNS) - stems == set()  # and nothing is explained that no file has


def test_names_of_files_say_page_card_line_and_period(shown):
    names = {s.card: s.name for s in shown}
    assert re.fullmatch(r"linehealth-fleet-causes-\d{4}-\d\d-\d\d-to-\d{4}-\d\d-\d\d", names["causes"])
    assert re.fullmatch(r"linehealth-why-lanes-\d{11}-\d{4}-\d\d-\d\d-to-\d{4}-\d\d-\d\d", names["lanes"])
    assert re.fullmatch(r"linehealth-why-evidence-\d{11}-\d{4}-\d\d-\d\d", names["evidence"])
    of_query = {s.sql: s.name for s in shown if s.card == "replies"}
    assert len(set(of_query.values())) == len(of_query) == 3


def test_files_hold_the_rows_what_they_mean_and_the_settings(demo_store):
    here = Here(demo_store, "fingerprint", pipeline.status(demo_store), pipeline.settings(demo_store), "light")
    frame = pl.DataFrame(
        {"line": ["+1", "+2"], "start_utc": [datetime(2026, 3, 1, 4, 5, 6, 789_000), None], "sends": [3, 4]},
        schema_overrides={"start_utc": pl.Datetime("ms")},
    )
    told = about("log", HOW["log"].title, HOW["log"].words, "select 1", frame, here)
    assert csv_bytes(frame).decode().splitlines()[1:] == ["+1,2026-03-01T04:05:06.789,3", "+2,,4"]
    packed = BytesIO(parquet_bytes(frame, told))
    assert_frame_equal(pl.read_parquet(packed), frame)
    packed.seek(0)
    kept = json.loads(pl.read_parquet_metadata(packed)["linehealth"])
    whole = json.loads(json_bytes(frame, told))
    assert whole["rows"][0] == {"line": "+1", "start_utc": "2026-03-01T04:05:06.789000", "sends": 3}
    for file in (kept, whole):
        assert file["columns"]["sends"] == {"type": "Int64", "meaning": meaning("sends")[0], "unit": "messages"}
        assert file["settings"]["reply_window_hours"] == here.settings.reply_window_hours
        assert file["store"] == {"fingerprint": "fingerprint", "as_of": here.status["as_of"]}
        assert file["sql"] == "select 1"


def test_no_file_is_made_until_it_is_asked_for(shown):
    assert shown.made == []
    assert set(shown.offered) == {page.stem for page in (ROOT / "analysis" / "pages").glob("[!_]*.py")}
    few = {"chat": 0, "chats": 3}  # of a day there is one card; a chat's own are those of its line
    assert {page for page, n in shown.offered.items() if n < few.get(page, 9)} == set()


def test_text_in_a_query_cannot_end_its_quotes():
    with duckdb.connect() as con:
        for value in ("o'hara", "'; drop table x; --", datetime(2026, 3, 1, 4, 5, 6, 7000), date(2026, 3, 1), 3, 0.25):
            assert con.sql(f"select {literal(value)}").fetchall() == [(value,)]


def test_the_address_tells_that_the_made_up_fleet_is_shown_on_whatever_page_one_comes_to(demo_store, monkeypatch):
    monkeypatch.setenv("LINEHEALTH_STORE", str(demo_store.with_name("own.duckdb")))
    for page in ("fleet", "why", "replies", "new", "transitions", "ahead", "delivery", "chats", "data"):
        at = opened(page, session={"store": "demo"})
        assert not at.exception
        assert at.query_params["store"] in ("demo", ["demo"])
        assert "Nothing is loaded yet" not in words_of(at)


def test_a_switch_stands_in_the_address_and_stays_on_until_it_is_turned_off(open_app, tables):
    lines = [f"+1415555{n:04d}" for n in range(25)]
    made = tables(changes="".join(f"{line},2026-03-10T12:00:00Z,HEALTHY,AT_RISK\n" for line in lines))

    def listed(at):
        return sum("lh-need" in h.proto.body for h in at.get("html") if "<style>" not in h.proto.body)

    at = open_app(made)
    assert listed(at) == 20
    at.toggle(key="all_needs").set_value(True).run()
    assert listed(at) == 25
    at.run()
    assert listed(at) == 25
    assert at.query_params["all_needs"] in ("1", ["1"])
    assert listed(open_app(made, all_needs="1")) == 25
    at.toggle(key="all_needs").set_value(False).run()
    assert listed(at) == 20
    assert "all_needs" not in at.query_params
