"""Files made to break a reader (bombs, giant lines, deep JSON, false claims, a million columns) are bounded, and refused in one sentence."""

import gzip
import json
import zlib

import polars as pl
import pytest
import zstandard

from analysis import pipeline
from analysis.errors import SourceError, UsageError
from analysis.settings import Settings
from analysis.sources import Mapping, Pseudonyms, opening, read_actions, read_source, reading, table_csv
from analysis.sources.opening import Stream
from tests import events

LINE = json.dumps(events.message("message.sent", "m1", 1)).encode()


@pytest.fixture
def read(tmp_path):
    """Read one file with the readers alone; its facts are in the returned SourceFacts' folder."""

    def _read(path, mapping: Mapping | None = None):
        spool = tmp_path / "spool"
        spool.mkdir(exist_ok=True)
        return read_source(path, settings=Settings(), pseudonyms=Pseudonyms(b"k" * 32), mapping=mapping, spool=spool)

    return _read


def _reasons(found) -> set[str]:
    return set(pl.concat(found.refused)["reason"]) if found.refused else set()


def _gzip_bomb(first: bytes, mb: int) -> bytes:
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(1 << 20)
    return pack.compress(first) + b"".join(pack.compress(zeros) for _ in range(mb)) + pack.flush()


@pytest.mark.parametrize(
    "first", [LINE + b"\n", b"[", b"line,direction,sent_at,chat_id\n", b"PAR1"], ids=["log", "list", "csv", "parquet"]
)
@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_a_decompression_bomb_is_refused_before_it_fills_memory_or_disk(read, write, first, packing, monkeypatch):
    monkeypatch.setattr(opening, "BOMB_MB", 8)
    if packing == "gzip":
        data = _gzip_bomb(first, 20)
    else:
        data = zstandard.ZstdCompressor(level=1).compress(first + bytes(20 << 20))
    with pytest.raises(SourceError, match="unpacks to more than 200 times its size"):
        read(write("bomb", data))


def test_a_zstd_bomb_gives_its_bytes_in_pieces_that_fit_in_memory(write):
    path = write("bomb.zst", zstandard.ZstdCompressor(level=1).compress(bytes(250 << 20)))
    assert max(len(block) for block in Stream(path).blocks()) <= 64 << 20


def test_a_log_that_shrinks_well_is_no_bomb(read, write):
    many = b"\n".join([LINE] * 20_000)
    assert read(write("log.gz", gzip.compress(many, 9))).read == 20_000
    assert read(write("log.zst", zstandard.compress(many, 19))).read == 20_000


@pytest.mark.parametrize("deep", [b"[" * 100_000, b'{"data":' * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000])
def test_deep_json_is_refused_as_one_line_and_the_rest_is_read(read, write, deep):
    found = read(write("log.jsonl", LINE + b"\n" + deep + b"\n" + LINE))
    assert found.read == 3
    assert pl.concat(found.refused)["position"].to_list() == [2]


def test_a_file_that_is_only_deep_json_is_refused(read, write):
    found = read(write("log.jsonl", b'{"data":' * 5000 + b"1" + b"}" * 5000))
    assert _reasons(found) == {"the JSON is nested too deep"}


@pytest.mark.parametrize(("times", "reason"), [(3, None), (300, "the JSON is nested too deep")])
def test_a_body_in_a_body_is_opened_a_few_times_and_no_more(read, write, times, reason):
    found = read(write("log.jsonl", b'{"body":' * times + LINE + b"}" * times))
    assert _reasons(found) == ({reason} if reason else set())


def test_a_wrapped_body_that_is_no_text_is_refused(read, write):
    found = read(write("log.jsonl", b'{"body":"\xed\xa0\x80"}\n'))
    assert _reasons(found) == {"the body in the line is not UTF-8 text"}


def test_giant_values_do_not_pile_up_in_memory(read, write, monkeypatch):
    monkeypatch.setattr(reading, "BLOCK_MB", 2)
    data = json.dumps(events.message("message.sent", "x" * 1_000_000, 1)).encode()
    found = read(write("log.jsonl", b"\n".join([data] * 12)))
    assert found.read == 12
    assert _reasons(found) == {"message_id is longer than 400 characters"}
    assert max(frame.height for frame in found.refused) == 3


def test_giant_cells_of_a_table_do_not_pile_up_either(read, write):
    row = f"+14155550142,outbound,2026-09-01T12:00:00Z, {'x' * 500_000}"
    path = write("t.csv", f"line,direction,sent_at,chat_id\n{row}\n{row}")
    _, blocks = table_csv.csv_blocks(Stream(path), None, 8 << 20)
    assert max(block["chat_id"].str.len_bytes().max() for block, _ in blocks) == table_csv.LONGEST_CELL
    assert _reasons(read(path)) == {"chat_id is longer than 400 characters"}


def test_a_parquet_file_that_claims_more_rows_than_it_can_hold_is_refused(read, tmp_path):
    rows = 3_000_000
    path = tmp_path / "t.parquet"
    pl.select(
        pl.repeat(word, rows).alias(name)
        for name, word in (
            ("line", "+14155550142"),
            ("direction", "outbound"),
            ("sent_at", "2026-09-01"),
            ("chat_id", "c"),
        )
    ).write_parquet(path)
    with pytest.raises(SourceError, match="claims 3,000,000 rows in"):
        read(path)


@pytest.mark.parametrize("same", [True, False])
def test_a_header_of_a_million_columns_is_refused_at_once(read, write, same):
    header = ",".join("line" if same else f"c{n}" for n in range(1_000_000))
    with pytest.raises(SourceError, match="the header has 1,000,000 columns"):
        read(write("wide.csv", header + "\n1\n"))


def test_cells_that_are_lists_or_bytes_or_beyond_the_calendar_are_refused_not_a_crash(read, tmp_path):
    good = {"line": ["+14155550142"], "direction": ["outbound"], "sent_at": ["2026-09-01T12:00:00Z"]}
    path = tmp_path / "t.parquet"
    pl.DataFrame({**good, "chat_id": [[1, 2]]}).write_parquet(path)
    with pytest.raises(SourceError, match="chat_id holds lists or records"):
        read(path)
    pl.DataFrame({**good, "chat_id": [b"\xff\xfe"]}).write_parquet(path)
    assert _reasons(read(path)) == {"chat_id is not UTF-8 text"}
    pl.DataFrame({**good, "chat_id": pl.Series([2**30], dtype=pl.Int32).cast(pl.Date)}).write_parquet(path)
    assert _reasons(read(path)) == {"neither chat_id nor recipient is given"}


def test_a_record_beside_the_plain_column_is_left_out(read, tmp_path):
    path = tmp_path / "chats.parquet"
    pl.DataFrame({"chat_id": ["c1"], "line": ["+14155550142"], "health_status": [{"status": "AT_RISK", "updated_at": "2026-09-01T12:00:00Z"}]}).write_parquet(path)  # fmt: skip
    found = read(path)
    (health,) = found.spool.glob("health-*.parquet")
    assert pl.read_parquet(health)["health"].to_list() == ["AT_RISK"]


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('[file]\ndelimiter = "ab"', "delimiter is not one character"),
        ('[file]\ndelimiter = "\\n"', "delimiter is not one character"),
        ('[time]\nzone = "America"', "zone is unknown"),
        ('[time]\nzone = "../../etc/passwd"', "zone is unknown"),
        ('[time]\nzone = "Factory"', "zone is unknown"),
        ("x = " + "[" * 5000, "nested too deep"),
        ("x = " + "9" * 9000, "number too long"),
    ],
)
def test_a_mapping_file_made_to_break_the_reader_is_refused(write, store, toml, said):
    with pytest.raises(UsageError, match=said):
        pipeline.load(write("a.jsonl", LINE), store=store, mapping=write("map.toml", toml))


@pytest.mark.parametrize("name", ["earliest", "latest"])
@pytest.mark.parametrize("value", ["banana", "9999-12-31", "0001-01-01", ""])
def test_a_setting_that_is_no_day_is_refused_when_it_is_set(name, value):
    with pytest.raises(UsageError, match=f"{name} must be a day"):
        Settings(**{name: value})


def test_names_of_files_that_look_like_paths_or_options_are_names(write, store, command):
    folder = write("in/..%2f..%2fetc%2fpasswd.jsonl", LINE).parent
    write("in/--store=x.csv", "line,direction,sent_at,chat_id\n+14155550142,outbound,2026-09-01T12:00:00Z,c\n")
    write("in/$(touch owned).jsonl", LINE)
    code, out, _ = command("load", folder, "--store", store)
    assert code == 0, out
    assert sorted(p.name for p in store.parent.iterdir()) == [
        ".test.duckdb.lock",
        "test.duckdb",
        "test.duckdb.sources.json",
    ]
    assert not (folder / "owned").exists()


def test_a_link_out_of_the_folder_and_an_archive_are_not_unpacked(tmp_path, store, write, command):
    import zipfile

    with zipfile.ZipFile(tmp_path / "slip.zip", "w") as made:
        made.writestr("../../outside.jsonl", LINE)
    code, _, err = command("load", tmp_path / "slip.zip", "--store", store)
    assert code == 1
    assert err.count("\n") == 1
    assert not (tmp_path.parent.parent / "outside.jsonl").exists()


def test_a_damaged_actions_file_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"line,at,kind,label\n\xff\xfe,,,\n")
    with pytest.raises(SourceError, match="not a CSV file in UTF-8"):
        read_actions(path, frozenset(), Settings())
