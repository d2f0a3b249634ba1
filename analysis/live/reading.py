"""Lines, chats and messages of the API in; facts by the rules of every other source out.

A row is decoded to the declared fields only (sources/webhook.py): parts, names and effects are skipped by the decoder. Handles are
keyed pseudonyms in the facts, which are made page by page; the id that a chat is asked by stays in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

import msgspec
import polars as pl

from analysis.live.client import Client, RefusedError
from analysis.live.paging import walk
from analysis.schema import HEALTHS
from analysis.sources.checks import Rules
from analysis.sources.facts import Facts
from analysis.sources.fields import Fields
from analysis.sources.pseudonym import canonical_line
from analysis.sources.rows import Rows
from analysis.sources.times import instants
from analysis.sources.webhook import read_listed_chat, read_listed_message


class _State(msgspec.Struct):
    status: str | None = None


class _Line(msgspec.Struct):
    phone_number: str | None = None
    reputation: _State | None = None
    health_status: _State | None = None


class _Lines(msgspec.Struct):
    phone_numbers: list[_Line]


@dataclass(frozen=True)
class LineSeen:
    """One own line as the API shows it: its number as asked for, and its health; None where that is no known word."""

    number: str
    line: str
    health: str | None


@dataclass(frozen=True)
class ChatSeen:
    """One chat of a list: the id to ask for it (may tell a person: never kept), the store's name of it, when it last changed."""

    chat_id: str = field(repr=False)
    name: str
    updated_at: datetime | None
    is_group: bool | None = None


@dataclass
class Listed:
    """What one list gave: facts by block, rows seen (once each), and whether it was settled and still there."""

    facts: list[Facts] = field(default_factory=list)
    chats: list[ChatSeen] = field(default_factory=list)
    read: int = 0
    settled: bool = True
    gone: bool = False


class Reader:
    """Reads the API through an open client."""

    def __init__(self, client: Client, rules: Rules) -> None:
        self.client, self.rules = client, rules

    async def lines(self) -> list[LineSeen]:
        """Return the own lines, each once."""
        decoder = msgspec.json.Decoder(_Lines)
        told = await self.client.call("GET", "v3/phone_numbers", decoder.decode, what="the lines")
        found: dict[str, LineSeen] = {}
        for row in told.phone_numbers:
            if row.phone_number:
                states = [s.status for s in (row.reputation, row.health_status) if s is not None and s.status]
                word = states[0].upper() if states else ""
                line = canonical_line(row.phone_number)
                found.setdefault(line, LineSeen(row.phone_number, line, word if word in HEALTHS else None))
        return list(found.values())

    async def chats(self, line: LineSeen) -> Listed:
        """Return the chats of one line."""
        rows, seen, latest = Rows(), _Once(), dict[str, str | None]()
        groups: dict[str, bool | None] = {}
        found = Listed()

        def take(raw: msgspec.Raw) -> str | None:
            row = seen.take(raw, rows, read_listed_chat)
            if row is None:
                return None
            chat_id, updated_at, groups[row[0]] = row
            latest[chat_id] = max(latest.get(chat_id) or "", updated_at or "") or None
            return chat_id

        found.settled = await walk(
            self.client,
            "v3/chats",
            lambda page: page.chats,
            take,
            what="the chats of a line",
            query={"from": line.number},
        )
        found.read, found.facts = seen.read, rows.facts(self.rules)
        ids = pl.Series("id", list(latest), dtype=pl.String)
        times = instants(pl.Series("at", list(latest.values()), dtype=pl.String))
        names = self.rules.pseudonyms.ids(ids)
        found.chats = [
            ChatSeen(chat_id, name, at, groups[chat_id]) for chat_id, name, at in zip(ids, names, times, strict=True)
        ]
        return found

    async def messages(self, chat: ChatSeen) -> Listed:
        """Return the messages of one chat; ``gone`` where the API no longer knows the chat."""
        rows, seen = Rows(), _Once()
        found = Listed()
        try:
            found.settled = await walk(
                self.client,
                f"v3/chats/{quote(chat.chat_id, safe='')}/messages",
                lambda page: page.messages,
                lambda raw: row[0] if (row := seen.take(raw, rows, read_listed_message)) else None,
                what="the messages of a chat",
                query={},
            )
        except RefusedError as e:
            if e.status not in (404, 410):
                raise
            found.gone = True
        # a message of the list does not say that its chat is a group, whose members are not the chat's recipient
        rows.messages.put("is_group", chat.is_group)
        found.read, found.facts = seen.read, rows.facts(self.rules)
        return found


_Seen = tuple[str, str | None, bool | None]
_RowReader = Callable[[bytes, int, Rows], Fields | None]


class _Once:
    """Turns each different row into a raw row once: the same row on two pages, or in two readings, is one."""

    def __init__(self) -> None:
        self.read = 0
        self._known: dict[int, _Seen | None] = {}

    def take(self, raw: msgspec.Raw, rows: Rows, reader: _RowReader) -> _Seen | None:
        """Return the row's id, updated_at and is_group; None where it was refused, which ``rows`` tells."""
        name = hash(bytes(raw))
        if name not in self._known:
            self.read += 1
            row = reader(bytes(raw), self.read, rows)
            self._known[name] = (row.id or "", row.updated_at, row.is_group) if row is not None else None
        return self._known[name]
