"""Reports of the health of one line's chats in, the states of any of them out."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import polars as pl

from analysis.explain.asks import ChatStates
from analysis.explain.running import NEVER


class LazyStates(Mapping[str, ChatStates]):
    """Chat health of one line's chats, read when first asked for.

    Args:
        frame: chat_id, at (ms), health, in order of chat.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame

    def __getstate__(self) -> dict[str, Any]:
        return {"frame": self.frame}

    @cached_property
    def _columns(self) -> tuple[list[str], list[int], list[str]]:
        """Chats, times and states, in order of the chats."""
        return self.frame["chat_id"].to_list(), self.frame["at"].to_list(), self.frame["health"].to_list()

    def first_at(self) -> int:
        """Return when the first of them became known (NEVER where none did)."""
        return int(self.frame["at"].min() or 0) if self.frame.height else NEVER  # type: ignore[arg-type]

    def __getitem__(self, chat: str) -> ChatStates:
        chats, at, health = self._columns
        low, high = bisect_left(chats, chat), bisect_right(chats, chat)
        if low == high:
            raise KeyError(chat)
        return ChatStates(zip(at[low:high], health[low:high], strict=True))

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(self._columns[0]))

    def __len__(self) -> int:
        return len(dict.fromkeys(self._columns[0]))
