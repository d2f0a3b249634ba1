"""Webhook deliveries as the vendor sends them, made by hand for tests: one function an event kind."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

LINE = "+14155550142"
START = datetime(2026, 9, 1, 12)


def at(hours: float) -> str:
    return (START + timedelta(hours=hours)).isoformat(timespec="milliseconds") + "Z"


def _id(*parts: object) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(map(str, parts))))


def envelope(kind: str, data: dict, hours: float, version: str = "2026-02-03") -> dict:
    return {
        "api_version": "v3",
        "webhook_version": version,
        "event_type": kind,
        "event_id": _id(kind, hours, sorted(map(str, data.items()))),
        "created_at": at(hours),
        "trace_id": "3ef4205a64b950f29c8a7b654f10f766",
        "partner_id": _id("partner"),
        "data": data,
    }


def message(
    kind: str, message_id: str, hours: float, *, chat: str = "chat-1", line: str = LINE, person: str = "+12065550117",
    health: str = "HEALTHY", health_at: float = 0.0, later: float = 0.01, **more: object,
) -> dict:  # fmt: skip
    """A v2 message event about a message of `hours`; delivered and read come `later`."""
    inbound = kind == "message.received"
    mine = {
        "id": _id(line),
        "handle": line,
        "service": "iMessage",
        "is_me": True,
        "status": "active",
        "joined_at": at(0),
    }
    theirs = {
        "id": _id(person),
        "handle": person,
        "service": "iMessage",
        "is_me": False,
        "status": "active",
        "joined_at": at(0),
    }
    data = {
        "id": message_id,
        "chat": {
            "id": chat,
            "is_group": False,
            "owner_handle": mine,
            "health_status": {"status": health, "updated_at": at(health_at)},
        },
        "direction": "inbound" if inbound else "outbound",
        "sender_handle": theirs if inbound else mine,
        "service": "iMessage",
        "parts": [{"type": "text", "value": "SECRET words nobody may keep"}],
        "sent_at": at(hours),
        "delivered_at": at(hours + later) if kind in ("message.delivered", "message.read") else None,
        "read_at": at(hours + later) if kind == "message.read" else None,
        **more,
    }
    return envelope(kind, data, hours + (0 if inbound or kind == "message.sent" else later))


def failed(message_id: str, hours: float, *, chat: str = "chat-1", code: int = 4001) -> dict:
    data = {
        "chat_id": chat,
        "message_id": message_id,
        "code": code,
        "reason": "Message delivery failed",
        "service": "iMessage",
        "failed_at": at(hours),
    }
    return envelope("message.failed", data, hours)


def changed(
    hours: float,
    previous: str | None,
    new: str,
    *,
    line: str = LINE,
    names: str = "reputation",
    status: tuple[str, str] = ("ACTIVE", "ACTIVE"),
) -> dict:
    data = {"phone_number": line, "previous_status": status[0], "new_status": status[1], "changed_at": at(hours)}
    if names:
        data |= {f"previous_{names}": previous, f"new_{names}": new}
    return envelope("phone_number.status_updated", data, hours)


def created(chat: str, hours: float, *, line: str = LINE, person: str = "+12065550117") -> dict:
    handles = [{"handle": line, "is_me": True}, {"handle": person, "is_me": False}]
    return envelope(
        "chat.created",
        {"id": chat, "display_name": person, "is_group": False, "created_at": at(hours), "handles": handles},
        hours,
    )
