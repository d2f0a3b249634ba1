from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from analysis import pipeline
from analysis.errors import UsageError
from analysis.simulate import write_demo

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("small") / "fleet"
    write_demo(folder, lines=3, days=16, seed=3)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def truth(folder: Path) -> dict:
    return json.loads((folder / "truth.json").read_text())


def texts(folder: Path) -> list[tuple[str, int, str]]:
    rows = []
    for path in sorted(folder.glob("webhooks-*")):
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        rows += [(path.name, n, line) for n, line in enumerate(raw.decode().split("\n")[:-1], start=1)]
    return rows


@lru_cache(maxsize=2)
def events(folder: Path) -> list[dict]:
    broken = {(r["file"], r["row"]) for r in truth(folder)["malformed"]["rows"]}
    return [json.loads(text) for file, row, text in texts(folder) if (file, row) not in broken]


def keys(value, prefix: str = "") -> set[str]:
    if isinstance(value, dict):
        return {prefix + k for k in value}.union(*(keys(v, f"{prefix}{k}.") for k, v in value.items()))
    if isinstance(value, list):
        return set().union(*(keys(v, f"{prefix}[].") for v in value))
    return set()


def test_the_same_arguments_give_the_same_bytes(small, tmp_path):
    write_demo(tmp_path / "again", lines=3, days=16, seed=3)
    assert contents(tmp_path / "again") == contents(small)
    write_demo(tmp_path / "other", lines=3, days=16, seed=4)
    assert contents(tmp_path / "other")["messages.parquet"] != contents(small)["messages.parquet"]


def test_a_second_fleet_in_a_directory_replaces_the_first(small, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    write_demo(tmp_path, lines=1, days=40)
    write_demo(tmp_path, lines=3, days=16, seed=3)
    assert contents(tmp_path) == contents(small) | {"notes.txt": b"mine"}


def test_deliveries_have_the_keys_of_the_vendors_examples(demo_files, examples):
    known: dict[tuple[str, str], list[set[str]]] = {}
    for e in examples:
        if e["via"] == "webhook":
            body = e["body"]
            known.setdefault((body["event_type"], body["webhook_version"]), []).append(keys(body))
    seen = Counter()
    for event in events(demo_files):
        kind = event["event_type"], event["webhook_version"]
        if kind in known:
            mine = {k for k in keys(event) if ".parts." not in k}
            # a late and a zero-retention delivery have keys of their own
            extra = {"data.reconciled_at", "data.zero_retention"}
            assert any(mine - extra == shape - extra for shape in known[kind]), kind
            seen[kind] += 1
    assert set(seen) == set(known)


def test_all_four_generations_and_both_versions_are_there(demo_files):
    changes = [e["data"] for e in events(demo_files) if e["event_type"] == "phone_number.status_updated"]
    kinds = Counter(("new_reputation" in c, "new_health_status" in c) for c in changes)
    assert set(kinds) == {(False, False), (False, True), (True, True), (True, False)}
    versions = {(e["webhook_version"], e["event_type"]) for e in events(demo_files)}
    for kind in ("message.sent", "message.received", "message.delivered", "message.read", "message.failed"):
        assert {("2025-01-01", kind), ("2026-02-03", kind)} <= versions
    assert {"reaction.added", "participant.added"} <= {kind for _, kind in versions}


def test_what_is_odd_in_real_logs_is_odd_here(demo_files):
    rows = events(demo_files)
    ids = Counter(e["event_id"] for e in rows)
    told = truth(demo_files)["deliveries"]
    assert sum(n - 1 for n in ids.values()) == told["repeated"] > 50
    facts = Counter(json.dumps([e["event_type"], e["data"]]) for e in {e["event_id"]: e for e in rows}.values())
    assert sum(n - 1 for n in facts.values()) >= told["second_subscription"] * 0.95 > 30
    assert sum("reconciled_at" in e["data"] for e in rows) >= told["late"] > 30
    created = [e["created_at"][:23] for e in rows]
    assert sum(a > b for a, b in pairwise(created)) > 100
    failed = {e["data"]["message_id"] for e in rows if e["event_type"] == "message.failed"}
    delivered = {e["data"].get("id") for e in rows if e["event_type"] == "message.delivered"}
    assert failed & delivered
    assert len(rows) + 10 == told["lines"]


def test_sms_has_no_receipts_and_groups_are_few(demo_files):
    rows = events(demo_files)
    receipts = [e for e in rows if e["event_type"] in ("message.delivered", "message.read")]
    assert {e["data"]["service"] for e in receipts} == {"iMessage"}
    chats = {e["data"]["id"]: e["data"] for e in rows if e["event_type"] == "chat.created"}
    assert {c["service"] for c in chats.values()} == {"iMessage", "SMS"}
    assert 0.005 < sum(c["is_group"] for c in chats.values()) / len(chats) < 0.08


def test_nothing_is_later_than_the_end(demo_files, small):
    for folder in (demo_files, small):
        end = truth(folder)["end"]
        for event in events(folder):
            data = event["data"]
            stamps = [event["created_at"], *(v for k, v in data.items() if k.endswith("_at") and v)]
            assert max(s[:23] for s in stamps) < end
        table = pl.read_parquet(folder / "messages.parquet")
        times = table.select(pl.max_horizontal("sent_at", "delivered_at", "read_at", "failed_at").max()).item()
        assert times < datetime(2026, 11, 22)


def test_counts_in_the_truth_are_those_of_the_files_without_repeats(demo_files):
    seen: dict[str, set[tuple[str, str]]] = {}
    for e in events(demo_files):
        d = e["data"]
        if e["event_type"] not in ("message.sent", "message.received"):
            continue
        if e["webhook_version"] == "2026-02-03":
            line, side, name = d["chat"]["owner_handle"]["handle"], d["direction"], d["id"]
        else:
            side = "outbound" if d["is_from_me"] else "inbound"
            line, name = d["from"] if d["is_from_me"] else d["recipient_phone"], d["message"]["id"]
        seen.setdefault(line, set()).add((side, name))
    for line, side, name in (
        pl.read_parquet(demo_files / "messages.parquet")
        .drop_nulls("direction")
        .select("line", "direction", "message_id")
        .rows()
    ):
        seen.setdefault(line, set()).add((side, name))
    told = truth(demo_files)["counts"]
    assert len(told) == 12
    for line, counts in told.items():
        sides = Counter(side for side, _ in seen[line])
        assert counts == {"messages": len(seen[line]), "outbound": sides["outbound"], "inbound": sides["inbound"]}


def test_a_load_takes_everything_and_refuses_exactly_the_planted_rows(demo_files, demo_store):
    told = truth(demo_files)
    refused = pipeline.quarantine(demo_store)
    mine = {(Path(s).name, int(p)) for s, p in refused.select("source", "position").rows()}
    assert mine == {(r["file"], r["row"]) for r in told["malformed"]["rows"]}
    assert told["malformed"]["count"] == len(mine) == sum(told["malformed"]["by_class"].values())
    for line, counts in told["counts"].items():
        assert pipeline.messages(demo_store, line=line).height == counts["messages"]
    loaded = set(pipeline.transitions(demo_store).select("line", "kind", "previous", "new").rows())
    assert {(t["line"], t["kind"], t["previous"], t["new"]) for t in told["transitions"]} == loaded


def test_three_lines_come_as_tables_only_and_one_in_both(demo_files):
    by_source: dict[str, set[str]] = {}
    for line in truth(demo_files)["lines"]:
        by_source.setdefault(line["source"], set()).add(line["line"])
    table = pl.read_parquet(demo_files / "messages.parquet").drop_nulls("direction")
    logged = {e["data"]["chat"]["owner_handle"]["handle"] for e in events(demo_files) if "chat" in e["data"]}
    assert (len(by_source["tables"]), len(by_source["both"])) == (3, 1)
    assert set(table["line"]) == by_source["tables"] | by_source["both"]
    assert logged >= by_source["both"]
    assert not logged & by_source["tables"]
    names = {e["data"]["id"] for e in events(demo_files) if e["event_type"] == "message.sent" and "id" in e["data"]}
    assert set(table["message_id"]) & names


def test_the_truth_says_cause_onset_and_story_of_every_transition(demo_files):
    told = truth(demo_files)
    for t in told["transitions"]:
        assert t["onset"] is None or t["onset"] <= t["at"]
        assert (t["onset"] is None) == (t["planted_driver"] == "unexplained")
    assert [b["kind"] for b in told["bursts"]].count("new_conversations") == 2
    assert all(b["start"] < b["end"] and b["count"] > 20 for b in told["bursts"])


def test_texts_and_plain_recipients_are_there_for_privacy_checks(demo_files):
    told, whole = truth(demo_files), "\n".join(text for _, _, text in texts(demo_files))
    assert all(phrase in whole for phrase in told["phrases"])
    assert "@example.com" in whole
    people = set(re.findall(r"\+1\d{3}555[1-9]\d{3}", whole))
    assert len(people) > 1000
    assert not people & {line["line"] for line in told["lines"]}


@pytest.mark.parametrize(("lines", "days"), [(1, 3), (2, 4), (4, 12)])
def test_small_fleets_can_be_loaded(tmp_path, store, lines, days):
    told = write_demo(tmp_path / "fleet", lines=lines, days=days)
    pipeline.load(tmp_path / "fleet", store=store)
    assert len(told["lines"]) == lines
    assert pipeline.messages(store).height == sum(c["messages"] for c in told["counts"].values())
    assert pipeline.quarantine(store).height == told["malformed"]["count"]


def test_large_fleets_are_written_in_batches(tmp_path):
    told = write_demo(tmp_path, lines=26, days=3)
    logs = sorted(p.name for p in tmp_path.glob("webhooks-*"))
    assert {name.split("-")[1] for name in logs} == {"000", "001"}
    assert set(told["files"]) == {p.name for p in tmp_path.iterdir()}


def test_impossible_wishes_are_refused(tmp_path):
    with pytest.raises(UsageError, match="at least 1 line and 3 days"):
        write_demo(tmp_path / "a", lines=0)
    with pytest.raises(UsageError, match="at least 1 line and 3 days"):
        write_demo(tmp_path / "a", days=2)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="not a directory"):
        write_demo(tmp_path / "file")


def test_the_sample_is_what_its_command_makes(tmp_path):
    write_demo(tmp_path, lines=3, days=21)
    assert {p.name for p in SAMPLE.iterdir()} == {p.name for p in tmp_path.iterdir()}
    assert texts(SAMPLE) == texts(tmp_path)
    assert truth(SAMPLE) == truth(tmp_path)
    for name in ("chats.csv", "transitions.csv"):
        assert (SAMPLE / name).read_text() == (tmp_path / name).read_text()
    assert pl.read_parquet(SAMPLE / "messages.parquet").equals(pl.read_parquet(tmp_path / "messages.parquet"))
    assert sum(p.stat().st_size for p in SAMPLE.iterdir()) < 2_000_000
