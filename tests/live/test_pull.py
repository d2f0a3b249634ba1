"""`linehealth pull`: what the API holds is in the store, whatever goes wrong on the way, and nothing of people's words or names."""

import asyncio
import json
import random
from datetime import datetime, timedelta
from pathlib import Path
from unittest import mock

import duckdb
import httpx
import pytest

from analysis import pipeline
from analysis.cli.live import _told
from analysis.errors import LiveError, StoreError
from analysis.live import Client, paging
from analysis.pipeline import pulling
from analysis.pipeline.spool import Spool
from analysis.store import Store
from tests import events
from tests.live import fake_linq, faults, traffic
from tests.live.fake_linq import KEY, START, Fake, Faults, World
from tests.live.test_client import called
from tests.sweep import EVERY


def small(**more: object) -> World:
    return fake_linq.world(7, **{"lines": 1, "chats": 4, "messages": 6} | more)  # type: ignore[arg-type]


def pulled(store: Path, fake: Fake, **more: object) -> pipeline.PullReport:
    return pipeline.pull(store, api=faults.api(fake), **more)  # type: ignore[arg-type]


def rows(store: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(store), read_only=True) as con:
        return con.execute(sql).fetchall()


class TestWhatIsPulled:
    def test_every_message_and_chat_of_the_account_once(self, store):
        made = fake_linq.world(3)
        report = pulled(store, Fake(made))
        told = {m["id"]: (c, m["is_from_me"], m["sent_at"][:19]) for c, ms in made.messages.items() for m in ms}
        kept = rows(store, "select message_id, chat_id, direction = 'outbound', strftime(sent_at, '%Y-%m-%dT%H:%M:%S') from message")  # fmt: skip
        assert {m: rest for m, *rest in kept} == {m: list(rest) for m, rest in told.items()}
        assert len(kept) == len(told)
        assert (report.lines, report.chats, report.chats_read) == (2, 28, 28)
        assert report.read == report.inserted == len(told) + 28
        assert report.health == {line["phone_number"]: line["reputation"]["status"] for line in made.lines}
        groups = {c["id"] for cs in made.chats.values() for c in cs if c["is_group"]}
        assert {c for (c,) in rows(store, "select chat_id from chats where is_group")} == groups
        assert len(groups) > 1
        assert rows(store, "select distinct recipient from chats where is_group") == [(None,)]
        inbound = "select count(*) from message where direction = 'inbound' and is_group and recipient is "
        assert rows(store, f"{inbound} null") > [(0,)]
        assert rows(store, f"{inbound} not null") == [(0,)]

    @pytest.mark.usefixtures("facts_only")
    def test_a_second_pull_reads_only_chats_that_changed(self, store):
        made = small()
        fake = Fake(made)
        pulled(store, fake)
        fake.calls.clear()
        assert pulled(store, fake).to_read == 0
        assert fake.calls == ["GET /v3/phone_numbers", "GET /v3/chats"]
        chat = next(iter(made.messages))
        fake_linq.happen(made, chat, random.Random(1))
        fake.calls.clear()
        report = pulled(store, fake)
        assert (report.to_read, report.inserted) == (1, 1)
        assert {c for c in fake.calls if "messages" in c} == {f"GET /v3/chats/{chat}/messages"}

    @pytest.mark.usefixtures("facts_only")
    def test_since_reads_again_from_then_on_and_nothing_older(self, store):
        made = small(chats=8)
        updated = sorted(c["updated_at"] for cs in made.chats.values() for c in cs)
        fake = Fake(made)
        first = pulled(store, fake, since=updated[5])
        assert (first.to_read, first.skipped) == (3, 5)
        again = pulled(store, fake, since=updated[5])
        assert (again.to_read, again.inserted) == (3, 0)
        assert pulled(store, fake).to_read == 5

    @pytest.mark.usefixtures("facts_only")
    def test_a_dry_run_keeps_nothing_and_counts_the_calls_of_the_real_one(self, store):
        fake = Fake(small())
        report = pulled(store, fake, dry_run=True)
        assert not store.exists()
        assert (report.dry_run, report.to_read, report.chats_read) == (True, 4, 0)
        real = pipeline.pull(store, api=faults.api(fake, page=100))
        assert real.calls == real.calls_needed == report.calls_needed == 2 + 4
        assert pipeline.pull(store, api=faults.api(fake, rate=2.0), dry_run=True).seconds_needed == 1.0

    @pytest.mark.usefixtures("facts_only")
    def test_webhook_and_pulled_rows_of_one_message_are_one(self, store, write):
        made = World()
        line = made.add_line(events.LINE)
        chat = made.add_chat(line, "+12065550117", events.START, chat_id="chat-1")
        sent = made.add_message(chat, events.START + timedelta(hours=1), out=True, state="read")
        pipeline.load(write("log.jsonl", [events.message("message.sent", sent, 1)]), store=store)
        before = rows(store, "select delivered_at, read_at from message")
        report = pulled(store, Fake(made))
        assert before == [(None, None)]
        at = events.START + timedelta(hours=1)
        kept = rows(store, "select message_id, line, sent_at, delivered_at, read_at from message")
        assert kept == [(sent, line, at, at + timedelta(seconds=1), at + timedelta(minutes=3))]
        assert report.merged == 2  # the message, and the chat, whose person is news

    def test_pulled_rows_close_a_gap_in_the_deliveries(self, store, write):
        told = traffic.events(4, days=20, a_day=200)
        lost = (traffic.START + timedelta(days=15, hours=12), traffic.START + timedelta(days=15, hours=18))
        made = World()
        line = made.add_line("+14155550000")
        chats = [made.add_chat(line, f"+1206555{n:04d}", traffic.START) for n in range(6)]
        ids = [made.add_message(chats[n % 6], at, out=n % 3 > 0) for n, at in enumerate(told["at"])]
        table = ["message_id,line,chat_id,direction,sent_at"] + [
            f"{ids[n]},{line},{chats[n % 6]},{'outbound' if n % 3 else 'inbound'},{fake_linq.iso(at)}"
            for n, at in enumerate(told["at"])
            if not lost[0] <= at < lost[1]
        ]
        pipeline.load(write("lost.csv", "\n".join(table) + "\n"), store=store)
        (gap,) = pipeline.gaps(store).to_dicts()
        assert gap["start_at"] <= lost[0] + timedelta(minutes=30)
        report = pipeline.pull(store, api=faults.api(Fake(made), page=100))
        assert (report.gaps_before, report.gaps_after) == (1, 0)
        assert pipeline.gaps(store).is_empty()

    @pytest.mark.usefixtures("facts_only")
    def test_a_day_of_pulls_is_one_source_and_its_counts_add_up(self, store):
        made = small()
        del made.chats[next(iter(made.chats))][0]["handles"][0]["is_me"]  # whose line is it?
        first, second = (pulled(store, Fake(made)) for _ in range(2))
        assert (first.quarantined, second.quarantined) == (1, 1)
        (source,) = pipeline.sources(store).to_dicts()
        assert source["kind"] == "pull"
        assert source["read"] == first.read + second.read
        assert len(pipeline.quarantine(store)) == 2

    @pytest.mark.usefixtures("facts_only")
    def test_rows_of_a_forgotten_person_are_counted_as_left_out(self, store):
        made = small()
        first = pulled(store, Fake(made))
        assert first.ignored == 0
        (chat, *_) = next(iter(made.chats.values()))
        (person,) = [h["handle"] for h in chat["handles"] if not h["is_me"]]
        pipeline.forget(person, store)
        again = pulled(store, Fake(made), since="2020-01-01")
        assert again.ignored > 1
        assert again.read == again.inserted + again.merged + again.duplicates + again.ignored + again.quarantined
        assert again.inserted == again.merged == 0
        assert f"{again.ignored} of forgotten people left out" in _told(again)

    @pytest.mark.usefixtures("facts_only")
    def test_a_chat_gone_and_a_row_of_another_shape_do_not_stop_it(self, store):
        made = small()
        fake = Fake(made)
        gone, odd = list(made.messages)[:2]
        fake.gone.add(gone)
        made.messages[odd][0]["sent_at"] = {"no": "time"}
        report = pulled(store, fake)
        assert (report.gone, report.quarantined, report.chats_read) == (1, 1, 4)
        assert rows(store, "select kind, reason from quarantine") == [("message", "field sent_at has the wrong type")]
        assert pulled(store, fake).to_read == 0


class TestWhateverHappens:
    @pytest.mark.parametrize(("seed", "moving"), [(12, 0.05), *([(11, 0.0)] if EVERY else [])])
    def test_with_faults_and_kills_the_store_is_that_of_a_clean_pull(self, tmp_path, seed, moving):
        """Fifty more, some with processes of their own: python -m tests.live.faults --seeds 50."""
        made = fake_linq.world(seed, chats=9)
        store, done = faults.battered(seed, tmp_path, made, moving=moving)
        assert done["repeats"] > 0
        assert done["kills"] > 0
        assert faults.content(store) == faults.content(faults.clean(tmp_path, made))

    @pytest.mark.usefixtures("facts_only")
    def test_a_killed_pull_goes_on_instead_of_beginning_again(self, store):
        made = fake_linq.world(5, lines=1, chats=6, messages=4)
        fake = Fake(made)
        with pytest.raises(faults.Killed), faults.Reaper(13, random.Random(1)).at_work(fake):
            pipeline.pull(store, api=faults.api(fake, page=100, at_once=1))
        read_before = len([c for c in fake.calls if "messages" in c])
        assert read_before > 2
        fake.calls.clear()
        report = pipeline.pull(store, api=faults.api(fake, page=100))
        assert report.resumed
        assert len([c for c in fake.calls if "messages" in c]) == 6 - read_before + 1  # the one under way at the kill
        assert not pipeline.pull(store, api=faults.api(fake, page=100)).resumed

    @pytest.mark.usefixtures("facts_only")
    def test_killed_after_the_store_has_it_nothing_is_counted_twice(self, store):
        made = small()
        fake = Fake(made)
        with mock.patch.object(Spool, "clear", side_effect=faults.Killed), pytest.raises(faults.Killed):
            pulled(store, fake)
        before = pipeline.sources(store)
        assert Spool(Store(store)).path.exists()
        chat = next(iter(made.messages))
        news = made.add_message(chat, START + timedelta(days=60), out=True)
        report = pulled(store, fake)
        assert (report.inserted, report.read) == (1, 4 + len(made.messages[chat]))
        assert rows(store, f"select count(*) from message where message_id = '{news}'") == [(1,)]
        assert pipeline.sources(store)["inserted"].sum() == before["inserted"].sum() + 1

    @pytest.mark.usefixtures("facts_only")
    def test_what_was_read_before_the_api_gave_up_is_kept(self, store):
        fake = Fake(fake_linq.world(5, lines=1, chats=6, messages=4))
        trouble = fake._trouble
        fake._trouble = lambda: fake_linq.refusal(500, 3001, "down") if len(fake.calls) > 4 else trouble()  # type: ignore[method-assign]
        with pytest.raises(LiveError, match=r"no success in 3 tries.*it answers 500.*next run goes on"):
            pipeline.pull(store, api=faults.api(fake, page=100, tries=3, at_once=1))
        assert rows(store, "select count(*) from pull_mark") == [(3,)]
        assert rows(store, "select count(*) > 3 from message") == [(True,)]
        fake._trouble = trouble  # type: ignore[method-assign]
        report = pipeline.pull(store, api=faults.api(fake, page=100))
        assert (report.resumed, report.to_read) == (True, 3)

    def test_two_at_once_are_refused(self, store):
        with Spool(Store(store)).alone(), pytest.raises(StoreError, match="another pull or audit is at work"):
            pulled(store, Fake(small()))

    def test_a_line_of_the_spool_cut_by_a_kill_takes_no_other_with_it(self, store):
        at = datetime(2026, 9, 1)
        spool = Spool(Store(store))
        with spool.alone():
            spool.begin(pulling.Run(at))
            spool.add_lines([("+1", "AT_RISK")], at)
            whole = spool.path.read_bytes()
            spool.add_lines([("+1", "HEALTHY")], at + timedelta(hours=1))
            spool.path.write_bytes(spool.path.read_bytes()[:-9])
            again = Spool(Store(store))
            assert again.run() == pulling.Run(at)
            assert again.path.read_bytes() == whole
            again.add_lines([("+1", "CRITICAL")], at + timedelta(hours=2))
            assert again.kept().observations["health"].to_list() == ["AT_RISK", "CRITICAL"]

    def test_a_row_seen_twice_means_that_another_was_missed(self):
        """Two readings in which d slips by while b is seen twice, then two in which nothing moves."""
        told = iter(["ab", "bc", "ab", "bc", "ab", "cd", "ab", "cd"])

        def answer(request: httpx.Request) -> httpx.Response:
            cursor = None if "cursor" in request.url.params else "2"
            return httpx.Response(200, json={"chats": [{"id": i} for i in next(told)], "next_cursor": cursor})

        seen: set[str] = set()
        walk = lambda c: paging.walk(c, "v3/chats", lambda p: p.chats, lambda raw: _seen(raw, seen), what="x", query={})  # noqa: E731
        assert called(answer, walk, rate=1e6)
        assert seen == set("abcd")
        assert next(told, None) is None

    def test_rows_that_move_from_page_to_page_are_all_seen(self, store):
        for seed in range(4):
            made = small(chats=23, messages=2)
            fake = Fake(made, Faults(seed, shifting=0.5))
            found: list[set[str]] = []

            async def walk(fake=fake, made=made, found=found) -> bool:
                seen: set[str] = set()
                found.append(seen)
                async with Client(faults.api(fake, page=3)) as client:
                    return await paging.walk(
                        client, "v3/chats", lambda page: page.chats, lambda raw: _seen(raw, seen), what="chats",
                        query={"from": made.lines[0]["phone_number"]},
                    )  # fmt: skip

            settled = asyncio.run(walk())
            assert not settled or len(found[0]) == 23

    @pytest.mark.parametrize(
        ("next_cursor", "calls"), [(None, 1), ("", 1), ("1", 2 * paging.MOST), (1, 2 * paging.MOST)]
    )
    def test_a_list_of_one_page_is_asked_for_once_and_a_cursor_that_comes_back_ends_it(self, next_cursor, calls):
        asked = []

        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(request.url.params.get("cursor"))
            return httpx.Response(200, json={"chats": [{"id": "a"}], "next_cursor": next_cursor})

        called(
            answer,
            lambda c: paging.walk(c, "v3/chats", lambda p: p.chats, lambda raw: "a", what="x", query={}),
            rate=1e6,
        )
        assert len(asked) == calls


def _seen(raw, seen: set[str]) -> str:
    name = json.loads(bytes(raw))["id"]
    seen.add(name)
    return name


def test_the_command_tells_in_words_and_as_json(monkeypatch, command, store):
    monkeypatch.setenv("LINQ_API_V3_API_KEY", KEY)
    monkeypatch.setenv("LINEHEALTH_PULL_RATE", "50")
    with faults.served(Fake(small())) as address:
        monkeypatch.setenv("LINQ_API_V3_BASE_URL", address)
        code, out, err = command("pull", "--dry-run", "--store", store)
        assert (code, err) == (0, "")
        assert "lines: 1; chats: 4, of which 4 changed since the last pull: at least 6 calls, about 0.0 min" in out
        code, out, _ = command("pull", "--json", "--store", store)
        assert code == 0
        assert json.loads(out)["chats_read"] == 4
    assert datetime.fromisoformat(pipeline.status(store)["as_of"]) > datetime.fromisoformat("2026-09-01T00:00:00Z")


@pytest.mark.usefixtures("facts_only")
def test_it_works_where_a_loop_runs_already_as_in_a_notebook(store):
    async def cell() -> int:
        return pulled(store, Fake(small())).chats_read

    assert asyncio.run(cell()) == 4
