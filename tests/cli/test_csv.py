"""CSV that a spreadsheet shows and does not run, from the command line and from the app, with lines that programs can read back."""

import csv
import io

import polars as pl
import pytest

from analysis import pipeline
from analysis.pages._export import csv_bytes

EVIL = ["=HYPERLINK(1)", "+cmd|' /C calc'!A1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1", "+1 415 555 0101"]
PLAIN = ["+14155550101", "-5", "-0.5", "a=b", "", "1-2", "’=1"]


@pytest.mark.parametrize("writer", [lambda f: pipeline.as_csv(f).encode(), csv_bytes], ids=["command", "app"])
@pytest.mark.parametrize("column", ["line", "chat_id"])
def test_what_would_begin_a_formula_gets_an_apostrophe_and_plain_numbers_stay(writer, column):
    frame = pl.DataFrame({column: [*EVIL, *PLAIN, None]})
    told = [row[0] if row else "" for row in csv.reader(io.StringIO(writer(frame).decode(), newline=""))][1:]
    assert told[: len(EVIL)] == [f"'{text}" for text in EVIL]
    assert told[len(EVIL) : -1] == PLAIN


def test_signals_of_a_line_that_is_a_formula_are_safe_in_the_file(store, write, command, tmp_path):
    write(
        "m.csv",
        "message_id,line,chat_id,direction,sent_at\n1,=1+1,c,outbound,2026-03-01T00:00:00Z\n2,+14155550101,d,outbound,2026-03-01T00:00:00Z\n",
    )
    pipeline.load(tmp_path / "m.csv", store=store)
    out = tmp_path / "s.csv"
    assert command("signals", "--store", store, "--out", out)[0] == 0
    rows = out.read_text().splitlines()[1:]
    assert sorted(row.split(",")[0] for row in rows) == ["'=1+1", "+14155550101"]
