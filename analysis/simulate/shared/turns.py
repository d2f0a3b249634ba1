"""Turns of conversations: what living a line makes, and what scorers and frames are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Turns:
    """What was said, a row a turn, in order of time."""

    session: np.ndarray
    column: np.ndarray  # place in its conversation
    chat: np.ndarray
    at: np.ndarray
    outbound: np.ndarray
    size: np.ndarray
    gap: np.ndarray  # ms between its messages where fixed, else 0
    failed: np.ndarray
    blocked: np.ndarray  # by an incident
    answered: np.ndarray  # outbound: a person's turn follows in the conversation
    answer_at: np.ndarray  # when; the far future where none
    stop: np.ndarray  # an opt-out
    opener: np.ndarray
    rank: np.ndarray  # unanswered sends before it
    tag: np.ndarray
    key: np.ndarray

    def take(self, rows: np.ndarray) -> Turns:
        """Return these rows."""
        return Turns(**{name: value[rows] for name, value in vars(self).items()})


def joined(parts: list[Turns]) -> Turns:
    """Return all rows of these."""
    return Turns(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in vars(parts[0])})


def plain_turns(chat: np.ndarray, at: np.ndarray, key: np.ndarray, *, outbound: bool, tag: int = -1) -> Turns:
    """Return turns of one message that nobody answers."""
    n = len(chat)
    no, zero = np.zeros(n, dtype=bool), np.zeros(n, dtype=np.int64)
    return Turns(
        session=zero - 1, column=zero, chat=chat, at=at, outbound=no | outbound, size=zero + 1, gap=zero, failed=no, blocked=no, answered=no,
        answer_at=zero + NEVER, stop=no, opener=no, rank=zero, tag=zero + tag, key=key,
    )  # fmt: skip


@dataclass(frozen=True)
class Life:
    """One life of a line."""

    turns: Turns
    stopped_at: np.ndarray  # by chat: since when it is opted out
    returned_at: np.ndarray  # by chat: when its person wrote again after that
    first_touch: dict[int, int]  # by incident: the first event that it made or changed
