"""Raw rows of deliveries in, one at a time; columns out, and with the rules the facts of a block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from analysis.sources.checks import REFUSED, Rules
from analysis.sources.facts import RAW_CHANGES, RAW_CHATS, RAW_MESSAGES, Facts, change_facts, chat_facts, message_facts

PACKED = 1_000
"""Rows of which columns are made at once: a MB of deliveries."""
_TYPES: dict[str, pl.DataType | type[pl.DataType]] = {"position": pl.Int64, "is_group": pl.Boolean}


class Cells:
    """Rows of one kind, kept end to end in one list: a million of them are not a million objects, and a column is a slice.

    ``append`` takes a row, a tuple with a cell for each of the columns. ``pack`` makes columns of the rows so far: while their texts are
    still at hand for the processor that costs a third, and they take a third of the memory.
    """

    def __init__(self, columns: tuple[str, ...]) -> None:
        self.columns = columns
        self._schema = {c: _TYPES.get(c, pl.String) for c in columns}
        self._packed: list[pl.DataFrame] = []
        self._cells: list[Any] = []
        self.append = self._cells.extend

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows."""
        width = len(self.columns)
        for frame in self._packed:
            yield from frame.iter_rows()
        yield from (tuple(self._cells[n : n + width]) for n in range(0, len(self._cells), width))

    def __len__(self) -> int:
        """Count the rows."""
        return sum(f.height for f in self._packed) + len(self._cells) // len(self.columns)

    def put(self, column: str, value: Any) -> None:
        """Write one value into a column of every row."""
        self._packed = [f.with_columns(pl.lit(value, f.schema[column]).alias(column)) for f in self._packed]
        rows = len(self._cells) // len(self.columns)
        self._cells[self.columns.index(column) :: len(self.columns)] = [value] * rows

    def pack(self, least: int = 1) -> None:
        """Make columns of the rows that are none yet, where there are at least so many."""
        if len(self._cells) < least * len(self.columns):
            return
        width = len(self.columns)
        cells = [(c, self._cells[n::width], t) for n, (c, t) in enumerate(self._schema.items())]
        # of a column in which nothing is, no cell is looked at
        columns = [
            pl.Series(c, values, t) if values.count(None) < len(values) else _nothing(c, len(values), t)
            for c, values, t in cells
        ]
        self._packed.append(pl.DataFrame(columns))
        self._cells.clear()

    def frame(self) -> pl.DataFrame:
        """Return the rows as columns: position a whole number, is_group yes or no, all others text."""
        self.pack()
        return pl.concat(self._packed, rechunk=True) if self._packed else pl.DataFrame(schema=self._schema)


def _nothing(column: str, rows: int, dtype: pl.DataType | type[pl.DataType]) -> pl.Series:
    return pl.Series(column, [None], dtype).new_from_index(0, rows)


@dataclass
class Rows:
    """Raw rows of one block, by kind, with what was refused or ignored on the way."""

    messages: Cells = field(default_factory=lambda: Cells(RAW_MESSAGES))
    chats: Cells = field(default_factory=lambda: Cells(RAW_CHATS))
    changes: Cells = field(default_factory=lambda: Cells(RAW_CHANGES))
    refused: list[tuple[int, str, str, str]] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)

    def pack(self) -> None:
        """Make columns of the rows so far, where they are enough to be worth it."""
        for cells in (self.messages, self.chats, self.changes):
            cells.pack(PACKED)

    def refuse(self, position: int, kind: str, reason: str, fix: str) -> None:
        """Keep the reason why a record cannot be used."""
        self.refused.append((position, kind, reason, fix))

    def facts(self, rules: Rules) -> list[Facts]:
        """Return the typed facts of these rows; rows refused on the way are among them."""
        out = [Facts(refused=pl.DataFrame(self.refused, schema=REFUSED, orient="row"))]
        if self.messages:
            out.append(message_facts(self.messages.frame(), rules, line_needed=False))
        if self.chats:
            out.append(chat_facts(self.chats.frame(), rules))
        if self.changes:
            out.append(change_facts(self.changes.frame(), rules))
        return out
