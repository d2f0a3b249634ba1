"""How many messages each line has in, groups of lines of a size that fits into memory out: read one by one, worked on two at once."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import polars as pl

from analysis import schema
from analysis.store import read_counted

MESSAGES = 1_000_000
"""Messages of a group: about 0.7 GB while they are judged and counted (measured, analysis/bench)."""
_CHATS_OF = 4_000_000
"""Messages of the groups whose chats are read together: to find those of some lines looks at all."""
AT_ONCE = 2
"""Groups worked on at once, where there are as many cores: what numpy does runs on one."""


class Group(NamedTuple):
    """What counting takes of some lines."""

    messages: pl.DataFrame
    """MESSAGES, or those columns of it that are counted."""
    chats: pl.DataFrame
    """CHATS of these."""
    health: pl.DataFrame
    """CHAT_HEALTH of these."""
    born: pl.DataFrame | None = None
    """line, first_at of each line's first message, and since, from when on it is counted, where ``messages`` may begin later."""

    @property
    def size(self) -> int:
        """How many messages it has."""
        return self.messages.height


Read = TypeVar("Read")
Made = TypeVar("Made")


def shards(firsts: pl.DataFrame, *, most: int = MESSAGES) -> list[list[str]]:
    """Return the lines of chats in groups of at most so many messages, as ``grouped``.

    Args:
        firsts: line and messages, of every chat (``read.chat_firsts``) or line (``read_counted.line_sizes``).
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


def group_of(
    messages: pl.DataFrame, chats: pl.DataFrame, chat_health: pl.DataFrame, born: pl.DataFrame | None = None
) -> Group:
    """Return messages with what belongs to their chats and lines, out of what is known of all."""
    here = messages.select("chat_id").unique()
    own = None if born is None else born.join(messages.select("line").unique(), on="line", how="semi")
    return Group(
        messages, chats.join(here, on="chat_id", how="semi"), chat_health.join(here, on="chat_id", how="semi"), own
    )


def whole_lines(
    con: Any,
    firsts: pl.DataFrame,
    done: Callable[[float], None] = lambda share: None,
    *,
    most: int = MESSAGES,
    columns: pl.Schema = schema.MESSAGES,
) -> Iterator[Group]:
    """Read all lines of a store, a group after the other, and hold no more than that one.

    Args:
        con: an open store.
        firsts: as for ``shards``.
        done: is told what share was read, after each group.
        most: messages of a group.
        columns: those of MESSAGES to read; messages are in any order.
    """
    groups = shards(firsts, most=most)
    del firsts  # of every chat, perhaps
    together = max(1, _CHATS_OF // most)
    for number, lines in enumerate(groups):
        if number % together == 0:
            these = [line for group in groups[number : number + together] for line in group]
            chats, chat_health = read_counted.chats(con, these), read_counted.chat_health(con, these)
        messages, own = read_counted.messages(con, lines, columns=columns), pl.col("line").is_in(lines)
        group = [Group(messages, chats.filter(own), chat_health.filter(own).select(schema.CHAT_HEALTH.names()))]
        del messages  # only who works on it holds it: another one is read meanwhile
        if group[0].size:
            yield group.pop()
        done((number + 1) / len(groups))


def side_by_side(
    read: Iterable[Read],
    work: Callable[[Read], Made],
    *,
    size: Callable[[Read], int] = lambda group: 0,
    most: int = 0,
) -> Iterator[Made]:
    """Yield what is made of each group, in their order: the next one is read while those before are worked on, AT_ONCE of them.

    Args:
        read: gives one group after the other, in the caller's thread.
        work: makes something of a group, in a thread of its own; touches nothing that others do.
        size: how large a group is.
        most: those at work are no larger together; a larger one is worked on alone, and nothing read meanwhile.
    """
    with ThreadPoolExecutor(min(AT_ONCE, os.cpu_count() or 1)) as pool:
        waiting: deque[tuple[int, Future[Made]]] = deque()
        for group in read:
            large = size(group)
            while waiting and sum(of for of, _ in waiting) + large > most:
                yield waiting.popleft()[1].result()
            waiting.append((large, pool.submit(_taken, work, [group])))
            del group  # only the work holds it, and may let go of what it needs no more
            # beside a large one nothing is read either: the next may be as large
            if len(waiting) >= AT_ONCE or sum(of for of, _ in waiting) > most:
                yield waiting.popleft()[1].result()
        while waiting:
            yield waiting.popleft()[1].result()


def _taken(work: Callable[[Read], Made], given: list[Read]) -> Made:
    """Do the work on what a list holds, which then holds it no more: an executor keeps what it is given until the work is done."""
    return work(given.pop())
