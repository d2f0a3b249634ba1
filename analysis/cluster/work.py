"""Some lines of an exported folder in, their signals as Parquet out: what one worker does with one shard, by the product's own functions."""

from __future__ import annotations

import time
from datetime import datetime
from functools import lru_cache
from typing import Any

import polars as pl

from analysis.cluster.export import FACTS
from analysis.cluster.folder import Folder, of_line
from analysis.pipeline.opened import settings_of
from analysis.schema import CHAT_HEALTH, CHATS, MESSAGES, SPELLS
from analysis.settings import Settings
from analysis.signals import panel
from analysis.signals.judged import judge

TABLES = ("signal_day", "signal_hour")
Shard = tuple[int, list[str]]
"""Its number, and its lines in order."""


def part(table: str, number: int) -> str:
    """Return where a shard's part of a table is written."""
    return f"{table}/part-{number:06d}.parquet"


def count(source: str, out: str, shard: Shard) -> tuple[dict[str, int], float]:
    """Count the signals of a shard by day and hour, write both, and return how many rows each has, and the processor seconds it took.

    Writing is whole or not at all, and the same each time: a shard may be done twice, by two workers, or again after a kill.

    Args:
        source: folder of ``export.export``.
        out: folder for the tables.
        shard: number and lines.
    """
    number, lines = shard
    began = time.process_time()
    as_of, settings = known(source)
    messages, chats, chat_health = frames(source, lines)
    judged = judge(messages, chats, chat_health, as_of=as_of, settings=settings)
    spells, folder, rows = _spells(source), Folder(out), {}
    for table, grain in zip(TABLES, ("day", "hour"), strict=True):
        found = panel.counted(judged, spells, settings=settings, grain=grain)  # type: ignore[arg-type]
        folder.write(part(table, number), found)
        rows[table] = found.height
    return rows, time.process_time() - began


def frames(source: str, lines: list[str]) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return MESSAGES, CHATS and CHAT_HEALTH of some lines; a chat with messages on two of them is there once."""
    folder = Folder(source)
    messages, chats, health = (
        pl.concat([folder.frame(of_line(table, line), schema) for line in lines])
        for table, schema in (("messages", MESSAGES), ("chats", CHATS), ("chat_health", CHAT_HEALTH))
    )
    return messages, chats.unique("chat_id", maintain_order=True), health.unique(maintain_order=True)


@lru_cache(maxsize=4)
def known(source: str) -> tuple[datetime, Settings]:
    """Return the latest event and the settings of an exported folder; a worker reads them once."""
    facts: dict[str, Any] = Folder(source).json(FACTS)
    return datetime.fromisoformat(facts["as_of"]), settings_of(facts["settings"])


@lru_cache(maxsize=4)
def _spells(source: str) -> pl.DataFrame:
    return Folder(source).frame("spells.parquet", SPELLS)
