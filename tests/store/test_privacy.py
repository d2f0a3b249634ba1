"""No message text and no plain recipient of the demo fleet's exports is anywhere in the store, its listings or its explanations."""

import gzip
import json
import re

import duckdb
import polars as pl
import pytest

from analysis import pipeline


@pytest.fixture(scope="module")
def secrets(demo_files) -> set[str]:
    """Every text, number and address of people that the exports hold; own lines are not personal data."""
    truth = json.loads((demo_files / "truth.json").read_text())
    texts = set(truth["phrases"])
    people: set[str] = set()
    for path in demo_files.iterdir():
        if path.suffix == ".parquet":
            frame = pl.read_parquet(path)
            people |= set(frame["recipient"].drop_nulls()) if "recipient" in frame.columns else set()
        elif path.name != "truth.json":
            raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            people |= set(re.findall(r"\+\d{11}|\b[\w.]{1,40}@[\w.]{1,60}\w", raw.decode("utf-8", "replace")))
    people -= {line["line"] for line in truth["lines"]}
    assert len(texts) > 3
    assert len(people) > 1000
    return texts | people | {p.lstrip("+") for p in people}


def test_no_text_and_no_person_is_in_any_table_or_listing(demo_store, secrets):
    with duckdb.connect(str(demo_store), read_only=True) as con:
        tables = [
            name for (name,) in con.execute("select table_name from duckdb_tables() where not internal").fetchall()
        ]
        kept = "\n".join(con.sql(f"select * from {table}").pl().write_ndjson() for table in tables)
    told = json.dumps(pipeline.records(pipeline.quarantine(demo_store))) + "\n".join(
        pipeline.as_text(e) for e in pipeline.explanations(demo_store)
    )
    words = set(re.findall(r"\+?[\w.@-]+", kept + told))
    assert len(words) > 10_000
    assert not {s for s in secrets if s in words}
    assert not {s for s in secrets if " " in s and s in kept + told}
