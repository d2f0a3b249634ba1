"""How many messages each line has in, groups of lines of a size that fits into memory out; and two groups worked on at once."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import polars as pl

MESSAGES = 1_000_000
"""Messages of a group: about 0.7 GB while they are judged and counted (measured, analysis/bench)."""
AT_ONCE = 2
"""Groups worked on at once, where there are as many cores: what numpy does runs on one."""

Read = TypeVar("Read")
Made = TypeVar("Made")


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


def side_by_side(read: Iterable[Read], work: Callable[[Read], Made]) -> Iterator[Made]:
    """Return what is made of each group, in their order: the next one is read while those before are worked on, AT_ONCE of them.

    Args:
        read: gives one group after the other, in the caller's thread.
        work: makes something of a group, in a thread of its own; touches nothing that others do.
    """
    with ThreadPoolExecutor(min(AT_ONCE, os.cpu_count() or 1)) as pool:
        waiting: deque[Future[Made]] = deque()
        for group in read:
            waiting.append(pool.submit(work, group))
            if len(waiting) >= AT_ONCE:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
