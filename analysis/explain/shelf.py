"""Histories of lines in, the same out of memory or from disk: those of a large fleet need not all be in memory."""

from __future__ import annotations

import pickle
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar

from analysis.explain.history import LineHistory
from analysis.explain.receipts import NO_SILENCE, Counts, Silent
from analysis.explain.running import Array

HELD = 1_250_000
"""Messages of the lines whose histories (or cases) are held in memory: about 0.2 GB (140 bytes a message, sums included). Fleets with fewer never touch the disk."""

Value = TypeVar("Value")


class Held(Generic[Value]):
    """What was worked out of lines, as far as it fits: of those asked for last, one always but where room was made.

    Args:
        most: messages of these lines, HELD where None.
        let_go: is told the line and what was held of it when it is held no longer.
    """

    def __init__(
        self, most: int | None = None, let_go: Callable[[str, Value], None] = lambda line, value: None
    ) -> None:
        self._room, self._let_go = HELD if most is None else most, let_go
        self._held: OrderedDict[str, tuple[int, Value]] = OrderedDict()  # messages of the line, value

    def get(self, line: str) -> Value | None:
        """Return what is held of a line."""
        if line not in self._held:
            return None
        self._held.move_to_end(line)
        return self._held[line][1]

    def put(self, line: str, messages: int, value: Value) -> Value:
        """Hold something of a line of so many messages, and return it."""
        self._held[line] = messages, value
        self._room -= messages
        self._let_go_of(0, but=1)
        return value

    def make_room(self, messages: int) -> None:
        """Let go of as much as so many messages need."""
        self._let_go_of(messages)

    def _let_go_of(self, messages: int, but: int = 0) -> None:
        while self._room < messages and len(self._held) > but:
            oldest, (size, last) = self._held.popitem(last=False)
            self._room += size
            self._let_go(oldest, last)


class Shelf(Mapping[str, LineHistory]):
    """Histories by line, in order of line: the ones used last are held in memory, the others are files of this process's own.

    Args:
        folder: for the files, which only their owner may read; whoever made it removes it.
        most: messages of the lines held, of ``Held``.
    """

    def __init__(self, folder: Path, most: int | None = None) -> None:
        self._folder, self._held = folder, Held[LineHistory](most, self._write)
        self._known: dict[str, tuple[int, int]] = {}  # place, first_at
        self.largest = 0
        """Messages of the largest line."""
        self._silent: dict[str, Silent] = {}  # of those held, until it is told which of these were lost
        self._lost: dict[str, tuple[Array, Array]] = {}
        self._marked: set[str] = set()  # of those held
        self._written: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs to read what is on disk (``put_away``)."""
        return {**vars(self), "_held": None, "_silent": {}, "_marked": set(), "_written": set(self._known)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Read the same files; of what is held there one line is enough."""
        vars(self).update(state)
        self._held = Held[LineHistory](0, self._write)

    def put(self, history: LineHistory) -> None:
        """Keep the history of a line that is not there yet."""
        self._known[history.line] = len(self._known), history.first_at
        self.largest = max(self.largest, history.messages)
        self._silent[history.line], history.silent = history.silent, NO_SILENCE
        self._held.put(history.line, history.messages, history)

    def make_room(self, messages: int) -> None:
        """Hold only as much as leaves room for a line of so many messages."""
        self._held.make_room(messages)

    def put_away(self) -> None:
        """Write all that is held, and hold none of it: other processes read it then."""
        self._held.make_room(sys.maxsize)

    def lost_by(self, counts: Counts) -> None:
        """Let every history that is asked for from now on know of the receipts that were lost, by those of all lines."""
        with ThreadPoolExecutor(2) as pool:  # searches, which run at the same time
            self._lost |= zip(
                self._known, pool.map(lambda line: self._silence(line).lost(counts), self._known), strict=True
            )
        self._silent.clear()

    def _silence(self, line: str) -> Silent:
        if line in self._silent:
            return self._silent[line]
        with self._file(line, ".silent").open("rb") as file:
            silent: Silent = pickle.load(file)  # its own file of a moment ago
        return silent

    def firsts(self) -> dict[str, int]:
        """Return when each line's first message was (ms), in order of line."""
        return {line: self._known[line][1] for line in self}

    def __getitem__(self, line: str) -> LineHistory:
        history = self._held.get(line)
        if history is None:
            with self._file(line).open("rb") as file:
                history = pickle.load(file)  # its own file of a moment ago
            self._held.put(line, history.messages, history)
        if line in self._lost and line not in self._marked:
            history.mark(*self._lost[line])
            self._marked.add(line)
        return history

    def __contains__(self, line: object) -> bool:
        return line in self._known  # a Mapping of its own accord would read it

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._known))

    def __len__(self) -> int:
        return len(self._known)

    def _file(self, line: str, kind: str = ".history") -> Path:
        return self._folder / f"{self._known[line][0]:06d}{kind}"

    def _write(self, line: str, history: LineHistory) -> None:
        self._marked.discard(line)
        if line in self._written:  # what was worked out since is sooner made again than written
            return
        self._written.add(line)
        self._dump(line, ".history", history)
        if line in self._silent:  # by itself: it is asked for once, of all lines
            self._dump(line, ".silent", self._silent.pop(line))

    def _dump(self, line: str, kind: str, value: Any) -> None:
        with self._file(line, kind).open("wb") as file:
            pickle.dump(value, file, protocol=pickle.HIGHEST_PROTOCOL)


def firsts_of(known: Mapping[str, LineHistory]) -> dict[str, int]:
    """Return when each line's first message was (ms), without a look into those on disk."""
    return known.firsts() if isinstance(known, Shelf) else {line: history.first_at for line, history in known.items()}
