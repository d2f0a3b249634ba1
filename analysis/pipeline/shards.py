"""How many messages each line has in, groups of lines of a size that fits into memory out."""

from __future__ import annotations

import polars as pl

MESSAGES = 2_000_000
"""Messages worked on at once: about 1.5 GB while they are judged and counted (measured, analysis/bench)."""


def shards(firsts: pl.DataFrame, *, most: int = MESSAGES) -> list[list[str]]:
    """Return the lines in groups of at most so many messages, in order of line; a larger line is a group of its own.

    Args:
        firsts: of ``read.chat_firsts``: line and messages of every chat.
        most: messages of a group.
    """
    counts = firsts.group_by("line").agg(pl.col("messages").sum()).sort("line")
    found: list[list[str]] = []
    room = 0
    for line, messages in counts.iter_rows():
        if messages > room or not found:
            found.append([])
            room = most
        found[-1].append(line)
        room -= messages
    return found
