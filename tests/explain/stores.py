"""A World in, a store with its exports loaded out: for what people ask of a store on disk."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from analysis import pipeline
from tests.explain.builders import World


def stored(world: World, folder: Path) -> Path:
    """Write a World's messages, chats and changes as CSV tables and load them into a store of the folder."""
    messages, _, chat_health, _, transitions = world.frames()
    told = messages.select("message_id", "line", "chat_id", "direction", "at", "delivered_at", "failed_at", "failure_code", "service")  # fmt: skip
    files = {"messages.csv": told.rename({"at": "sent_at"})}
    if chat_health.height:
        lines = messages.group_by("chat_id").agg(pl.col("line").first())
        files["chats.csv"] = chat_health.join(lines, on="chat_id").rename({"at": "health_updated_at"})
    health = transitions.filter(pl.col("kind") == "health")
    files["transitions.csv"] = health.select("line", changed_at="at", previous_health="previous", new_health="new")
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in files.items():
        frame.write_csv(folder / name, datetime_format="%Y-%m-%dT%H:%M:%S%.3fZ")
    store = folder / "store.duckdb"
    report = pipeline.load([folder / name for name in files], store=store)
    assert report.totals["quarantined"] == 0
    return store
