"""Effects of all drivers on a line at one time: a record that the rooms of the drivers fill in."""

from __future__ import annotations

from dataclasses import dataclass, field

from analysis.explain.running import Span
from analysis.explain.window import Window


@dataclass
class Effects:
    """Effects per driver at one time, with the window in which each was largest."""

    t: int
    x: dict[str, float]
    windows: dict[str, Span] = field(default_factory=dict)
    window: Window | None = None
    sends_week: int = 0
    asks_week: int = 0
    nagging: bool = False
    """Engagement is told by late follow-ups; else by replies, or where these are as usual by unhealthy chats (``ill``)."""
    ill: bool = False
    but_ill: float = 0.0
    """Engagement without its unhealthy chats."""
    spread: dict[str, float] = field(default_factory=dict)
    """Standard deviation of each effect by chance alone."""
    amount: dict[str, float] = field(default_factory=dict)
    first_seen: int | None = None
    """On a line too young for a usual of openers: the most chats written to for the first time on a day before the burst."""
    limit: str = ""
    """Which published limit a burst is above, where that is what counts ("new" or "messages")."""
