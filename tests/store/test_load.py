"""Loading, seen from outside: what is in the store afterwards, whatever the order, split and repeats of the files."""

import gzip
import random

import pytest
import zstandard
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from analysis import pipeline
from analysis.store import staged
from tests import events
from tests.events import LINE, at, changed, created, envelope, failed, message
from tests.store.loading import facts, loaded
from tests.sweep import EVERY

MESSAGE_COLUMNS = "message_id,line,chat_id,recipient,direction,sent_at,delivered_at,failed_at,failure_code,service\n"


def _exports(store) -> tuple[str, str, str]:
    frames = (pipeline.signals(store), pipeline.signals(store, grain="hour"), pipeline.messages(store))
    return tuple(pipeline.as_csv(f) for f in frames)


# ---------------------------------------------------------------- events become messages


def test_the_events_of_one_message_become_one_row(store, write):
    path = write(
        "log.jsonl",
        [
            message("message.sent", "m1", 1),
            message("message.delivered", "m1", 1),
            message("message.read", "m1", 1, later=0.5),
        ],
    )
    report = facts(store, path)
    assert (report.totals["inserted"], report.totals["merged"]) == (1, 2)
    (row,) = pipeline.messages(store).to_dicts()
    assert (row["line"], row["direction"], row["failed"]) == (LINE, "outbound", False)
    assert pipeline.records(pipeline.messages(store))[0]["delivered_at"] == at(1.01)
    assert pipeline.records(pipeline.messages(store))[0]["read_at"] == at(1.5)


def test_rows_compared_in_many_parts_give_the_counts_and_the_store_of_one_part(tmp_path, write, monkeypatch):
    rng = random.Random(3)
    told = [
        message(kind, f"m{n}", n) for n in range(40) for kind in ("message.sent", "message.delivered", "message.read")
    ]
    logs = [write(f"{k}.jsonl", rng.choices(told, k=70)) for k in range(3)]
    whole = [facts(tmp_path / "whole.duckdb", *logs[:2]).totals, loaded(tmp_path / "whole.duckdb", logs[2]).totals]
    monkeypatch.setattr(staged, "PART_ROWS", 20)
    monkeypatch.setattr(staged, "PART_IDS", 15)
    parts = [facts(tmp_path / "parts.duckdb", *logs[:2]).totals, loaded(tmp_path / "parts.duckdb", logs[2]).totals]
    assert parts == whole
    assert min(whole[1][c] for c in ("inserted", "merged", "duplicates")) > 0
    assert _exports(tmp_path / "parts.duckdb") == _exports(tmp_path / "whole.duckdb")


def test_messages_whose_ids_share_a_hash_stay_two_messages(store, write, monkeypatch):
    monkeypatch.setattr(staged, "PART_ROWS", 1)  # else all rows are compared, whatever their hash
    monkeypatch.setattr(staged, "HASH", "least(hash(message_id), 0)")
    facts(store, write("a.jsonl", [message("message.sent", f"m{n}", n) for n in range(4)]))
    report = facts(store, write("b.jsonl", [message("message.sent", f"m{n}", n) for n in range(2, 8)]))
    assert (report.totals["inserted"], report.totals["duplicates"]) == (4, 2)
    assert pipeline.messages(store).height == 8


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_a_delivery_wins_over_a_failure_in_any_order(store, write, order):
    told = [message("message.sent", "m1", 1), failed("m1", 1.001), message("message.delivered", "m1", 1, later=2)]
    for i in order[:-1]:
        facts(store, write(f"{i}.jsonl", [told[i]]))
    loaded(store, write("last.jsonl", [told[order[-1]]]))
    assert pipeline.signals(store)["failed"].sum() == 0
    assert pipeline.messages(store)["failure_code"].to_list() == ["4001"]


def test_a_failure_is_joined_to_its_send_by_message_id(store, write):
    loaded(store, write("a.jsonl", [failed("m1", 1.001, code=3007)]))
    assert pipeline.messages(store).is_empty()  # nobody said yet whose message it was
    assert pipeline.status(store)["waiting"] == 1
    loaded(store, write("b.jsonl", [message("message.sent", "m1", 1)]))
    assert pipeline.status(store)["waiting"] == 0
    assert pipeline.messages(store).select("line", "failed", "failure_code").row(0) == (LINE, True, "3007")


def test_a_failure_whose_send_was_never_seen_counts_on_the_line_of_its_chat(store, write):
    loaded(store, write("a.jsonl", [created("chat-1", 0), failed("m1", 1)]))
    assert pipeline.signals(store).select("outbound", "failed").row(0) == (1, 1)


def test_a_late_reconciled_message_counts_when_it_was_sent(store, write):
    late = message("message.received", "m2", 2, reconciled_at=at(30))
    loaded(store, write("log.jsonl", [message("message.sent", "m1", 1), message("message.sent", "m3", 40), late]))
    day = pipeline.signals(store).row(0, named=True)
    assert (day["inbound"], day["replied"]) == (1, 1)


def test_the_older_payload_names_the_line_on_either_side(store, write):
    frame = {"chat_id": "chat-1", "is_group": False, "service": "iMessage"}
    out = {
        **frame,
        "from": LINE,
        "recipient_phone": "+12065550117",
        "is_from_me": True,
        "message": {"id": "m1", "parts": []},
        "sent_at": at(1),
    }
    back = {
        **frame,
        "from": "+12065550117",
        "recipient_phone": LINE,
        "is_from_me": False,
        "message": {"id": "m2", "parts": []},
        "received_at": at(2),
    }
    log = [envelope("message.sent", out, 1, "2025-01-01"), envelope("message.received", back, 2, "2025-01-01")]
    facts(store, write("v1.jsonl", log))
    assert pipeline.messages(store)["line"].unique().to_list() == [LINE]
    assert pipeline.messages(store)["direction"].to_list() == ["outbound", "inbound"]


def test_bare_data_objects_are_read_like_enveloped_ones(store, tmp_path, write):
    log = [
        message("message.sent", "m1", 1),
        message("message.received", "m2", 2),
        changed(3, "HEALTHY", "AT_RISK"),
        failed("m1", 1.1),
        created("chat-1", 0),
    ]
    loaded(store, write("enveloped.jsonl", log))
    bare = tmp_path / "bare.duckdb"
    loaded(bare, write("bare.jsonl", [e["data"] for e in log]))
    assert _exports(bare) == _exports(store)
    assert pipeline.transitions(bare).equals(pipeline.transitions(store))


@pytest.mark.parametrize("wrap", [lambda e: {"headers": {}, "body": e}, lambda e: {"received": 1, "payload": e}])
def test_deliveries_wrapped_by_a_logger_are_unwrapped(store, write, wrap):
    facts(store, write("log.jsonl", [wrap(message("message.sent", "m1", 1))]))
    assert pipeline.messages(store).height == 1


@pytest.mark.parametrize(
    ("names", "health"),
    [("", (None, None)), ("health_status", ("HEALTHY", "AT_RISK")), ("reputation", ("HEALTHY", "AT_RISK"))],
)
def test_every_generation_of_a_line_change_is_read(store, write, names, health):
    loaded(store, write("log.jsonl", [changed(1, *health, names=names, status=("ACTIVE", "FLAGGED"))]))
    kinds = {r["kind"]: (r["previous"], r["new"]) for r in pipeline.transitions(store).to_dicts()}
    assert kinds["status"] == ("ACTIVE", "FLAGGED")
    assert kinds.get("health", (None, None)) == health


def test_reputation_wins_where_both_names_differ(store, write):
    event = changed(1, "HEALTHY", "CRITICAL")
    event["data"] |= {"previous_health_status": "HEALTHY", "new_health_status": "AT_RISK"}
    loaded(store, write("log.jsonl", [event]))
    assert pipeline.transitions(store)["new"].to_list() == ["CRITICAL"]


def test_one_change_told_by_two_subscriptions_is_one_transition(store, write):
    old, new = changed(1, "HEALTHY", "AT_RISK", names="health_status"), changed(1, "HEALTHY", "AT_RISK")
    new["event_id"] = "another"
    report = loaded(store, write("log.jsonl", [old, new]))
    assert report.totals["duplicates"] == 1
    assert pipeline.transitions(store).height == 1


def test_kinds_of_events_not_needed_are_counted_not_refused(store, write):
    log = [
        envelope("reaction.added", {"is_from_me": False, "message_id": 7, "handle": "x"}, 1),
        envelope("something.new", {"a": [1]}, 1),
    ]
    report = facts(store, write("log.jsonl", [*log, message("message.sent", "m1", 1)]))
    assert report.totals["ignored"] == 2
    assert report.sources[0].ignored_kinds == {"reaction.added": 1, "something.new": 1}


def test_every_example_of_the_vendor_is_loaded_or_refused_with_a_reason(store, write, examples):
    report = loaded(store, write("examples.jsonl", examples))
    assert report.totals["read"] == 20
    refused = pipeline.quarantine(store).sort("position").to_dicts()
    assert [r["position"] for r in refused] == [1, 2, 5, 6, 7]
    assert all(r["reason"] and r["fix"] for r in refused)
    assert pipeline.messages(store).height == 6
    assert pipeline.transitions(store).select("kind", "new").rows() == [
        ("status", "FLAGGED"),
        ("health", "AT_RISK"),
        ("health", "HEALTHY"),
        ("health", "AT_RISK"),
    ]


# ---------------------------------------------------------------- order, split, repeats


_POOL = [
    *(message(kind, f"m{i}", i, chat=f"chat-{i % 3}", person=f"+1206555011{i % 3}") for i in range(6) for kind in ("message.sent", "message.delivered")),
    *(message("message.received", f"r{i}", i + 0.5, chat=f"chat-{i % 3}", health=("HEALTHY", "AT_RISK", "OPTED_OUT")[i % 3], health_at=i + 0.5) for i in range(5)),
    failed("m3", 3.2), failed("m9", 4.0, chat="chat-0"), created("chat-1", 0.5), created("chat-2", -40),
    changed(5, "HEALTHY", "AT_RISK"), changed(9, "AT_RISK", "CRITICAL", status=("ACTIVE", "FLAGGED")), changed(9, "AT_RISK", "CRITICAL", names="health_status"),
    message("message.sent", "foreign", 2, chat="chat-1", line="+14155550199"),  # another line claims chat-1
]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory, with_key):
    """What a store tells into which all of the pool was loaded from one file."""
    folder = tmp_path_factory.mktemp("whole")
    loaded(folder / "whole.duckdb", _write(folder / "whole.jsonl", _POOL))
    return _told(folder / "whole.duckdb")


def _told(store):
    return _exports(store), pipeline.explanations(store), pipeline.spells(store).to_dicts()


@hypothesis_settings(
    max_examples=40 if EVERY else 4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10_000), pieces=st.integers(1, 4), repeats=st.integers(0, 6))
def test_order_split_and_repeats_of_events_change_nothing(whole, tmp_path_factory, seed, pieces, repeats):
    folder = tmp_path_factory.mktemp("orders")
    chance = random.Random(seed)
    pool = _POOL + chance.choices(_POOL, k=repeats)
    chance.shuffle(pool)
    split = folder / "split.duckdb"
    for i in range(pieces):
        loaded(split, _write(folder / f"{i}.jsonl", pool[i::pieces]))
    assert _told(split) == whole


def _write(path, rows):
    import json

    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


def test_a_file_loaded_twice_changes_nothing_and_is_all_duplicates(store, write):
    path = write("log.jsonl", [*_POOL, {"broken": True}, envelope("reaction.added", {}, 1)])
    first = loaded(store, path)
    before = _exports(store), pipeline.quarantine(store).drop("loaded_at")
    second = loaded(store, path)
    assert second.totals["inserted"] == second.totals["merged"] == 0
    assert second.totals["duplicates"] == first.totals["inserted"] + first.totals["merged"] + first.totals["duplicates"]
    assert second.totals["quarantined"] == first.totals["quarantined"]
    assert (_exports(store), pipeline.quarantine(store).drop("loaded_at"))[0] == before[0]
    assert pipeline.quarantine(store).drop("loaded_at").equals(before[1])


def test_tables_and_webhooks_of_the_same_facts_merge(store, write):
    loaded(store, write("log.jsonl", [message("message.sent", "m1", 1), message("message.received", "m2", 2)]))
    before = _exports(store)
    rows = f"m1,{LINE},chat-1,+12065550117,outbound,{at(1)},,,,iMessage\nm2,{LINE},chat-1,+12065550117,inbound,{at(2)},,,,iMessage\n"
    report = loaded(store, write("m.csv", MESSAGE_COLUMNS + rows))
    assert report.totals["inserted"] == 0
    assert _exports(store) == before


def test_identical_rows_without_an_id_are_counted_and_the_same_in_every_file(store, write):
    head = "line,recipient,direction,sent_at\n"
    row = f"{LINE},+12065550117,outbound,{at(1)}\n"
    facts(store, write("a.csv", head + row * 3))
    assert pipeline.messages(store).height == 3
    facts(store, write("b.csv", head + row * 2 + f"{LINE},+12065550118,outbound,{at(1)}\n"))
    assert pipeline.messages(store).height == 4
    assert pipeline.messages(store)["chat_id"].n_unique() == 2  # without chat ids a chat is (line, recipient)


def test_a_state_that_comes_later_does_not_double_a_row_without_an_id(store, write):
    head = "line,recipient,direction,sent_at,delivered_at\n"
    facts(store, write("a.csv", head + f"{LINE},+12065550117,outbound,{at(1)},\n"))
    facts(store, write("b.csv", head + f"{LINE},+12065550117,outbound,{at(1)},{at(1.1)}\n"))
    assert pipeline.messages(store)["delivered_at"].null_count() == 0
    assert pipeline.messages(store).height == 1


def test_a_row_that_names_the_recipient_belongs_to_the_vendors_chat_with_them(store, write):
    facts(store, write("a.csv", f"line,recipient,direction,sent_at\n{LINE},12065550117,outbound,{at(1)}\n"))
    facts(store, write("b.jsonl", [created("chat-7", 0)]))
    assert pipeline.messages(store)["chat_id"].to_list() == ["chat-7"]


# ---------------------------------------------------------------- what two lines claim


def test_a_second_line_that_claims_a_chat_is_set_aside_and_said(store, write):
    own = [message("message.sent", f"m{i}", i) for i in range(3)]
    loaded(store, write("a.jsonl", own))
    before = _exports(store)
    report = loaded(store, write("b.jsonl", [message("message.sent", "other", 0.5, line="+14155550199")]))
    assert report.totals["quarantined"] == 1
    assert "another line claims this chat" in pipeline.quarantine(store)["reason"][0]
    assert _exports(store) == before


# ---------------------------------------------------------------- packing and tables


@pytest.mark.parametrize("pack", [lambda b: b, gzip.compress, zstandard.ZstdCompressor().compress])
def test_a_file_is_known_by_its_content_not_its_name(store, write, pack):
    import json

    body = "".join(json.dumps(e) + "\n" for e in _POOL).encode()
    report = facts(store, write("delivered.data", pack(body)))
    assert report.sources[0].kind == "webhook"
    assert pipeline.messages(store).height == 12


def test_events_module_is_what_the_vendor_sends(examples):
    """The hand-made events of these tests have no field that the vendor's own examples lack."""
    sent = next(e["body"] for e in examples if e["n"] == 13)
    made = events.message("message.sent", "m1", 1)
    assert set(made) == set(sent)
    assert set(made["data"]) <= set(sent["data"])
