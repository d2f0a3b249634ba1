"""No index keeps rows of large tables apart: what is told again, in part and in another file, is there once all the same."""

import duckdb
import pytest

from tests.store.refreshing import events_of, load

KEYS = {
    "message": "message_id",
    "chat": "chat_id, line",
    "chat_health": "chat_id, known_at, health",
    "opener": "line, chat_id",
    "activity": "line, slot",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of deliveries of which the later half was loaded twice, the second time with the rest in between."""
    folder = tmp_path_factory.mktemp("twice")
    rows, _ = events_of(folder / "fleet", lines=3, days=20, seed=6)
    half = len(rows) // 2
    for name, part in (("later", rows[half:]), ("all", rows), ("last", rows[-half // 4 :][::-1])):
        load(folder / "store.duckdb", folder, part, name)
    load(folder / "once.duckdb", folder, rows, "once")
    return folder / "store.duckdb", folder / "once.duckdb"


@pytest.mark.parametrize("table", KEYS)
def test_every_row_is_there_once_and_none_is_lost(store, table):
    rows = f"select distinct {KEYS[table]} from {table} order by all"
    for path in store:
        with duckdb.connect(str(path), read_only=True) as con:
            ((count, different),) = con.execute(
                f"select (select count(*) from {table}), count(*) from ({rows})"
            ).fetchall()
        assert count == different > 100, path.name
    twice, once = (duckdb.connect(str(path), read_only=True) for path in store)
    with twice, once:
        assert twice.execute(rows).fetchall() == once.execute(rows).fetchall()
