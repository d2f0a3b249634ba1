"""What tests of increments share: every derived table of a store, beside those of a full recompute; and a made-up fleet's deliveries."""

import gzip
import re
import shutil

import duckdb
import polars as pl

from analysis import pipeline
from analysis.simulate import write_demo

FACTS = {
    "source",
    "quarantine",
    "message",
    "chat",
    "chat_health",
    "change",
    "setting",
    "folded",
    "pull_mark",
    "pull_run",
    "audit",
    "action",
    "alert",
}
LOADS = ("snapshot",)


def marts(path):
    """Every derived table, whole; and what meta keeps of the last refresh."""
    with duckdb.connect(str(path), read_only=True) as con:
        names = [n for (n,) in con.execute("select table_name from duckdb_tables() order by 1").fetchall()]
        kept = {n: con.sql(f"select * from {n} order by all").pl() for n in names if n not in FACTS}
    kept["meta"] = kept["meta"].filter(~pl.col("key").is_in(LOADS))
    return kept


def differing(one, other):
    return [name for name, frame in one.items() if not frame.equals(other[name])]


def same_as_in_full(store, tmp_path):
    """Names of marts that a full recompute of the same facts gives otherwise."""
    copy = tmp_path / "full.duckdb"
    copy.unlink(missing_ok=True)
    shutil.copy(store, copy)
    pipeline.refresh(store=copy, full=True)
    return differing(marts(store), marts(copy))


def made(line):
    """When an event was made; nothing for a broken line."""
    told = re.search(r'"created_at":"([0-9TZ:.-]+)"', line)
    return told.group(1) if told and line.rstrip().endswith("}") else None


def events_of(folder, *, lines, days, seed):
    """The webhook deliveries of a made-up fleet in order of time, and its tables."""
    write_demo(folder, lines=lines, days=days, seed=seed)
    rows = []
    for path in sorted(folder.glob("webhooks-*")):
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt") as file:
            rows += [line for line in file if made(line)]
    return sorted(rows, key=made), [p for p in folder.iterdir() if p.suffix in (".parquet", ".csv")]


def fleet_store(folder, *, lines, days, seed):
    """The store of a made-up fleet."""
    write_demo(folder / "fleet", lines=lines, days=days, seed=seed)
    pipeline.load([folder / "fleet"], store=folder / "store.duckdb")
    return folder / "store.duckdb"


def load(store, folder, rows, name):
    path = folder / f"{name}.jsonl"
    path.write_text("".join(rows))
    return pipeline.load([path], store=store)
