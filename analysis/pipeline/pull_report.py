"""What a pull tells while it goes on, and what it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Pulling:
    """One moment of a pull: what it does, how many chats of how many are read, calls so far and a second, seconds left."""

    words: str
    done: int = 0
    total: int = 0
    calls: int = 0
    rate: float = 0.0
    left_s: float | None = None


Shown = Callable[[Pulling], None]


@dataclass
class PullReport:
    """What a pull did, or (``dry_run``) would do."""

    lines: int = 0
    chats: int = 0
    """Chats that the API lists."""
    to_read: int = 0
    """Of these, chats whose messages were to be read: changed since the last pull."""
    chats_read: int = 0
    gone: int = 0
    """Chats that the API no longer knew when their messages were asked for."""
    unsettled: int = 0
    """Lists whose rows moved through every reading: what was seen is kept, the next pull looks again."""
    skipped: int = 0
    """Chats that lie before ``since``."""
    read: int = 0
    inserted: int = 0
    merged: int = 0
    duplicates: int = 0
    ignored: int = 0
    """Of people who are forgotten."""
    quarantined: int = 0
    calls: int = 0
    repeats: int = 0
    seconds: float = 0.0
    resumed: bool = False
    """It went on with a run that was stopped."""
    gaps_before: int = 0
    gaps_after: int = 0
    """Gaps in the deliveries before and after: pulled rows close those that the API still has rows of."""
    health: dict[str, str | None] = field(default_factory=dict)
    """Each line's health as the API shows it now; None: no word that we know."""
    dry_run: bool = False
    calls_needed: int = 0
    """Dry run: calls that the same pull would cost now, listing included."""
    seconds_needed: float = 0.0
    """Dry run: the time of these calls at the pace."""
    since: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the report as `linehealth pull --json` prints it."""
        return {**asdict(self), "seconds": round(self.seconds, 3), "seconds_needed": round(self.seconds_needed, 1)}
