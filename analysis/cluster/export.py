"""A store in, its messages as Parquet by line, with what the rest of the store says of them, out: what workers start from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from analysis.cluster.folder import Folder, of_line
from analysis.errors import StoreError, UsageError
from analysis.pipeline.opened import Where, reading
from analysis.pipeline.shards import shards
from analysis.store import read

FACTS, LINES = "facts.json", "lines.parquet"
LINE_SCHEMA = pl.Schema({"line": pl.String, "messages": pl.Int64})
VERSION = 2


@dataclass(frozen=True)
class Exported:
    """What was written."""

    lines: int
    messages: int
    bytes: int


def export(store: Where, to: str) -> Exported:
    """Write a store's facts as Parquet: messages, chats and chat_health by line; spells, transitions, gaps, observed; lines; facts.json.

    Texts stay as they are (lines, chat and message ids; recipients are pseudonyms in the store already): Parquet keeps each line's few chats
    as a dictionary, workers need ids for explanations and for the order of equal instants, and others can read the folder.

    Args:
        store: see pipeline.
        to: an empty or new folder, or a URL that fsspec understands.

    Raises:
        UsageError: the folder holds something.
        StoreError: the store has no message.
    """
    folder = Folder(to)
    if folder.holds():
        raise UsageError("the folder is not empty", where=folder.url, fix="name a new one")
    with reading(store) as con:
        at, firsts = read.newest(con), read.chat_firsts(con)
        if at is None or firsts.is_empty():
            raise StoreError("no message to export", fix="load exports first: linehealth load PATH")
        size = _by_line(con, folder, firsts)
        size += folder.write("spells.parquet", read.spells(con))
        size += folder.write("transitions.parquet", read.transitions(con))
        size += folder.write("gaps.parquet", read.gaps(con))
        size += folder.write("observed.parquet", read.observed_changes(con))
        lines = firsts.group_by("line").agg(pl.col("messages").sum()).sort("line").cast(dict(LINE_SCHEMA))  # type: ignore[arg-type]
        size += folder.write(LINES, lines)
        # last: a folder with this file is whole
        folder.write_json(FACTS, {"version": VERSION, "as_of": at.isoformat(), "settings": read.settings(con)})
    return Exported(lines.height, int(lines["messages"].sum()), size)


def _by_line(con: Any, folder: Folder, firsts: pl.DataFrame) -> int:
    chats, chat_health, size = read.chats(con), read.chat_health(con), 0
    of_lines = firsts.select("line", "chat_id")
    for lines in shards(firsts):
        parts = read.messages(con, lines=lines).partition_by("line", as_dict=True)
        theirs = of_lines.filter(pl.col("line").is_in(pl.Series(lines).implode())).partition_by("line", as_dict=True)
        for (line,), rows in parts.items():
            here = theirs[(line,)].select("chat_id")
            size += folder.write(of_line("messages", str(line)), rows)
            size += folder.write(of_line("chats", str(line)), chats.join(here, on="chat_id", how="semi"))
            size += folder.write(of_line("chat_health", str(line)), chat_health.join(here, on="chat_id", how="semi"))
    return size
