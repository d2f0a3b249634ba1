"""Where the time of a full refresh goes: every part is timed, nothing twice, and the store stays as it is."""

import shutil

from analysis.bench import parts
from analysis.explain import shelf


def test_every_part_of_a_full_refresh_is_timed_and_nothing_twice(demo_store, tmp_path, monkeypatch):
    monkeypatch.setattr(shelf, "HELD", 2_000)  # so that histories are written
    store = tmp_path / "store.duckdb"
    shutil.copy(demo_store, store)
    before = store.read_bytes()
    told = parts.measured(store)
    assert list(told.parts) == list(dict.fromkeys(part for part, *_ in parts.PARTS))
    assert all(used > 0 for _, used in told.parts.values())
    used, whole = sum(used for _, used in told.parts.values()), told.whole[1]
    assert 0.7 * whole < used <= whole
    assert store.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["store.duckdb"]
    rows = told.as_text().splitlines()
    assert rows[0].endswith(f"{told.explained} changes explained.")
    assert len(rows) == len(told.parts) + 6
