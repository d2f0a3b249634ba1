"""`linehealth audit`: the vendor's answer is archived before it is forgotten, by the vendor's rules, without a word of its text."""

import asyncio
import json
import shutil
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from analysis import pipeline
from analysis.errors import LiveError, StoreError, UsageError
from analysis.live import look_at_audit
from analysis.pipeline import asking
from analysis.pipeline.spool import Spool
from analysis.store import Store, pulled
from tests.explain.planted import burst
from tests.explain.stores import stored
from tests.live import fake_linq, faults
from tests.live.fake_linq import KEY, Fake, Faults, World

LINE = "+1"


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("LINEHEALTH_KEY", "a key that only the tests use")
    store = stored(burst(1), tmp_path_factory.mktemp("asked") / "s")
    patch.undo()
    return store


@pytest.fixture
def store(template, tmp_path) -> Path:
    """A line with a burst of openers before its worsening."""
    return Path(shutil.copy(template, tmp_path / "store.duckdb"))


@pytest.fixture
def fake(template, monkeypatch) -> Fake:
    """The API of an account with that line and one that the store does not know, at the time of the worsening."""
    with duckdb.connect(str(template), read_only=True) as con:
        (fell,) = con.execute("select max(changed_at) from transition where worsening").fetchone() or (None,)
    made = World()
    for line in (LINE, "+14155559999"):
        made.add_line(line, "AT_RISK")
    told = Fake(made)
    told.clock = fell + timedelta(hours=6)  # type: ignore[attr-defined]
    told.now = lambda: told.clock  # type: ignore[attr-defined]
    monkeypatch.setattr(asking, "now", lambda: told.clock)  # type: ignore[attr-defined]
    return told


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    real = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda seconds: real(min(seconds, 0.01)))


def audit(store: Path, fake: Fake, line: str | None = LINE) -> list[pipeline.AuditOutcome]:
    return pipeline.audit(store, line=line, api=faults.api(fake))


def kept(store: Path) -> list[tuple]:
    with duckdb.connect(str(store), read_only=True) as con:
        return con.execute("select line, status, document is not null, requested_at, answered_at from audit").fetchall()


def asked(fake: Fake) -> int:
    return len([c for c in fake.calls if c.startswith("POST")])


class TestArchive:
    def test_the_answer_stands_beside_the_explanation(self, store, fake):
        fake.faults = Faults(2, limited=0.1, broken=0.1, cut=0.1)
        (outcome,) = audit(store, fake, None)
        assert (outcome.status, outcome.severity) == ("complete", "AT_RISK")
        assert outcome.drivers == ("new_conversation_rate", "overall_conversation_health")
        (e,) = pipeline.explanations(store, line=LINE)
        assert e.agreement["audit_id"] == outcome.audit_id
        assert e.agreement["main"] == "agree"
        assert kept(store) == [(LINE, "complete", True, fake.clock, fake.clock)]
        assert not list(Spool(Store(store)).folder.glob("*.jsonl"))

    def test_a_month_is_a_row_of_the_agreement(self, store, fake, command):
        audit(store, fake)
        months = pipeline.agreement(store, monthly=True)
        assert months["month"].unique().to_list() == [f"{fake.clock:%Y-%m}"]
        assert months.drop("month").equals(pipeline.agreement(store))
        assert months["agree"].sum() == 1
        code, out, _ = command("agreement", "--monthly", "--json", "--store", store)
        assert (code, [r["agree"] for r in json.loads(out) if r["vendor_driver"] == "new_conversation_rate"]) == (
            0,
            [1],
        )
        assert pipeline.agreement(store, line="+1999", monthly=True).is_empty()

    def test_no_word_of_the_answer_is_kept_or_told(self, store, fake, command, monkeypatch, caplog):
        monkeypatch.setenv("LINQ_API_V3_API_KEY", KEY)
        with faults.served(fake) as address:
            monkeypatch.setenv("LINQ_API_V3_BASE_URL", address)
            code, out, err = command("audit", "--store", store, "--json")
        assert (code, err) == (0, "")
        assert json.loads(out)[0]["status"] == "complete"
        secrets = {*fake_linq.TEXTS, *fake_linq.NAMES, *fake_linq.MAILS, KEY, "214 new"}
        everything = "\n".join([out, caplog.text, *(str(v) for v in faults.content(store).values())])
        assert not {s for s in secrets if s.lower() in everything.lower()}
        assert not {s for s in secrets if s.encode() in store.read_bytes()}

    @pytest.mark.usefixtures("facts_only")
    def test_an_audit_that_the_vendor_could_not_make_is_an_error_not_a_crash(self, store, fake):
        fake.audit_answer = lambda line: {"status": "error", "error": f"{fake_linq.TEXTS[1]}"}
        (outcome,) = audit(store, fake)
        assert (outcome.status, outcome.drivers) == ("error", ())
        assert [row[1] for row in kept(store)] == ["error"]


@pytest.mark.usefixtures("facts_only")
class TestRules:
    def test_the_id_is_kept_before_the_first_look(self, store, fake):
        trouble = fake._trouble

        def dead():
            if asked(fake):
                raise faults.Killed
            return trouble()

        fake._trouble = dead  # type: ignore[method-assign]
        with pytest.raises(faults.Killed):
            audit(store, fake)
        assert [row[:3] for row in kept(store)] == [(LINE, "pending", False)]
        fake._trouble = trouble  # type: ignore[method-assign]
        assert audit(store, fake)[0].status == "complete"
        assert asked(fake) == 1
        assert [row[1] for row in kept(store)] == ["complete"]

    def test_the_id_is_kept_even_while_another_process_writes_the_store(self, store, fake, monkeypatch):
        def busy(*args):
            raise StoreError("another load or refresh is writing this store")

        async def dead(*args):
            raise faults.Killed

        with monkeypatch.context() as patch:
            patch.setattr(pulled, "keep_asked", busy)
            patch.setattr(asking, "look_at_audit", dead)
            with pytest.raises(faults.Killed):
                audit(store, fake)
        assert kept(store) == []
        assert audit(store, fake)[0].status == "complete"
        assert asked(fake) == 1

    def test_an_audit_that_takes_longer_goes_on_next_time(self, store, fake):
        pipeline.set_setting("audit_wait_minutes", "0", store=store)
        fake.audit_takes = 4
        states = [audit(store, fake)[0].status for _ in range(4)]
        assert states == ["pending", "pending", "pending", "complete"]
        assert asked(fake) == 1

    def test_a_cooldown_says_when_to_come_back_and_is_not_waited_for(self, store, fake, command, monkeypatch):
        audit(store, fake)
        fake.clock += timedelta(minutes=10)
        calls = len(fake.calls)
        (outcome,) = audit(store, fake)
        assert outcome.status == "cooldown"
        assert outcome.again_at == pipeline.iso(fake.clock + timedelta(minutes=50))
        assert "in 50 min" in outcome.reason
        assert len(fake.calls) == calls + 1
        assert [row[1] for row in kept(store)] == ["complete"]

    def test_after_24_hours_an_answer_is_lost_and_a_new_audit_is_asked_for(self, store, fake):
        pipeline.set_setting("audit_wait_minutes", "0", store=store)
        fake.audit_takes = 2
        assert audit(store, fake)[0].status == "pending"
        next(iter(fake.audits.values()))["looks"] = 2
        fake.clock += timedelta(hours=24)
        pipeline.set_setting("audit_wait_minutes", "5", store=store)
        assert audit(store, fake)[0].status == "complete"
        assert sorted(row[1] for row in kept(store)) == ["complete", "lost"]
        assert asked(fake) == 2

    def test_an_answer_that_the_vendor_no_longer_has_is_lost(self, store, fake, monkeypatch):
        async def gone(client, line, audit_id):
            fake.audits.clear()
            return await look_at_audit(client, line, audit_id)

        monkeypatch.setattr(asking, "look_at_audit", gone)
        (outcome,) = audit(store, fake)
        assert (outcome.status, "24 hours" in outcome.reason) == ("lost", True)
        assert [row[1] for row in kept(store)] == ["lost"]

    def test_a_line_of_no_one_is_said_to_be_so(self, store, fake):
        with pytest.raises(UsageError, match="the store knows no such line"):
            audit(store, fake, "+14155559999")
        fake.world.chats.clear()
        with pytest.raises(LiveError, match="the API knows no such line"):
            audit(store, fake)


@pytest.mark.usefixtures("facts_only")
class TestAfterATransition:
    def test_off_by_default_and_then_no_call_is_made(self, store, fake):
        assert pipeline.ask_after_transition(LINE, store=store, api=faults.api(fake)) is None
        assert fake.calls == []

    def test_on_it_archives_the_audit(self, store, fake):
        pipeline.set_setting("audit_after_transition", "1", store=store)
        assert pipeline.ask_after_transition(LINE, store=store, api=faults.api(fake)).status == "complete"
        assert [row[1] for row in kept(store)] == ["complete"]

    def test_what_goes_wrong_is_told_not_raised(self, store, fake):
        pipeline.set_setting("audit_after_transition", "1", store=store)
        fake.forbidden = True
        told = pipeline.ask_after_transition(LINE, store=store, api=faults.api(fake))
        assert (told.status, "$LINQ_API_V3_API_KEY" in told.reason) == ("failed", True)
