"""Hours of one day, loaded one after the other: what was learned at midnight stays, and is what a full recompute at any hour would learn."""

from datetime import timedelta

import polars as pl
import pytest

from analysis import pipeline
from tests.store.refreshing import fleet_store, same_as_in_full


@pytest.mark.parametrize(("lines", "seed"), [(1, 5), (4, 3)])
def test_whatever_the_hour_a_load_ends_in_the_marts_are_those_of_one_full_recompute(tmp_path, lines, seed):
    store = fleet_store(tmp_path, lines=lines, days=16, seed=seed)
    line, last = pipeline.lines(store)["line"][0], pipeline.lines(store)["last_at"].max()
    midnight = (last + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    for step, hours in enumerate((0.1, 0.2, 1.3)):
        at = midnight + timedelta(hours=hours)
        sent = {"message_id": f"x{step}", "line": line, "chat_id": f"y{step}", "direction": "outbound"}
        pl.DataFrame([sent | {"sent_at": f"{at.isoformat()}Z"}]).write_csv(tmp_path / "messages.csv")
        pipeline.load([tmp_path / "messages.csv"], store=store)
        assert same_as_in_full(store, tmp_path) == [], f"after {at}"
