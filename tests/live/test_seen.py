"""What a pull keeps of people (nothing), and what it makes of a line's health as the API shows it."""

import json
import logging
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from analysis import pipeline
from analysis.pipeline.spool import Spool
from tests import events
from tests.live import fake_linq, faults
from tests.live.fake_linq import KEY, START, Fake, Faults


def pulled(store: Path, fake: Fake, **more: object) -> pipeline.PullReport:
    return pipeline.pull(store, api=faults.api(fake), **more)  # type: ignore[arg-type]


def rows(store: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(store), read_only=True) as con:
        return con.execute(sql).fetchall()


class TestNothingOfPeople:
    def test_no_text_name_handle_or_key_is_kept_told_or_logged(self, tmp_path, monkeypatch, command, caplog):
        made = fake_linq.world(1, lines=1, chats=5, messages=5)
        told_in_ids = made.add_chat(made.lines[0]["phone_number"], "+12065557777", START, chat_id="SMS;-;+12065557777")
        made.add_message(told_in_ids, START, out=True)
        made.messages[told_in_ids][0]["service"] = {"odd": fake_linq.TEXTS[0]}
        store = tmp_path / "store.duckdb"
        secrets = {*made.secrets(), KEY}
        caplog.set_level(logging.DEBUG)
        fake = Fake(made, Faults(3, limited=0.1, broken=0.1, cut=0.1))
        monkeypatch.setenv("LINQ_API_V3_API_KEY", KEY)
        monkeypatch.setenv("LINEHEALTH_PULL_RATE", "50")
        spooled = []
        monkeypatch.setattr(Spool, "clear", lambda spool: spooled.append(spool.path.read_text()) or spool.path.unlink(missing_ok=True))  # fmt: skip
        with faults.served(fake) as address:
            monkeypatch.setenv("LINQ_API_V3_BASE_URL", address)
            texts = [
                *command("pull", "--store", store)[1:],
                *command("pull", "--json", "--dry-run", "--store", store)[1:],
            ]
            fake.forbidden = True
            texts += command("pull", "--store", store)[1:]
        assert "rows new" in texts[0]
        assert json.loads(texts[2])["dry_run"] is True
        assert "no right" in texts[5]
        assert len(spooled[0]) > 2000
        kept = "\n".join(str(v) for v in faults.content(store).values())
        everything = "\n".join([*texts, *spooled, kept, caplog.text])
        assert not {s for s in secrets if s.lower() in everything.lower()}
        raw = store.read_bytes()
        assert not {s for s in secrets if s.encode() in raw}
        assert len(rows(store, "select 1 from chats where recipient like 'p_%'")) > 2


class TestHealthAsSeen:
    def test_a_first_look_is_how_things_stand_and_a_change_comes_between_two(self, store):
        made = fake_linq.world(2, lines=1, chats=3, messages=4)
        made.lines[0]["reputation"]["status"] = "HEALTHY"
        line = made.lines[0]["phone_number"]
        pulled(store, Fake(made))
        assert pipeline.transitions(store).is_empty()
        (spell,) = pipeline.spells(store).to_dicts()
        assert (spell["state"], spell["start_at"], spell["end_at"]) == ("HEALTHY", None, None)
        made.lines[0]["reputation"]["status"] = "AT_RISK"
        pulled(store, Fake(made))
        (change,) = pipeline.transitions(store).to_dicts()
        looks = rows(store, "select observed_at, health from observation order by 1")
        assert [h for _, h in looks] == ["HEALTHY", "AT_RISK"]
        assert (change["line"], change["at"], change["previous"], change["new"]) == (line, looks[1][0], "HEALTHY", "AT_RISK")  # fmt: skip
        (e,) = pipeline.explanations(store)
        between = f"between {pipeline.iso(looks[0][0])} and {pipeline.iso(looks[1][0])}"
        assert [n for n in e.notes if between in n]

    def test_a_report_that_comes_later_tells_the_time_better(self, store, write):
        made = fake_linq.world(2, lines=1, chats=3, messages=4)
        line = made.lines[0]["phone_number"]
        for health in ("HEALTHY", "AT_RISK"):
            made.lines[0]["reputation"]["status"] = health
            pulled(store, Fake(made))
        looks = rows(store, "select observed_at from observation order by 1")
        true = looks[0][0] + (looks[1][0] - looks[0][0]) / 2
        told = events.changed(0, "HEALTHY", "AT_RISK", line=line)
        told["data"]["changed_at"] = fake_linq.iso(true)
        pipeline.load(write("log.jsonl", [told]), store=store)
        (change,) = pipeline.transitions(store).to_dicts()
        assert abs(change["at"] - true) < timedelta(milliseconds=2)
        (e,) = pipeline.explanations(store)
        assert not [n for n in e.notes if "a pull saw it" in n]

    @pytest.mark.usefixtures("facts_only")
    def test_an_unknown_or_missing_word_is_no_health(self, store):
        made = fake_linq.world(2, lines=3, chats=1, messages=2)
        made.lines[0]["reputation"] = {"status": "GREAT"}
        made.lines[1] |= {"reputation": None, "health_status": None}
        made.lines[2] |= {"reputation": None, "health_status": {"status": "at_risk"}}
        assert list(pulled(store, Fake(made)).health.values()) == [None, None, "AT_RISK"]
        assert rows(store, "select health from observation") == [("AT_RISK",)]
