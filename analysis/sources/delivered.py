"""The body of one webhook delivery in, one line for the disk out, and back to raw rows: no content, no plain recipient on the way.

The receiver keeps this line instead of the body. What is read back gives the same facts, refusals and counts as ``load`` gives for
the body itself: a value that would be refused is replaced by one that is refused for the same reason and tells nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec
import polars as pl

from analysis.schema import CHAT_HEALTHS, HEALTHS, STATUSES
from analysis.sources import facts, webhook
from analysis.sources.pseudonym import Pseudonyms, canonical_handle, canonical_line, tells_a_person
from analysis.sources.rows import Rows
from analysis.sources.times import instants

_BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
"""What Polars strips from a text (Unicode White_Space); Python's own list has four more."""
_LONGEST = 400
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")
_NUMBER = re.compile(r"\d+(\.\d+)?")
_CODE = re.compile(r"[A-Za-z_]{0,24}\d{0,6}")
_TRACE = re.compile(r"[0-9a-f-]{16,40}")
_NO_WORD = "?"
"""Stands for a word or a time that cannot be used: refused (or left out) for the reason of the original."""


_T: TypeAlias = str | None
_B: TypeAlias = bool | None
_Message = tuple[_T, _T, _T, _T, _T, _T, _T, _T, _T, _T, _T, _T, _B, _T, _T, _T, _T, _T]
_Chat = tuple[_T, _T, _T, _B, _T, _T, _T]
_Change = tuple[_T, _T, _T, _T, _T, _T]
"""Rows of facts.RAW_MESSAGES, RAW_CHATS and RAW_CHANGES without position: a line that a disk damaged is known by their types."""


class Kept(msgspec.Struct, array_like=True):
    """One delivery as it lies on the disk: when it came (ms, UTC), its rows without position, and what was refused or ignored."""

    at: int
    messages: list[_Message]
    chats: list[_Chat]
    changes: list[_Change]
    refused: list[tuple[str, str, str]]
    ignored: dict[str, int]


_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder(Kept).decode
Cell = Callable[[str | None], str | None]


class Keeper:
    """Makes the line that is kept of a delivery; recipients get their keyed names here, before anything is written."""

    def __init__(self, people: Pseudonyms) -> None:
        self.people = people
        time, line, word = _cell(_time), _cell(canonical_line), _word
        one, who = _cell(self._id), _cell(self._person)
        health = word(CHAT_HEALTHS)
        self._messages: tuple[Cell | None, ...] = (
            one, line, one, who, word(tuple(facts._DIRECTIONS)), time, time, time, time, time, _cell(_code), _cell(_service), None,
            _nothing, _cell(_trace), health, time, time,
        )  # fmt: skip
        self._chats: tuple[Cell | None, ...] = (one, line, who, None, time, health, time)
        self._changes: tuple[Cell | None, ...] = (
            line,
            time,
            word(HEALTHS),
            word(HEALTHS),
            word(STATUSES),
            word(STATUSES),
        )

    def keep(self, body: bytes, at: int) -> tuple[bytes, str]:
        """Return the line of a delivery, without its end, and what it is: used, ignored, or quarantined.

        Args:
            body: the request's body as it came. Its content is skipped by the decoder, never decoded.
            at: when it came, ms since 1970, UTC.
        """
        rows = Rows()
        webhook.read_line(body, 0, rows)
        kept = Kept(
            at,
            [_cells(row, self._messages) for row in rows.messages],
            [_cells(row, self._chats) for row in rows.chats],
            [_cells(row, self._changes) for row in rows.changes],
            [(kind, reason, fix) for _, kind, reason, fix in rows.refused],
            dict(rows.ignored),
        )
        used = bool(kept.messages or kept.chats or kept.changes)
        return _encode(kept), "used" if used else "quarantined" if kept.refused else "ignored"

    def _id(self, text: str) -> str:
        return self.people.name(text, "h_") if tells_a_person(text) else text

    def _person(self, text: str) -> str:
        return self.people.name(canonical_handle(text), "p_")


def _cells(row: tuple[Any, ...], cells: tuple[Cell | None, ...]) -> Any:
    return tuple(value if cell is None else cell(value) for value, cell in zip(row[1:], cells, strict=True))


def _cell(used: Callable[[str], str | None]) -> Cell:
    """Return what turns one text into the one to keep; a text that every reader refuses keeps only why."""

    def cell(value: str | None) -> str | None:
        if value is None or not (text := value.strip(_BLANKS)):
            return None
        wrong = ("\x00" if "\x00" in text else "") + ("\ufffd" if "\ufffd" in text else "")
        if len(text) > _LONGEST // 4 and len(text.encode("utf-8", "replace")) > _LONGEST:
            wrong += "x" * (_LONGEST + 1)
        return wrong or used(text)

    return cell


def _word(words: tuple[str, ...]) -> Cell:
    known = {word.lower(): word for word in words}
    return _cell(lambda text: known.get(re.sub(r"[\s-]", "_", text.lower()), _NO_WORD))


def _nothing(value: str | None) -> None:
    """Webhooks have no such field."""


def _time(text: str) -> str:
    if _TIME.fullmatch(text) or instants(pl.Series([text]))[0] is not None:
        return text
    return "0" if _NUMBER.fullmatch(text) else _NO_WORD


def _code(text: str) -> str:
    return text if _CODE.fullmatch(text) else "other"


def _service(text: str) -> str:
    return facts._SERVICES.get(text.lower(), "other")


def _trace(text: str) -> str | None:
    return text if _TRACE.fullmatch(text) else None


class Named(Pseudonyms):
    """Stands where names are given, for rows whose recipients and ids were named when they came."""

    def __init__(self) -> None:
        super().__init__(b"")

    def recipients(self, series: pl.Series) -> pl.Series:
        """Return them as they are."""
        return series

    def ids(self, series: pl.Series, *, repeated: bool = False) -> pl.Series:
        """Return them as they are."""
        return series


def read_kept(line: bytes, position: int, rows: Rows) -> None:
    """Sort one kept line into ``rows``; raises ValueError where it is damaged."""
    kept = _decode(line)
    for cells, told in ((rows.messages, kept.messages), (rows.chats, kept.chats), (rows.changes, kept.changes)):
        for row in told:
            cells.append((position, *row))
    for kind, reason, fix in kept.refused:
        rows.refuse(position, kind, reason, fix)
    rows.ignored.update(kept.ignored)
