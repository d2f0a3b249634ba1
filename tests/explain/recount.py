"""Slow plain recounts of a made-up world, by the words of METHOD.md and of the contract: what figures are held against."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.explain.builders import START, World


def ms(day: float) -> int:
    """A day after START as the product counts: milliseconds since 1970, UTC."""
    return round((START.replace(tzinfo=UTC) + timedelta(days=day)).timestamp() * 1000)


def day_of(text: str) -> float:
    """An ISO instant as days after START."""
    return (datetime.fromisoformat(text).replace(tzinfo=None) - START) / timedelta(days=1)


def asks_of(world: World, line: str = "+1"):
    """Every ask by the words of METHOD.md: first, last, class, unanswered in a row before it, reply, service, all failed."""
    mine = [m for m in world.messages if m["line"] == line]
    first_of_line, asks, chats = min(m["at"] for m in mine), [], {}
    for m in mine:
        chats.setdefault(m["chat_id"], []).append(m)
    for chat, rows in chats.items():
        rows.sort(key=lambda m: (m["at"], m["direction"] == "inbound", m["message_id"]))
        own, last_in = [], None
        for m in rows:
            if m["direction"] == "inbound":
                last_in = m["at"]
                if own and own[-1]["reply"] is None:
                    own[-1]["reply"] = m["at"]
                continue
            at, silent = m["at"], bool(own) and (last_in is None or last_in <= own[-1]["last"])
            if silent and at - own[-1]["last"] <= timedelta(minutes=10):
                own[-1]["times"].append(at)
                own[-1] |= {"last": at, "failed": own[-1]["failed"] and m["failed"]}
                continue
            old = at - first_of_line > timedelta(days=7)
            if not own and last_in is None:
                kind = "opens a chat" if old else "takes up again"
            elif not silent and at - last_in <= timedelta(hours=24):
                kind = "answers"
            elif silent and at - own[-1]["last"] <= timedelta(hours=72):
                kind = "follows up"
            else:
                kind = "takes up again"
            streak = own[-1]["streak"] + 1 if silent else 0
            own.append(
                {"chat": chat, "first": at, "times": [at], "last": at, "kind": kind, "streak": streak, "reply": None, "service": m["service"], "failed": m["failed"]}
            )  # fmt: skip
        asks += own
    for ask in asks:
        if ask["reply"] is not None and ask["reply"] - ask["last"] > timedelta(hours=72):
            ask["reply"] = None
    return asks
