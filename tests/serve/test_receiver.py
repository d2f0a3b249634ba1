"""Deliveries get the right code, and 2xx only once they are on the disk, without words and without anybody's number."""

import asyncio
import json
import os
import random
import stat
from datetime import timedelta

import duckdb
import pytest

from analysis import pipeline
from analysis.bench.deliveries import PATH, delivery, signed
from analysis.serve.rate import Rate
from analysis.sources.spool import Spool
from analysis.store import Store
from tests import events
from tests.serve.receiving import event, made, post, run, spooled
from tests.sweep import EVERY

SENT = events.message("message.sent", "m1", 1)


def test_a_signed_delivery_is_kept_for_its_owner_only_without_words_and_numbers(store):
    receiver = made(store)
    (answer,) = post(receiver, event(events.message("message.received", "m1", 1)))
    assert answer.status_code == 200
    (line,) = spooled(receiver)
    assert b'"m1"' in line
    assert b"SECRET" not in line
    assert b"2065550117" not in line
    for path in (receiver.spool.folder, *receiver.spool.segments()):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_nothing_is_acknowledged_before_it_is_synced(store, monkeypatch):
    receiver = made(store)
    order = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (order.append(len(spooled(receiver))), real(fd))[1])
    (answer,) = post(receiver, event(SENT))
    assert answer.status_code == 200
    assert order == [1]


def test_a_disk_that_cannot_be_written_gets_503_and_health_says_so_until_it_can_again(store, monkeypatch):
    receiver = made(store)
    real, full = os.fdatasync, [False]

    def sync(fd):
        if full[0]:
            raise OSError(28, "No space left on device")
        real(fd)

    monkeypatch.setattr(os, "fdatasync", sync)

    async def work(client):
        before, kept = event(SENT, name="before")
        assert (await client.post(PATH, headers=before, content=kept)).status_code == 200
        full[0] = True
        headers, body = event(SENT)
        first, health = await client.post(PATH, headers=headers, content=body), await client.get("/healthz")
        full[0] = False
        return first, health, await client.post(PATH, headers=headers, content=body), await client.get("/healthz")

    first, health, again, after = run(receiver, work)
    assert (first.status_code, first.headers["retry-after"]) == (503, "5")
    assert health.status_code == 503
    assert "No space left" in health.json()["problem"]
    assert (again.status_code, after.status_code) == (200, 200)
    assert len(spooled(receiver)) == 2  # what was not acknowledged was cut off again


def test_what_can_never_be_right_gets_4xx(store):
    headers, body = event(SENT)
    old, _ = event(SENT, at=1_700_000_000)
    receiver = made(store, receive_body_kb=16)
    big = b'{"x": "' + b"x" * 20_000 + b'"}'
    answers = post(
        receiver,
        (headers | {"content-type": "text/plain"}, body),
        (headers | {"webhook-signature": "v1,AAAA"}, body),
        ({"content-type": "application/json"}, body),
        (old, body),
        (signed("big", big), big),
    )
    assert [a.status_code for a in answers] == [415, 401, 401, 400, 413]
    assert spooled(receiver) == []
    assert [a.json()["ok"] for a in answers] == [False] * 5


def test_a_body_that_does_not_say_its_length_is_refused_as_it_grows(store):
    receiver = made(store, receive_body_kb=16)

    async def work(client):
        async def parts():
            for _ in range(100):
                yield b"x" * 1000

        return await client.post(PATH, headers={"content-type": "application/json"}, content=parts())

    assert run(receiver, work).status_code == 413


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/cloudevents+json", None])
def test_json_by_any_of_its_names_is_taken(store, kind):
    headers, body = event(SENT)
    headers.pop("content-type")
    (answer,) = post(made(store), (headers | ({"content-type": kind} if kind else {}), body))
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "body", [b"{", b"", b"[1]", b'{"event_type": "message.sent", "data": {"id": 7}}', b'{"event_type":"message.sent","data":{}}', b'"words"']
)  # fmt: skip
def test_what_the_vendor_signed_and_nobody_can_use_is_acknowledged_and_kept_as_a_reason(store, body):
    receiver = made(store)
    (answer,) = post(receiver, (signed("odd", body), body))
    assert answer.status_code == 200
    report = pipeline.fold(store)
    assert (report.read, report.quarantined) == (1, 1)
    assert len(facts(store)["refused"]) == 1


def test_a_repeat_is_acknowledged_again_and_written_once(store):
    receiver = made(store)
    again = json.loads(json.dumps(SENT))
    answers = post(receiver, event(SENT), event(again), event(SENT | {"created_at": events.at(2)}))
    assert [a.status_code for a in answers] == [200, 200, 200]
    assert (
        len(spooled(receiver)) == 2
    )  # another body under the same id is written: nothing is lost on the word of an id
    assert 'acknowledged_total{outcome="duplicate"} 1.0' in receiver.measures.text().decode()


def test_too_many_at_once_and_too_slow_get_503_and_are_taken_later(store, monkeypatch):
    receiver = made(store, receive_at_once=2, receive_time_s=0.5)
    held = []
    monkeypatch.setattr(receiver.committer, "add", lambda line, token: held.append((line, token)))

    async def work(client):
        several = [client.post(PATH, headers=h, content=b) for h, b in (event(SENT, name=f"e{n}") for n in range(5))]
        return await asyncio.gather(*several)

    answers = run(receiver, work)
    assert [a.status_code for a in answers] == [503] * 5
    assert len(held) == 2  # the other three never got so far
    assert sorted(a.json()["why"].split(";")[0] for a in answers) == ["not in time"] * 2 + ["too many at once"] * 3
    (later,) = post(made(store), event(SENT, name="e0"))
    assert later.status_code == 200


def test_an_address_that_floods_waits_and_no_other_does(store):
    now = [100.0]
    rate = Rate(10.0, clock=lambda: now[0])
    assert [rate.allows("10.0.0.1") for _ in range(25)] == [True] * 20 + [False] * 5  # two seconds' worth at once
    assert rate.allows("10.0.0.2")
    now[0] += 0.35
    assert [rate.allows("10.0.0.1") for _ in range(5)] == [True] * 3 + [False] * 2
    now[0] += 3600
    assert sum(rate.allows("10.0.0.1") for _ in range(100)) == 20  # a quiet hour saves nothing up
    assert all(Rate(0).allows("10.0.0.1") for _ in range(10_000))

    receiver = made(store, receive_rate=2)
    answers = post(receiver, *(event(SENT, name=f"r{n}") for n in range(8)))
    assert [a.status_code for a in answers[:4]] == [200] * 4
    late = [a for a in answers if a.status_code == 503]
    assert late
    assert {(a.headers["retry-after"], a.json()["why"].split(";")[0]) for a in late} == {
        ("5", "too many a second from this address")
    }
    assert len(spooled(receiver)) == 8 - len(late)


def test_a_fault_of_the_program_is_not_acknowledged_and_tells_no_value(store, monkeypatch, capsys):
    receiver = made(store)
    monkeypatch.setattr(receiver.keeper, "keep", lambda body, at: 1 / 0)
    (answer,) = post(receiver, event(SENT))
    assert answer.status_code == 503
    told = capsys.readouterr().err
    assert "ZeroDivisionError" in told
    assert "+1206" not in told


def test_other_paths_and_methods(store):
    async def work(client):
        return [await client.get(PATH), await client.get("/other"), await client.get("/healthz")]

    answers = run(made(store), work)
    assert [a.status_code for a in answers] == [405, 404, 200]
    assert PATH in answers[1].json()["why"]


def test_metrics_say_what_came_what_was_refused_and_how_far_the_store_is_behind(store):
    receiver = made(store)
    headers, body = event(SENT)

    async def work(client):
        for more in ({}, {"webhook-signature": "v1,AAAA"}):
            await client.post(PATH, headers=headers | more, content=body)
        return (await client.get("/metrics")).text

    text = run(receiver, work)
    told = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[:1] != "#")
    assert told["linehealth_deliveries_received_total"] == "2.0"
    assert told['linehealth_deliveries_verified_total{scheme="standard"}'] == "1.0"
    assert told['linehealth_deliveries_refused_total{reason="signature"}'] == "1.0"
    assert 0 <= float(told["linehealth_store_lag_seconds"]) < 60
    assert float(told["linehealth_spool_bytes"]) > 0
    pipeline.fold(store)
    assert b"linehealth_spool_bytes 0.0" in receiver.measures.text()


# from the spool into the store


def facts(store):
    """Everything that events tell, as the store has it."""
    with Store(store).reader() as con:
        return {
            name: con.sql(f"select * from {name} order by all").pl().rows()
            for name in ("message", "chat", "chat_health", "change")
        } | {"refused": sorted(con.sql("select kind, reason, fix from quarantine").fetchall())}


def some_events() -> list[dict]:
    told = [json.loads(delivery(n, now=events.START)[1]) for n in range(40)]
    told += [events.message(k, f"m{n}", n / 9, health="AT_RISK" if n > 5 else "HEALTHY", health_at=n) for n in range(9) for k in ("message.sent", "message.delivered", "message.read")]  # fmt: skip
    told += [events.failed("m3", 2), events.changed(3, "HEALTHY", "AT_RISK"), events.created("chat-1", 0), events.envelope("reaction.added", {}, 1), {"event_type": "message.sent", "data": {}}]  # fmt: skip
    return told


@pytest.fixture(scope="module")
def as_loaded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("as-loaded")
    (folder / "log.jsonl").write_text("".join(json.dumps(e) + "\n" for e in some_events()))
    patch = pytest.MonkeyPatch()
    patch.setenv("LINEHEALTH_KEY", "a key that only the tests use")
    pipeline.load(folder / "log.jsonl", store=folder / "store.duckdb")
    found = facts(folder / "store.duckdb")
    patch.undo()
    return found


@pytest.mark.parametrize("seed", range(1, 9 if EVERY else 3))
def test_received_in_any_order_and_repeated_the_store_is_that_of_the_loaded_log(store, as_loaded, seed):
    rng = random.Random(seed)
    told = [(f"e{n}", body) for n, body in enumerate(some_events())]
    told += rng.sample(told, 20)
    rng.shuffle(told)
    cut = rng.randrange(1, len(told))
    for part in (told[:cut], told[cut:]):  # a receiver that was restarted between, and forgot what it has seen
        answers = post(made(store, receive_segment_mb=0.01), *(event(body, name=name) for name, body in part))
        assert {a.status_code for a in answers} == {200}
        pipeline.fold(store)
    found = facts(store)
    assert {k: v for k, v in found.items() if k != "refused"} == {k: v for k, v in as_loaded.items() if k != "refused"}
    assert set(found["refused"]) == set(as_loaded["refused"])


def test_a_day_of_the_receiver_is_one_source_whose_counts_add_up(store):
    told = [event(body, name=f"e{n}") for n, body in enumerate(some_events())]
    for part in (told[:30], told[30:], told[:10]):
        post(made(store), *part)
        pipeline.fold(store)
    with Store(store).reader() as con:
        rows = con.sql(
            "select read, inserted, duplicates, ignored, ignored_kinds, quarantined, kind from source"
        ).fetchall()
    total = [sum(row[i] for row in rows) for i in range(6) if i != 4]
    assert total[0] == len(told) + 10
    assert total[2] >= 10
    assert len(rows) <= 2  # two where midnight came between
    assert {row[6] for row in rows} == {"receiver"}
    assert '{"reaction.added": 1}' in [row[4] for row in rows]


@pytest.mark.parametrize("moment", ["before the write", "after the write"])
def test_a_crash_in_the_middle_of_a_fold_neither_loses_nor_counts_twice(store, monkeypatch, moment):
    post(made(store), *(event(json.loads(delivery(n)[1])) for n in range(10)))
    from analysis.pipeline import folding

    def crash(*_, **__):
        raise KeyboardInterrupt

    if moment == "before the write":
        monkeypatch.setattr(folding.folded, "keep", crash)
    else:
        real = type(store).unlink
        monkeypatch.setattr(type(store), "unlink", lambda p, **k: crash() if p.suffix == ".done" else real(p, **k))
    with pytest.raises(KeyboardInterrupt):
        pipeline.fold(store)
    monkeypatch.undo()
    monkeypatch.setenv("LINEHEALTH_KEY", "a key that only the tests use")
    report = pipeline.fold(store)
    assert (report.read, report.removed) == ((10, 0) if moment == "before the write" else (0, 1))
    with Store(store).reader() as con:
        assert con.sql("select sum(read), sum(inserted), (select count(*) from message) from source").fetchall() == [(10, 10, 10)]  # fmt: skip
    assert Spool.of(store).segments() == []


def test_a_line_that_was_cut_off_by_a_crash_is_left_out_and_a_damaged_one_is_told(store):
    receiver = made(store)
    post(receiver, event(SENT))
    (segment,) = receiver.spool.segments()
    whole = segment.read_bytes()
    segment.write_bytes(whole + b"\x00\x00\n" + whole.replace(b"m1", b"m2")[:50])
    left = segment.rename(segment.with_suffix(".open"))  # as a killed receiver leaves it
    report = pipeline.fold(store)
    assert not left.exists()
    assert (report.read, report.inserted, report.quarantined) == (2, 1, 1)
    with Store(store).reader() as con:
        assert con.sql("select reason from quarantine").fetchall() == [("the line in the spool is damaged",)]


def test_what_is_being_received_is_not_folded_and_a_reader_does_not_hinder(store):
    post(made(store), event(SENT))
    pipeline.fold(store)
    spool = Spool.of(store)
    with spool.only(pipeline.RECEIVER), Store(store).reader() as con:
        (spool.folder / "1790000000000-aaaaaaaa.open").write_bytes(b"")
        post(made(store), event(SENT | {"event_type": "message.delivered"}))
        assert pipeline.fold(store).read == 1
        assert con.sql("select count(*) from message").fetchall() == [(1,)]
        assert len(spool.segments(".open")) == 1
    assert duckdb.connect(str(store), read_only=True).sql("select count(*) from folded").fetchall() == [(1,)]


def test_the_folding_goes_on_after_a_problem_tells_it_once_and_refreshes_at_its_own_pace(store, monkeypatch):
    from analysis.errors import StoreError
    from analysis.pipeline import folding

    post(made(store), event(SENT))
    did, said, real = [], [], folding.fold

    def fold(where):
        did.append("fold")
        if len(did) < 3:
            raise StoreError("another load is writing this store")
        return real(where)

    monkeypatch.setattr(folding, "fold", fold)
    real_refresh = folding.refresh
    monkeypatch.setattr(folding, "refresh", lambda store: (did.append("refresh"), real_refresh(store=store)))
    turns = iter([False, False, False, False, True])
    pipeline.watch(store, stopped=lambda s: next(turns), say=said.append)
    assert did == ["fold", "fold", "fold", "refresh", "fold", "fold", "fold"]
    assert said == ["another load is writing this store"]
    told = Spool.of(store).told()
    assert (told["problem"], told["stale"]) == ("", False)
    assert told["refreshed_at"] >= told["folded_at"] > 0


def test_a_line_that_turned_worse_is_told_once_after_the_refresh_that_found_it(store):
    now = pipeline.clock()
    stamp = lambda hours: (now - timedelta(hours=hours)).isoformat() + ".000Z"  # noqa: E731
    told = [("+14155550101", 2, "HEALTHY", "AT_RISK"), ("+14155550102", 3, "AT_RISK", "HEALTHY"), ("+14155550103", 50, "HEALTHY", "AT_RISK")]  # fmt: skip
    post(made(store), *(event(events.changed(0, a, b, line=line) | {"data": {"phone_number": line, "changed_at": stamp(h), "previous_reputation": a, "new_reputation": b}}, name=line) for line, h, a, b in told))  # fmt: skip
    fell = []
    for _ in range(2):
        pipeline.watch(store, stopped=lambda s: True, worsened=fell.append)
        state = Spool.of(store).told()
        Spool.of(store).tell(state | {"refreshed_at": 0, "stale": True})
    assert fell == ["+14155550101"]


def test_facts_that_were_folded_beside_a_loaded_log_are_in_the_signals_after_the_refresh(store, write):
    """A refresh that works only on what a load touched must not forget what came through the spool."""
    log = write("log.jsonl", [events.message("message.sent", f"old{n}", n) for n in range(5)])
    pipeline.load(log, store=store)
    post(made(store), *(event(events.message("message.sent", f"new{n}", 30 + n), name=f"n{n}") for n in range(4)))
    pipeline.watch(store, stopped=lambda s: True)
    assert pipeline.signals(store)["outbound"].sum() == 9
