"""What a made-up line leaves behind, as plain records: its chats, messages and changes; times in milliseconds, None for never."""

from __future__ import annotations

from dataclasses import dataclass, field

from analysis.simulate.causes import Episode, Plan
from analysis.simulate.scorer import Leaky


@dataclass(slots=True)
class Chat:
    """One conversation, its people and how they feel about it."""

    chat_id: str
    people: list[str]
    service: str
    created: int
    replies: float  # chance that its people answer a first ask
    mood: Leaky
    old: bool  # known before the export begins
    health: list[tuple[int, str]] = field(default_factory=list)
    streak: int = 0  # asks in a row without an answer, before the last one
    ask: int = 0
    waits: bool = False
    last: int = 0
    nags: int = 0
    stopped: bool = False

    @property
    def is_group(self) -> bool:
        """Whether more than one person is on the other side."""
        return len(self.people) > 1

    def say(self, at: int, health: str) -> None:
        """Note the chat's health from now on, where it changes."""
        if self.health[-1][1] != health:
            self.health.append((at, health))


@dataclass(slots=True)
class Message:
    """One message and what became of it."""

    message_id: str
    chat: Chat
    at: int
    outbound: bool
    sender: str
    text: bool
    delivered: int | None = None
    read: int | None = None
    failed: int | None = None
    code: int | None = None


@dataclass(slots=True)
class Change:
    """One change of a line's health or status with the episode that caused it."""

    at: int
    kind: str  # "health" | "status"
    previous: str
    new: str
    episode: Episode | None
    health: tuple[str, str]
    status: tuple[str, str]


@dataclass
class Burst:
    """Many sends in a short time, planted on purpose."""

    kind: str
    start: int
    end: int
    count: int


@dataclass
class Life:
    """All that happened on one line, in order of time."""

    plan: Plan
    chats: list[Chat]
    messages: list[Message]
    changes: list[Change]
    bursts: list[Burst]
