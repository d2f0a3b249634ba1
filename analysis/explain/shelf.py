"""Histories of lines in, the same out of memory or from disk: those of a large fleet need not all be in memory."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path

from analysis.explain.history import LineHistory

HELD = 2_000_000
"""Messages of the lines whose histories (or rows, or cases) are held in memory: about 1 GB. Fleets with fewer never touch the disk."""


class Shelf(Mapping[str, LineHistory]):
    """Histories by line, in order of line: the ones used last are held in memory, the others are files of this process's own.

    Args:
        folder: for the files, which only their owner may read; whoever made it removes it.
        most: messages of the lines held, HELD where None; one line always is.
    """

    def __init__(self, folder: Path, most: int | None = None) -> None:
        self._folder, self._most = folder, HELD if most is None else most
        self._held: OrderedDict[str, LineHistory] = OrderedDict()
        self._known: dict[str, tuple[int, int, int]] = {}  # place, messages, first_at
        self._written: dict[str, int] = {}
        self._messages = 0

    def put(self, history: LineHistory) -> None:
        """Keep the history of a line that is not there yet."""
        self._known[history.line] = len(self._known), history.messages, history.first_at
        self._hold(history)

    def firsts(self) -> dict[str, int]:
        """Return when each line's first message was (ms), in order of line."""
        return {line: self._known[line][2] for line in self}

    def __getitem__(self, line: str) -> LineHistory:
        held = self._held.get(line)
        if held is not None:
            self._held.move_to_end(line)
            return held
        with self._file(line).open("rb") as file:
            history: LineHistory = pickle.load(file)  # its own file of a moment ago
        self._hold(history)
        return history

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._known))

    def __len__(self) -> int:
        return len(self._known)

    def _file(self, line: str) -> Path:
        return self._folder / f"{self._known[line][0]:06d}.history"

    def _hold(self, history: LineHistory) -> None:
        self._held[history.line] = history
        self._messages += history.messages
        while self._messages > self._most and len(self._held) > 1:
            line, oldest = self._held.popitem(last=False)
            self._messages -= oldest.messages
            worked_out = len(vars(oldest))
            if self._written.get(line) != worked_out:  # what was worked out since is kept too
                self._written[line] = worked_out
                with self._file(line).open("wb") as file:
                    pickle.dump(oldest, file, protocol=pickle.HIGHEST_PROTOCOL)


def firsts_of(known: Mapping[str, LineHistory]) -> dict[str, int]:
    """Return when each line's first message was (ms), without a look into those on disk."""
    return known.firsts() if isinstance(known, Shelf) else {line: history.first_at for line, history in known.items()}
