"""Some messages placed without the view are what the view says of them, also where some name no line or chat, or two lines claim one."""

from __future__ import annotations

import duckdb
import polars as pl
import pytest

from analysis import pipeline
from analysis.store.placed import all_placed, placed_on

_PLAIN = [
    ("1", "+12025550101", "a", "outbound", "2026-01-01T10:00:00Z", "+12025550901"),
    ("2", "+12025550101", "a", "inbound", "2026-01-01T11:00:00Z", "+12025550901"),
    ("3", "+12025550102", "b", "outbound", "2026-01-02T10:00:00Z", "+12025550902"),
]
_ODD = {
    "none": [],
    "without a chat": [("4", "+12025550101", None, "outbound", "2026-01-03T10:00:00Z", "+12025550901")],
    "on two lines": [
        ("5", "+12025550101", "c", "outbound", "2026-01-04T10:00:00Z", "+12025550903"),
        ("6", "+12025550102", "c", "outbound", "2026-01-04T11:00:00Z", "+12025550903"),
        ("7", "+12025550102", "c", "outbound", "2026-01-04T12:00:00Z", "+12025550903"),
    ],
}
_ODD["all"] = [row for rows in list(_ODD.values()) for row in rows]


@pytest.fixture(params=list(_ODD))
def store(request, tmp_path):
    names = ["message_id", "line", "chat_id", "direction", "sent_at", "recipient"]
    pl.DataFrame(_PLAIN + _ODD[request.param], schema=names, orient="row").write_csv(tmp_path / "sent.csv")
    pipeline.load([tmp_path / "sent.csv"], store=tmp_path / "placed.duckdb")
    with duckdb.connect(str(tmp_path / "placed.duckdb")) as con:
        if request.param == "all":  # events that came before what tells their line, their direction or when
            con.execute(
                "insert into message by name select * from (values ('8', 'a', null), ('9', 'nobody''s', null)) t(message_id, chat_id, direction)"
            )
            con.execute("update message set sent_at = '2026-01-05', failed_at = '2026-01-05' where line is null")
            con.execute(
                "insert into message by name select 10 as message_id, '+12025550102' as line, 'b' as chat_id, 'inbound' as direction"
            )
        yield con


def test_all_messages_are_placed_as_the_view_says(store):
    assert _rows(store, all_placed(store)) == _rows(store, "select * from messages")


@pytest.mark.parametrize("line", ["+12025550101", "+12025550102"])
def test_those_of_a_line_are_the_views(store, line):
    there = _rows(store, f"select * from ({placed_on(store)}) where line = $line", line=line)
    assert there == _rows(store, "select * from messages where line = $line", line=line)
    many = _rows(store, f"select * from ({placed_on(store, many=True)}) where line = $lines[1]", lines=[line])
    assert many == there != []


def _rows(con: duckdb.DuckDBPyConnection, sql: str, **values: object) -> list[tuple[object, ...]]:
    return con.execute(f"select columns(*) from ({sql}) order by message_id", values).fetchall()
