"""Bad input: one clear sentence or a quarantined row, the rest loads, and nothing already stored changes."""

import gzip
import json
import shutil

import pytest
import zstandard

from analysis import pipeline
from analysis.errors import SettingsError, StoreError, UsageError
from tests.events import LINE, at, changed, message

AT_1 = at(1)
HEAD = "message_id,line,chat_id,direction,sent_at\n"


def _row(message_id="m1", line=LINE, chat="c1", direction="outbound", sent=AT_1):
    return f"{message_id},{line},{chat},{direction},{sent}\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory, with_key):
    folder = tmp_path_factory.mktemp("bad-input")
    log = [message("message.sent", "g1", 1), changed(2, "HEALTHY", "AT_RISK")]
    (folder / "good.jsonl").write_text("".join(json.dumps(event) + "\n" for event in log), encoding="utf-8")
    pipeline.load(folder / "good.jsonl", store=folder / "made" / "test.duckdb")
    return folder / "made"


@pytest.fixture
def loaded(made, store):
    shutil.copytree(made, store.parent)
    return store


def facts_of(path, store, **more):
    """Load without what is derived: for what becomes of rows."""
    return pipeline.load(path, store=store, refreshed=False, **more)


def _unchanged(store, act):
    before = pipeline.as_csv(pipeline.messages(store)), pipeline.as_csv(pipeline.signals(store))
    result = act()
    assert (pipeline.as_csv(pipeline.messages(store)), pipeline.as_csv(pipeline.signals(store))) == before
    return result


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.jsonl", b"", "empty"),
        ("blank.csv", b" \n \n", "nothing but blanks"),
        ("notes.txt", b"dear diary\ntoday\n", "no table we know"),
        ("wrong.csv", b"a,b,c\n1,2,3\n", "no table we know"),
        ("half.csv", b"line,direction,sent_at\n1,outbound,2026-01-01\n", "no column chat_id or recipient"),
        ("truth.json", b'{\n "seed": 7,\n "lines": []\n}\n', "not one of webhook deliveries"),
        ("cut.parquet", b"PAR1\x00\x00garbage", "damaged or cut off"),
        ("utf16.csv", "line,chat_id\n".encode("utf-16"), "UTF-16"),
        ("twice.csv", b"line,line,chat_id\n1,2,3\n", "more than once"),
        ("noise.bin", bytes(range(256)) * 40, "no table we know"),
    ],
)
def test_a_file_that_is_no_export_is_refused_in_one_sentence(loaded, write, name, content, says):
    path = write(name, content)
    report = _unchanged(loaded, lambda: pipeline.load(path, store=loaded))
    (error,) = report.failed
    assert says in str(error)
    assert name in str(error)
    assert error.fix
    assert "\n" not in str(error)


@pytest.mark.parametrize("given", ["no/such/file.csv", "no-match-*.jsonl"])
def test_a_path_that_is_not_there(store, given):
    with pytest.raises(UsageError, match="no such file"):
        pipeline.load(given, store=store)


def test_a_folder_of_mixed_kinds_loads_what_is_an_export_and_says_what_is_not(store, write, tmp_path):
    write("mix/README.md", "# hello\n")
    write("mix/truth.json", '{\n "seed": 7\n}\n')
    write("mix/deep/log.jsonl", [message("message.sent", "m1", 1)])
    write("mix/m.csv", HEAD + _row("m2"))
    write("mix/.hidden", "x")
    report = facts_of(tmp_path / "mix", store=store)
    assert not report.failed
    assert sorted(s.kind for s in report.sources) == ["messages", "webhook"]
    assert len(report.skipped) == 2
    assert pipeline.messages(store).height == 2


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (_row(sent="0001-01-01T00:00:00Z"), "sent_at lies outside"),
        (_row(sent="9999-12-31T00:00:00Z"), "sent_at lies outside"),
        (_row(sent="soon"), "sent_at is not a time"),
        (_row(sent="1788264000"), "number without a unit"),
        (_row(sent=""), "no time is given"),
        (_row(line=""), "line is missing"),
        (_row(chat=""), "neither chat_id nor recipient"),
        (_row(direction="sideways"), "direction is none of"),
        (_row(direction=""), "direction is missing"),
        (_row(chat="a\x00b"), "NUL byte"),
        ("m1,too,few\n", "3 cells where the header has 5"),
        ("m1,a,b,c,d,e,f\n", "7 cells"),
    ],
)
def test_a_bad_row_goes_to_quarantine_and_the_rest_loads(loaded, write, row, reason):
    report = facts_of(write("m.csv", HEAD + _row("ok") + row), store=loaded)
    assert (report.totals["read"], report.totals["inserted"], report.totals["quarantined"]) == (2, 1, 1)
    (refused,) = pipeline.quarantine(loaded).to_dicts()
    assert reason in refused["reason"]
    assert refused["position"] == 3
    assert refused["fix"]


def test_a_row_tells_all_its_faults_at_once(store, write):
    facts_of(write("m.csv", HEAD + _row("ok") + _row(line="", direction="up", sent="soon")), store=store)
    (refused,) = pipeline.quarantine(store).to_dicts()
    for part in ("line is missing", "direction is none of", "sent_at is not a time"):
        assert part in refused["reason"]


def test_latin_1_text_in_a_column_that_is_used_is_refused_and_elsewhere_no_matter(store, write):
    text = b"message_id,line,chat_id,direction,sent_at,note\n"
    rows = f"m1,{LINE},c1,outbound,{at(1)},caf\xe9\n".encode(
        "latin-1"
    ) + f"m2,{LINE},caf\xe9,outbound,{at(1)},x\n".encode("latin-1")
    report = facts_of(write("m.csv", text + rows), store=store)
    assert (report.totals["inserted"], report.totals["quarantined"]) == (1, 1)
    assert "not UTF-8" in pipeline.quarantine(store)["reason"][0]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"event_type":"message.sent","data":{"id":"m', "not valid JSON"),
        (b"\x00\x00\x00\x00", "NUL bytes"),
        (b'"just text"', "not a JSON object"),
        (b"[1,2,3]", "not a JSON object"),
        (b"{}", "no event_type"),
        (b'{"event_type":"message.sent","data":{"id":17}}', "field data.id has the wrong type"),
        (b'{"event_type":"message.sent","data":{"chat":{"id":"c"}}}', "no id"),
        (
            b'{"event_type":"phone_number.status_updated","data":{"new_reputation":"GREAT","changed_at":"2026-09-01T12:00:00Z","phone_number":"+1"}}',
            "new_health is none of",
        ),
        (
            b'{"event_type":"message.failed","data":{"code":4001,"failed_at":"2026-09-01T12:00:00Z"}}',
            "names no message",
        ),
        (b"[" * 5000, "not a JSON object|nested too deep"),
        (b'{"a":' * 3000 + b"1" + b"}" * 3000, "nested too deep|no event_type"),
    ],
)
def test_a_bad_line_of_a_log_goes_to_quarantine_and_the_rest_loads(store, write, line, reason):
    import re

    good = json.dumps(message("message.sent", "m1", 1)).encode()
    report = facts_of(
        write("log.jsonl", good + b"\n" + line + b"\n\n" + good.replace(b'"m1"', b'"m2"') + b"\n"), store=store
    )
    assert (report.totals["read"], report.totals["inserted"], report.totals["quarantined"]) == (3, 2, 1)
    (refused,) = pipeline.quarantine(store).to_dicts()
    assert re.search(reason, refused["reason"])
    assert refused["position"] == 2


def test_a_line_of_50_mb_is_refused_and_the_rest_loads(store, tmp_path):
    path = tmp_path / "log.jsonl"
    good = json.dumps(message("message.sent", "m1", 1)).encode() + b"\n"
    with path.open("wb") as file:
        file.write(good)
        file.write(b'{"event_type":"message.sent","data":{"parts":"')
        for _ in range(50):
            file.write(b"x" * (1 << 20))
        file.write(b'"}}\n')
        file.write(good.replace(b'"m1"', b'"m2"'))
    report = facts_of(path, store=store)
    assert (report.totals["inserted"], report.totals["quarantined"]) == (2, 1)
    assert "longer than 8 MB" in pipeline.quarantine(store)["reason"][0]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_a_cut_off_archive_loads_what_it_holds_and_says_where_it_ends(store, write, pack):
    lines = [json.dumps(message("message.sent", f"m{i}", i / 60, chat=f"c{i}")) for i in range(3000)]
    packed = pack(("\n".join(lines) + "\n").encode())
    report = facts_of(write("log.jsonl.gz", packed[: int(len(packed) * 0.6)]), store=store)
    assert report.totals["quarantined"] >= 1
    assert any("cut off" in r for r in pipeline.quarantine(store)["reason"])
    assert report.totals["read"] == sum(
        report.totals[c] for c in ("inserted", "merged", "duplicates", "ignored", "quarantined")
    )


def test_an_unclosed_quote_costs_its_own_rows_only_to_the_end_of_the_cell(store, write):
    report = facts_of(write("m.csv", HEAD + _row("a") + 'm2,"oops,c1,outbound,x\n' + _row("b")), store=store)
    assert report.totals["inserted"] >= 1
    assert report.totals["quarantined"] >= 1


def test_a_reply_before_its_message_is_kept_and_answers_nothing(store, write):
    log = [message("message.sent", "m1", 5), message("message.received", "m2", 4), message("message.sent", "m3", 60)]
    pipeline.load(write("log.jsonl", log), store=store)
    assert pipeline.signals(store)["replied"].sum() == 0
    assert pipeline.signals(store)["inbound"].sum() == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[columns\n", "not a TOML file"),
        ('[columns]\nphone = "nr"\n', "phone is not a column of ours"),
        ('[colums]\nline = "nr"\n', "unknown field `colums`"),
        ('[time]\nunit = "weeks"\n', "unit is unknown"),
    ],
)
def test_a_wrong_mapping_file_is_refused_before_anything_is_read(loaded, write, text, says):
    mapping, table = write("map.toml", text), write("m.csv", HEAD + _row())
    with pytest.raises(SettingsError, match=says):
        _unchanged(loaded, lambda: pipeline.load(table, store=loaded, mapping=mapping))


def test_a_mapping_that_names_a_column_that_is_not_there(store, write):
    mapping = write("map.toml", '[columns]\nline = "nr"\nsent_at = "zeit"\n')
    report = pipeline.load(write("m.csv", "nr,chat_id,direction\n1,2,outbound\n"), store=store, mapping=mapping)
    assert "the mapping names zeit" in str(report.failed[0])
    assert not store.exists()


# ---------------------------------------------------------------- the store itself


def test_no_store_says_so(store):
    with pytest.raises(StoreError, match="no store at"):
        pipeline.signals(store)


def test_a_file_that_is_no_store_is_left_alone(store, write):
    store.parent.mkdir()
    store.write_bytes(b"a letter to my aunt" * 100)
    before = store.read_bytes()
    for act in (lambda: pipeline.status(store), lambda: pipeline.load(write("m.csv", HEAD + _row()), store=store)):
        with pytest.raises(StoreError, match="not a store"):
            act()
    assert store.read_bytes() == before


@pytest.mark.parametrize("table", ["mine", "meta"])
def test_another_programs_database_is_left_alone(store, write, table):
    import duckdb

    store.parent.mkdir()
    with duckdb.connect(str(store)) as con:
        con.execute(f"create table {table} (a int)")
    before = store.read_bytes()
    with pytest.raises(StoreError, match="not a store of Line Health"):
        pipeline.load(write("m.csv", HEAD + _row()), store=store)
    assert store.read_bytes() == before


def test_a_store_of_a_newer_version_is_refused_untouched(loaded, write):
    import duckdb

    with duckdb.connect(str(loaded)) as con:
        con.execute("update meta set value = '999' where key = 'schema_version'")
    before = loaded.read_bytes()
    for act in (lambda: pipeline.status(loaded), lambda: pipeline.load(write("m.csv", HEAD + _row()), store=loaded)):
        with pytest.raises(StoreError, match="update linehealth"):
            act()
    assert loaded.read_bytes() == before


def test_a_damaged_store_is_recognised(loaded):
    data = bytearray(loaded.read_bytes())
    data[4096 : 4096 + 4096 * 20] = b"\xff" * (4096 * 20)
    loaded.write_bytes(bytes(data))
    with pytest.raises(StoreError, match="damaged"):
        pipeline.status(loaded)


def test_a_store_that_another_program_writes_is_waited_for_then_refused(loaded, write, monkeypatch):
    import subprocess
    import sys

    from analysis.store import connect

    monkeypatch.setattr(connect, "READ_WAIT_S", 0.3)
    hold = f"import duckdb,sys; c=duckdb.connect({str(loaded)!r}); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreError, match="another program holds the store"):
            pipeline.load(write("m.csv", HEAD + _row()), store=loaded)
        holder.communicate()
    assert pipeline.messages(loaded).height == 1


def test_readers_are_not_disturbed_by_a_load(loaded, write):
    from analysis.store import Store

    with Store(loaded).reader() as con:
        pipeline.load(write("m.csv", HEAD + _row("m9")), store=loaded)
        assert con.execute("select count(*) from message").fetchall() == [(1,)]  # still its one consistent state
    assert pipeline.messages(loaded).height == 2


def test_the_store_belongs_to_its_owner_only_and_leaves_nothing_behind(loaded):
    assert loaded.stat().st_mode & 0o077 == 0
    names = [".test.duckdb.lock", "test.duckdb", "test.duckdb.sources.json"]
    assert sorted(p.name for p in loaded.parent.iterdir()) == names
