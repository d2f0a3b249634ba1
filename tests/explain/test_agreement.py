"""The vendor's audits beside our explanations: verdicts by hand, confidence learned from earlier ones only, and nothing of a person kept."""

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import pipeline
from analysis.errors import SourceError
from analysis.explain.agreement import Audit, agreement_of, audit_of, compared, isotonic, matched, recalibrated
from analysis.explain.constants import CONSTANTS
from analysis.schema import VENDOR_DRIVERS, Driver, Explanation
from tests.explain.planted import T, burst
from tests.explain.stores import stored

START = datetime(2026, 3, 1)


def iso(day):
    return (START + timedelta(days=day)).isoformat(timespec="milliseconds") + "Z"


def explained(day=10.0, *, p=0.6, new="AT_RISK", previous="HEALTHY", kind="health", notes=(), headline="", **shares):
    shares = shares or {"engagement": 0.9}
    rest = 1 - sum(shares.values())
    told = sorted({**shares, "unexplained": rest}.items(), key=lambda item: -item[1])
    drivers = [Driver(d, VENDOR_DRIVERS[d], share, "", {}) for d, share in told]
    return Explanation(
        "+1", iso(day), kind, previous, new, None, None, drivers, headline, [], [], "medium", p, notes=list(notes)
    )


def audit(day=11.0, *keys, primary=None, line="+1", chats=()):
    return Audit(f"a{day}", line, START + timedelta(days=day), "AT_RISK", primary or (keys or ("",))[0], keys, chats)


def verdicts(e, a):
    return {row["vendor_driver"]: row["verdict"] for row in compared(e, a)}


class TestVerdicts:
    @pytest.mark.parametrize(
        ("shares", "keys", "expected"),
        [
            ({"engagement": 0.9}, ["overall_conversation_health"], {"overall_conversation_health": "agree"}),
            ({"engagement": 0.16}, ["overall_conversation_health"], {"overall_conversation_health": "agree"}),
            ({"engagement": 0.14}, ["overall_conversation_health"], {"overall_conversation_health": "differ"}),
            ({"engagement": 0.1, "deliverability": 0.1}, ["overall_conversation_health"], {"overall_conversation_health": "agree"}),
            ({"recipient_spread": 0.1, "send_pace": 0.1}, ["volume_spike"], {"volume_spike": "agree"}),
            ({"new_conversations": 0.9}, ["volume_spike"], {"volume_spike": "differ", "new_conversation_rate": "differ"}),
            ({"new_conversations": 0.24, "send_pace": 0.6}, ["volume_spike"], {"volume_spike": "agree"}),
            ({"new_conversations": 0.26, "send_pace": 0.6}, ["volume_spike"], {"volume_spike": "agree", "new_conversation_rate": "differ"}),
            ({"opt_outs": 0.7}, ["opt_out_handling", "flagged"], {"opt_out_handling": "agree", "flagged": "differ"}),
            ({"engagement": 0.9}, ["other"], {"overall_conversation_health": "differ", "other": "cannot tell"}),
            ({"engagement": 0.9}, [], {"overall_conversation_health": "cannot tell"}),
            ({"repeated_content": 0.9}, ["volume_spike"], {"volume_spike": "differ", "other": "cannot tell"}),
        ],
    )  # fmt: skip
    def test_per_driver(self, shares, keys, expected):
        assert verdicts(explained(**shares), audit(11, *keys)) == expected

    def test_nothing_can_be_told_where_we_had_too_few_sends(self):
        e = explained(headline="Not enough data to say: 3 sends.", engagement=0.9)
        assert set(verdicts(e, audit(11, "volume_spike", "overall_conversation_health")).values()) == {"cannot tell"}

    def test_without_chat_health_opt_outs_cannot_be_told_but_the_rest_can(self):
        e = explained(notes=["No chat health is loaded for this line: …"], engagement=0.9)
        found = verdicts(e, audit(11, "opt_out_handling", "volume_spike"))
        assert found["opt_out_handling"] == "cannot tell"
        assert found["volume_spike"] == "differ"

    @pytest.mark.parametrize(
        ("shares", "primary", "main"),
        [
            ({"engagement": 0.9}, "overall_conversation_health", "agree"),
            ({"engagement": 0.9}, "volume_spike", "differ"),
            ({"engagement": 0.9}, "other", "cannot tell"),
            ({"engagement": 0.9}, "", "cannot tell"),
            ({"engagement": 0.3}, "overall_conversation_health", "cannot tell"),
        ],
    )
    def test_main_driver(self, shares, primary, main):
        a = Audit("a", "+1", START + timedelta(days=11), None, primary, ("overall_conversation_health",), ())
        assert agreement_of(explained(**shares), a)["main"] == main

    def test_ranks_are_the_vendors_and_shares_ours(self):
        rows = compared(
            explained(engagement=0.6, send_pace=0.3), audit(11, "volume_spike", "overall_conversation_health")
        )
        told = {row["vendor_driver"]: (row["vendor_rank"], row["our_share"]) for row in rows}
        assert told == {"volume_spike": (1, 0.3), "overall_conversation_health": (2, 0.6)}


class TestWhichAudit:
    @pytest.mark.parametrize(
        ("changes", "days", "pairs"),
        [
            ([explained(10)], [11], [(10, 11)]),
            ([explained(10)], [9.9], []),
            ([explained(10)], [10], [(10, 10)]),
            ([explained(10)], [17], [(10, 17)]),
            ([explained(10)], [17.1], []),
            ([explained(10)], [12, 11], [(10, 11)]),
            ([explained(10), explained(12, new="HEALTHY", previous="AT_RISK")], [13], []),
            ([explained(10), explained(12, new="CRITICAL", previous="AT_RISK")], [11, 13], [(10, 11), (12, 13)]),
            ([explained(10, kind="status", new="FLAGGED", previous="ACTIVE")], [11], []),
        ],
    )
    def test_the_first_of_the_spell_within_a_week(self, changes, days, pairs):
        found = matched(changes, [audit(day, "volume_spike") for day in days])
        assert [(e.at, a.at) for e, a in found] == [(iso(e), START + timedelta(days=a)) for e, a in pairs]

    def test_only_of_the_same_line(self):
        assert matched([explained(10)], [audit(11, "volume_spike", line="+2")]) == []


def history(n, *, hit=lambda i: i % 2 == 0, p=lambda i: 0.6):
    """n worsenings of one day each, each healthy again, with an audit half a day after it that names our main driver, or not."""
    changes, audits = [], []
    for i in range(n):
        changes.append(explained(i, p=p(i)))
        changes.append(explained(i + 0.8, new="HEALTHY", previous="AT_RISK"))
        audits.append(audit(i + 0.5, "overall_conversation_health" if hit(i) else "volume_spike"))
    return changes, audits


class TestCalibration:
    def test_needs_as_many_earlier_audits_as_stated(self):
        least = CONSTANTS.audit_least
        for n, changed in ((least - 1, False), (least, True)):
            changes, audits = history(n, hit=lambda _: False)
            last = explained(n, p=0.6)
            found = recalibrated([*changes, last], audits)
            assert (found[-1].confidence_p < 0.6) == changed
            assert [e.confidence_p for e in found[:-1] if e.new == "AT_RISK"] == [0.6] * n

    def test_counts_as_much_as_there_are_audits_against_the_prior(self):
        n = 60
        changes, audits = history(n, hit=lambda i: i % 4 == 0)
        (last,) = recalibrated([*changes, explained(n, p=0.6)], audits)[-1:]
        weight = n / (n + CONSTANTS.audit_prior)
        assert last.confidence_p == pytest.approx(weight * 0.25 + (1 - weight) * 0.6, abs=1e-3)
        assert last.confidence == "low"

    def test_only_earlier_audits_count(self):
        changes, audits = history(80, hit=lambda i: i % 3 == 0)
        whole = recalibrated(changes, audits)
        for cut in (35, 50, 70):
            earlier = [a for a in audits if a.at < START + timedelta(days=cut)]
            part = recalibrated(changes[: 2 * cut + 1], earlier)
            assert [e.confidence_p for e in part] == [e.confidence_p for e in whole[: 2 * cut + 1]]

    def test_audits_that_cannot_be_held_against_us_do_not_count(self):
        changes, audits = history(40, hit=lambda _: False)
        vague = [audit((a.at - START) / timedelta(days=1), "other") for a in audits]
        last = explained(41, p=0.6)
        assert recalibrated([*changes, last], vague)[-1].confidence_p == 0.6
        assert recalibrated([*changes, last], audits)[-1].confidence_p < 0.6

    def test_no_clear_cause_stays_as_it_is(self):
        changes, audits = history(40, hit=lambda _: False)
        none = explained(41, p=0.6, engagement=0.2)
        assert recalibrated([*changes, none], audits)[-1].confidence_p == 0.6

    def test_a_higher_stated_confidence_never_becomes_the_lower_one(self):
        rng = np.random.default_rng(1)
        ps, hits = rng.random(60), rng.random(60) < 0.5
        changes, audits = history(60, hit=lambda i: hits[i], p=lambda i: float(ps[i]))
        told = [
            recalibrated([*changes, explained(61, p=p)], audits)[-1].confidence_p for p in np.linspace(0.02, 0.97, 12)
        ]
        assert told == sorted(told)
        assert told[0] < told[-1]

    @given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=12))
    def test_isotonic_is_the_closest_rising_function(self, points):
        x, y = np.array([p for p, _ in points]), np.array([float(hit) for _, hit in points])
        places, levels = isotonic(x, y)
        assert np.all(np.diff(levels) > 0)
        assert np.all(np.diff(places) >= -1e-12)
        order = np.argsort(x, kind="stable")
        ys = y[order]
        fitted = [  # max over begins of the min over ends: the textbook's own definition
            max(min(ys[a : b + 1].mean() for b in range(i, len(ys))) for a in range(i + 1)) for i in range(len(ys))
        ]
        assert sorted({round(f, 9) for f in fitted}) == pytest.approx([round(v, 9) for v in levels])


def answer(**more):
    return {
        "audit_id": "a1",
        "status": "complete",
        "generated_at": iso(T + 0.5),
        "phone": "+1",
        "report": {
            "severity": "AT_RISK",
            "primary_driver": "new_conversation_rate",
            "drivers": [{"key": "new_conversation_rate", "metric": "70 in a day", "summary": "Too many."}],
            "evidence": {"unhealthy_chats": [{"chat_id": f"+1-b{i}", "status": "AT_RISK", "driver_keys": ["low_engagement"]} for i in range(70)]},
        },
        **more,
    }  # fmt: skip


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("LINEHEALTH_KEY", "a key that only the tests use")
    store = stored(burst(1), tmp_path_factory.mktemp("audits") / "s")
    patch.undo()
    return store


@pytest.fixture
def loaded(template, tmp_path):
    """A line of a store with a burst before its worsening."""
    return Path(shutil.copy(template, tmp_path / "store.duckdb"))


def tables(store):
    """Every row of every table as text, in which a quotation mark may have a backslash before it."""
    with duckdb.connect(str(store), read_only=True) as con:
        names = [name for (name,) in con.execute("select table_name from duckdb_tables()").fetchall()]
        rows = {name: con.execute(f'select whole_row::varchar from "{name}" whole_row').fetchall() for name in names}
    return {name: sorted(row for (row,) in found) for name, found in rows.items()}


def kept(store):
    (e,) = pipeline.explanations(store, line="+1")
    return e.agreement


class TestKeeping:
    def test_an_audit_stands_beside_the_explanation_of_its_spell(self, loaded):
        assert kept(loaded) is None
        before = pipeline.explanations(loaded)[0].drivers
        assert pipeline.keep_audit(answer(), store=loaded) == "a1"
        told = kept(loaded)
        assert (told["audit_id"], told["main"], told["at"]) == ("a1", "agree", iso(T + 0.5))
        assert [(r["vendor_driver"], r["verdict"]) for r in told["rows"]] == [("new_conversation_rate", "agree")]
        ours = pipeline.explanations(loaded)[0].chats_to_fix
        assert (told["chats_vendor"], told["chats_both"]) == (70, sum(c["driver"] == "new_conversations" for c in ours))
        assert told["chats_both"] > 10
        assert pipeline.explanations(loaded)[0].drivers == before

    def test_twice_is_as_once_whatever_the_form(self, loaded, tmp_path):
        pipeline.keep_audit(answer(), store=loaded)
        once = tables(loaded)
        path = tmp_path / "audit.json"
        path.write_text(json.dumps(answer()))
        for form in (answer(), json.dumps(answer()), json.dumps(answer()).encode(), path, {"body": answer()}):
            pipeline.keep_audit(form, store=loaded)
        again = tables(loaded)
        assert again["audit"] == once["audit"]
        assert again["explanation"] == once["explanation"]

    def test_a_complete_answer_outlives_one_that_is_not(self, loaded):
        pipeline.keep_audit({"audit_id": "a1", "status": "pending", "phone": "+1"}, store=loaded)
        assert kept(loaded) is None
        pipeline.keep_audit(answer(), store=loaded)
        told = kept(loaded)
        pipeline.keep_audit({"audit_id": "a1", "status": "error", "phone": "+1", "error": "gone"}, store=loaded)
        assert kept(loaded) == told is not None

    def test_the_line_may_be_told_beside_it(self, loaded):
        bare = answer()
        del bare["phone"]
        pipeline.keep_audit(bare, line="+1", store=loaded)
        assert kept(loaded)["audit_id"] == "a1"

    def test_counts_per_driver(self, loaded):
        pipeline.keep_audit(answer(), store=loaded)
        rows = {row["vendor_driver"]: row for row in pipeline.agreement(loaded).to_dicts()}
        found = rows["new_conversation_rate"]
        assert [found[k] for k in ("agree", "differ", "cannot tell", "vendor_named", "we_named")] == [1, 0, 0, 1, 1]
        assert all(
            not any(v for k, v in row.items() if k != "vendor_driver")
            for key, row in rows.items()
            if key != "new_conversation_rate"
        )

    @pytest.mark.parametrize(
        ("document", "says"),
        [
            ("{", "not JSON"),
            (b"\xff\xfe", "not JSON"),
            ("[]", "not an answer of a reputation audit"),
            ("3", "not an answer of a reputation audit"),
            ({}, "not an answer of a reputation audit"),
            ({"audit_id": 3, "status": "complete", "phone": "+1"}, "not an answer of a reputation audit"),
            ({"audit_id": "a", "phone": "+1"}, "not an answer of a reputation audit"),
            ({"audit_id": "a", "status": "complete"}, "the answer names no line"),
            ({"audit_id": "a", "status": "complete", "phone": 5}, "the answer names no line"),
            ({"audit_id": "a", "status": "complete", "phone": "ada@example.com"}, "names no line of this store"),
            ({"audit_id": "a", "status": "complete", "phone": "+12065550117"}, "names no line of this store"),
        ],
    )
    def test_what_is_no_audit_is_refused_in_a_sentence(self, loaded, document, says):
        before = loaded.read_bytes()
        with pytest.raises(SourceError, match=says) as told:
            pipeline.keep_audit(document, store=loaded)
        assert len(str(told.value).splitlines()) == 1
        assert "ada@" not in str(told.value)
        assert loaded.read_bytes() == before

    @pytest.mark.parametrize("report", [None, 3, [], {}, {"drivers": 3}, {"drivers": [3, {"key": 4}]}, {"evidence": {"unhealthy_chats": "x"}}, {"evidence": []}])  # fmt: skip
    def test_a_report_in_another_shape_is_no_crash(self, loaded, report):
        pipeline.keep_audit(answer(report=report), store=loaded)
        told = kept(loaded)
        assert told is None or told["main"] == "cannot tell"


SECRETS = ["Bluebottle", "blue_bottle", "+12065550117", "12065550117", "206-555-0117", "(206) 555 0117", "ada@example.com", "call Ada back"]  # fmt: skip


def filled(secret):
    """An answer with a secret in every field that holds text, known or not, and at every depth."""
    chat = {"chat_id": "+1-b3", "status": secret, "driver_keys": [secret], "name": secret, secret: secret}
    return {
        "audit_id": "a1",
        "status": "complete",
        "error": secret,
        "generated_at": secret,
        "phone": "+1",
        secret: secret,
        "report": {
            "severity": secret,
            "primary_driver": secret,
            "drivers": [{"key": secret, "metric": secret, "summary": secret, "more": {"deep": [secret]}}, secret],
            "action_items": [{"priority": secret, "title": secret, "detail": secret, "expected_impact": secret}],
            "evidence": {
                "unhealthy_chats": [chat, secret],
                "opt_out_chats": [{"chat_id": "+1-b4", "messages_after_stop": secret}],
                "others": [secret],
            },
            "summary_markdown": secret,
        },
    }


class TestPrivacy:
    @pytest.mark.parametrize("secret", SECRETS)
    def test_no_text_and_no_person_of_an_audit_reaches_the_store(self, loaded, secret):
        pipeline.keep_audit(filled(secret), store=loaded)
        found = tables(loaded)
        assert len(found["audit"]) == 1
        assert not [row for rows in found.values() for row in rows if secret.lower() in row.lower()]
        assert secret.encode() not in loaded.read_bytes()

    @pytest.mark.parametrize("secret", ["+12065550117", "ada@example.com", "call Ada back"])
    def test_nor_by_an_id(self, loaded, secret):
        told = answer(audit_id=secret)
        told["report"]["evidence"]["unhealthy_chats"] = [{"chat_id": f"SMS;-;{secret}"}]
        pipeline.keep_audit(told, store=loaded)
        assert not [row for rows in tables(loaded).values() for row in rows if secret in row]

    def test_what_is_compared_is_all_there(self, loaded):
        pipeline.keep_audit(answer(), store=loaded)
        with duckdb.connect(str(loaded), read_only=True) as con:
            ((document,),) = con.execute("select document from audit").fetchall()
        a = audit_of("a1", "+1", None, document)
        assert (a.severity, a.primary, a.keys, len(a.chats)) == (
            "AT_RISK",
            "new_conversation_rate",
            ("new_conversation_rate",),
            70,
        )
        assert "Too many" not in document
