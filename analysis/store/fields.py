"""Which fields a message has, and the rules over them as SQL: which rows without an id are one message, and what adds to what is known."""

from __future__ import annotations

MIN_FIELDS = (
    "line",
    "chat_id",
    "recipient",
    "direction",
    "sent_at",
    "seen_at",
    "delivered_at",
    "read_at",
    "failed_at",
    "failure_code",
    "service",
    "fingerprint",
    "trace_id",
)
# what makes two rows without an id the same message: all but what becomes known later
_IDENTITY = ("line", "chat_id", "recipient", "direction", "sent_at", "seen_at", "service", "is_group", "fingerprint")
IDENTITY = ", ".join(_IDENTITY)
NAMED = " || '|' || ".join(f"coalesce({c}::varchar, '')" for c in _IDENTITY)


def adds(fields: tuple[str, ...], new: str, old: str) -> str:
    """Say in SQL whether a row tells more than another one: a field that is not known, or known later."""
    return " or ".join(f"({new}.{c} is not null and ({old}.{c} is null or {new}.{c} < {old}.{c}))" for c in fields)
