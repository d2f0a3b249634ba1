"""Late events and the span of a file: counted where an event says both times, unknown where a store was made before they were counted."""

import duckdb

from analysis import pipeline
from analysis.store import connect, migrations
from tests.events import at, changed, envelope, message


def _made_later(kind, message_id, happened, hours):
    return message(kind, message_id, happened) | {"created_at": at(happened + hours)}


def test_an_event_made_an_hour_or_a_day_after_it_happened_is_late(store, write):
    rows = [
        _made_later("message.received", "r0", 0, 0.01),
        _made_later("message.received", "r1", 1, 0.99),
        _made_later("message.received", "r2", 2, 1.5),
        _made_later("message.received", "r3", 3, 30),
    ]
    pipeline.load(write("log.jsonl", rows), store=store)
    (source,) = pipeline.sources(store).to_dicts()
    assert (source["timed"], source["late_1h"], source["late_24h"]) == (4, 2, 1)


def test_a_receipt_is_late_by_its_own_time_not_by_when_the_message_was_sent(store, write):
    read = message("message.read", "m1", 0, later=40) | {"created_at": at(40.1)}
    pipeline.load(write("log.jsonl", [message("message.sent", "m1", 0), read]), store=store)
    (source,) = pipeline.sources(store).to_dicts()
    assert (source["timed"], source["late_1h"]) == (2, 0)


def test_deliveries_without_their_envelope_and_tables_say_nothing_of_lateness(store, write):
    bare = [message("message.received", f"r{i}", i)["data"] for i in range(3)]
    table = "message_id,line,chat_id,direction,sent_at\nm1,+14155550101,c,outbound,2026-03-01T00:00:00Z\n"
    pipeline.load([write("bare.jsonl", bare), write("table.csv", table)], store=store)
    assert pipeline.sources(store)["timed"].to_list() == [0, 0]


def test_a_file_tells_from_its_first_to_its_last_usable_event(store, write):
    rows = [message("message.sent", "m1", 5), changed(30, "HEALTHY", "AT_RISK"), envelope("message.sent", {}, 90)]
    pipeline.load(write("log.jsonl", rows), store=store)
    (source,) = pipeline.sources(store).to_dicts()
    assert source["quarantined"] == 1
    assert [pipeline.iso(source[c]) for c in ("first_at", "last_at")] == [at(5), at(30)]


def test_a_store_made_before_late_events_were_counted_keeps_its_files_and_calls_them_unknown(store, write, monkeypatch):
    with monkeypatch.context() as before:
        older = next(i for i, step in enumerate(migrations.STEPS) if step.endswith("_late.sql"))
        before.setattr(migrations, "STEPS", migrations.STEPS[:older])
        before.setattr(migrations, "VERSION", older)
        with connect.Store(store).writer() as con:
            con.execute(
                "insert into source values ('a', 'old.jsonl', 'webhook', 1, 1, 0, 0, 0, 0, '{}', '[]', '2026-03-01 00:00:00')"
            )
    pipeline.refresh(store=store)
    pipeline.load(write("log.jsonl", [_made_later("message.received", "r1", 1, 2)]), store=store)
    old, new = pipeline.sources(store).sort("path").rows(named=True)[::-1]
    assert (old["path"], old["read"], old["late_1h"], old["first_at"]) == ("old.jsonl", 1, None, None)
    assert new["late_1h"] == 1
    con = duckdb.connect(str(store), read_only=True)
    assert con.execute("select value from meta where key = 'schema_version'").fetchone() == (str(migrations.VERSION),)
    con.close()
