"""How many messages each line has in, groups of lines of a size that fits into memory out."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

MESSAGES = 2_000_000
"""Messages worked on at once: about 1.5 GB while they are judged and counted (measured, analysis/bench)."""


def shards(firsts: pl.DataFrame, *, most: int = MESSAGES) -> list[list[str]]:
    """Return the lines of chats in groups of at most so many messages, as ``grouped``.

    Args:
        firsts: of ``read.chat_firsts``: line and messages of every chat.
        most: messages of a group.
    """
    counts = firsts.group_by("line").agg(pl.col("messages").sum()).sort("line")
    return grouped(dict(counts.iter_rows()), most=most)


def grouped(messages: Mapping[str, int], *, most: int = MESSAGES) -> list[list[str]]:
    """Return lines in groups of at most so many messages, in order of line; a larger line is a group of its own.

    Args:
        messages: line to how many messages it has.
        most: messages of a group.
    """
    found: list[list[str]] = []
    room = 0
    for line, count in sorted(messages.items()):
        if count > room or not found:
            found.append([])
            room = most
        found[-1].append(line)
        room -= count
    return found
