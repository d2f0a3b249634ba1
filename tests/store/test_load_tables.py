"""Loading tables, seen from outside: CSV and Parquet, of foreign columns and words too, whatever they are packed in."""

import gzip

import polars as pl
import pytest
import zstandard

from analysis import pipeline
from tests.events import LINE, at
from tests.store.loading import facts, loaded


@pytest.mark.parametrize("suffix", ["csv", "parquet", "parquet.gz", "csv.zst"])
def test_the_three_tables_load_from_csv_and_parquet(store, tmp_path, suffix):
    tables = {
        "a": pl.DataFrame(
            {
                "message_id": ["m1", "m2"],
                "line": [LINE] * 2,
                "chat_id": ["c1"] * 2,
                "direction": ["outbound", "inbound"],
                "sent_at": [at(1), at(2)],
            }
        ),
        "b": pl.DataFrame(
            {"line": [LINE], "changed_at": [at(3)], "previous_health": ["HEALTHY"], "new_health": ["at_risk"]}
        ),
        "c": pl.DataFrame(
            {
                "chat_id": ["c1"],
                "line": [LINE],
                "created_at": [at(-48)],
                "health": ["AT_RISK"],
                "health_updated_at": [at(2)],
            }
        ),
    }
    for name, frame in tables.items():
        path = tmp_path / f"{name}.{suffix}"
        if "parquet" in suffix:
            frame.write_parquet(path)
            data = path.read_bytes()
        else:
            data = frame.write_csv().encode()
        path.write_bytes(
            gzip.compress(data)
            if suffix.endswith("gz")
            else zstandard.ZstdCompressor().compress(data)
            if suffix.endswith("zst")
            else data
        )
    report = loaded(store, tmp_path)
    assert {s.kind for s in report.sources} == {"messages", "transitions", "chats"}
    day = pipeline.signals(store).row(0, named=True)
    assert (day["outbound"], day["inbound"], day["new_conversations"], day["chats_at_risk"], day["health"]) == (
        1,
        1,
        0,
        1,
        "AT_RISK",
    )


def test_parquet_with_native_types_and_nested_vendor_fields(store, tmp_path):
    from datetime import UTC, datetime

    frame = pl.DataFrame(
        {
            "id": ["m1"], "chat": [{"id": "c1", "owner_handle": {"handle": LINE}}], "direction": ["outbound"], "text": ["SECRET"],
            "sent_at": [datetime(2026, 9, 1, 12, 0, 0, 123999, tzinfo=UTC)],
        }
    )  # fmt: skip
    frame.write_parquet(tmp_path / "m.parquet")
    facts(store, tmp_path / "m.parquet")
    assert pipeline.records(pipeline.messages(store))[0]["at"] == "2026-09-01T12:00:00.123Z"


def test_a_mapping_file_reads_foreign_columns_words_and_times(store, write):
    table = write(
        "foreign.csv", "nr;wohin;richtung;zeit\n9;17;raus;1788264000\n9;17;rein;1788264060\n9;18;seitwärts;1788264060\n"
    )
    mapping = write(
        "map.toml",
        '[columns]\nline = "nr"\nrecipient = "wohin"\ndirection = "richtung"\nsent_at = "zeit"\n[constants]\nservice = "SMS"\n'
        '[values.direction]\nraus = "outbound"\nrein = "inbound"\n[time]\nunit = "s"\n',
    )
    report = facts(store, table, mapping=mapping)
    assert (report.totals["inserted"], report.totals["quarantined"]) == (2, 1)
    assert pipeline.messages(store).select("line", "direction", "service").rows() == [
        ("9", "outbound", "SMS"),
        ("9", "inbound", "SMS"),
    ]
    assert pipeline.records(pipeline.messages(store))[0]["at"] == "2026-09-01T12:00:00.000Z"


def test_times_without_a_zone_are_utc_and_the_report_says_so(store, write):
    path = write("m.csv", f"line,chat_id,direction,sent_at\n{LINE},c1,outbound,2026-09-01 12:00:00\n")
    report = facts(store, path)
    assert report.sources[0].notes == ["1 times without a zone were taken as UTC"]
