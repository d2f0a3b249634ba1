"""Decoded events in, raw rows out: every generation of the vendor's events, by their kind, or by their fields where they name none.

Source: api.md, section 5.
"""

from __future__ import annotations

import re

from analysis.sources.fields import (
    ChatHealth,
    ChatRef,
    Envelope,
    Fields,
    Handle,
    MessageEvent,
    MessageRef,
    Record,
    Text,
)
from analysis.sources.rows import Rows

_NO_CHAT, _NO_MESSAGE, _NO_HEALTH = ChatRef(), MessageRef(), ChatHealth()
STATUS_EVENT = "phone_number.status_updated"
MESSAGE_EVENTS = {
    "message.sent": "outbound",
    "message.received": "inbound",
    "message.delivered": "outbound",
    "message.read": "outbound",
}
READ_EVENTS = frozenset({*MESSAGE_EVENTS, "message.failed", "chat.created", STATUS_EVENT})


def kind_name(kind: str) -> str:
    """Return a kind of event as it may be told; "other" for what has not the form of one."""
    return kind if re.fullmatch(r"[a-z_]{1,40}\.[a-z_.]{1,40}", kind) else "other"


def sort_event(envelope: Envelope | Record, data: Fields, position: int, rows: Rows) -> None:
    """Put an event with its envelope into ``rows``: used, or ignored."""
    kind = envelope.event_type or ""
    if kind in MESSAGE_EVENTS:
        _message(data, position, rows, kind, envelope.created_at)
    elif kind == STATUS_EVENT:
        _change(data, position, rows)
    elif kind == "chat.created":
        chat_row(data, position, rows, kind)
    elif kind == "message.failed":
        _failure(data, position, rows, envelope.trace_id)
    else:
        rows.ignored[kind_name(kind)] += 1


def sort_message_event(event: MessageEvent, position: int, rows: Rows) -> bool:
    """Put a message event into ``rows`` as ``sort_event`` does, in half its time; returns whether it is one that says enough for that."""
    data = event.data
    if data is None or event.event_type not in MESSAGE_EVENTS:
        return False
    chat, direction = data.chat, data.direction
    if chat is None or direction is None or data.id is None:
        return False
    owner, sender, health, at = (
        chat.owner_handle,
        data.sender_handle,
        chat.health_status or _NO_HEALTH,
        event.created_at,
    )
    line = owner.handle if owner is not None else None
    recipient: Text = None
    if direction == "outbound" or direction.lower() == "outbound":
        if line is None and sender is not None and sender.is_me:
            line = sender.handle
    elif sender is not None and not sender.is_me:
        recipient = sender.handle
    rows.messages.append(
        (
            position, data.id, line, chat.id or None, recipient, direction, data.sent_at or None, at, data.delivered_at, data.read_at, None, None,
            data.service, chat.is_group, None, None, health.status, health.updated_at, at,
        )
    )  # fmt: skip
    return True


def sort_bare(data: Fields, position: int, rows: Rows) -> None:
    """Put an event without an envelope into ``rows``, by the fields it has; one that has those of no event is refused."""
    if data.new_status or data.new_reputation or data.new_health_status:
        _change(data, position, rows)
    elif data.handles is not None:
        chat_row(data, position, rows, "chat.created")
    elif data.failed_at is not None and data.code is not None:
        _failure(data, position, rows, None)
    elif (
        data.chat is not None
        or (data.direction is not None and data.line is not None)
        or (data.message is not None and data.is_from_me is not None)
    ):
        _message(data, position, rows, None, None)
    elif data.message_id is not None and data.status is not None:
        _status(data, position, rows)
    elif data.id is not None and data.chat_id is not None and data.is_from_me is not None:
        listed_message_row(data, position, rows)
    else:
        rows.refuse(
            position,
            "unknown",
            "not a delivery we know: no event_type and no fields of an event",
            "log the delivery's body unchanged, one a line",
        )


def _change(data: Fields, position: int, rows: Rows) -> None:
    previous = data.previous_reputation or data.previous_health_status
    new = data.new_reputation or data.new_health_status
    rows.changes.append(
        (
            position,
            data.phone_number or data.line,
            data.changed_at,
            previous,
            new,
            data.previous_status,
            data.new_status,
        )
    )


def _sides(handles: list[Handle]) -> tuple[Text, Text]:
    """Return the line and the one recipient among the handles of a chat."""
    mine = sorted(h.handle for h in handles if h.is_me and h.handle)
    others = [h.handle for h in handles if not h.is_me and h.handle]
    return (mine[0] if mine else None), (others[0] if len(others) == 1 else None)


def chat_row(data: Fields, position: int, rows: Rows, kind: str) -> None:
    """Read a chat, as created or as the API lists it."""
    line, recipient = _sides(data.handles or [])
    health = data.health_status or _NO_HEALTH
    rows.chats.append(
        (
            position,
            data.id or data.chat_id,
            line or data.line,
            recipient,
            data.is_group,
            data.created_at,
            health.status,
            health.updated_at,
        )
    )


def _failure(data: Fields, position: int, rows: Rows, trace_id: Text) -> None:
    message_id = data.message_id or data.id
    if message_id is None:
        rows.refuse(
            position,
            "message.failed",
            "the failure names no message",
            "it cannot be joined to a send: keep the send's own events",
        )
        return
    code = None if data.code is None else str(data.code)
    rows.messages.append(
        (
            position,
            message_id,
            None,
            data.chat_id,
            None,
            None,
            None,
            None,
            None,
            None,
            data.failed_at,
            code,
            data.service,
            None,
            None,
            trace_id,
            None,
            None,
            None,
        )
    )


def _message(data: Fields, position: int, rows: Rows, kind: Text, event_at: Text) -> None:
    chat, message = data.chat or _NO_CHAT, data.message or _NO_MESSAGE
    message_id = message.id or data.message_id or data.id
    if chat is _NO_CHAT and message is _NO_MESSAGE and data.message_id is not None and data.status is not None:
        _status(data, position, rows)
        return
    if message_id is None and data.line is None:
        rows.refuse(position, kind or "message", "the message has no id", "log the delivery's body unchanged")
        return
    direction = data.direction
    if direction is None and data.is_from_me is not None:
        direction = "outbound" if data.is_from_me else "inbound"
    if direction is None and kind is not None:
        direction = MESSAGE_EVENTS[kind]
    outbound = direction == "outbound" or (direction is not None and direction.lower() == "outbound")
    line: Text
    recipient: Text
    if chat is not _NO_CHAT:
        owner, sender = chat.owner_handle, data.sender_handle
        line = owner.handle if owner is not None else None
        recipient = sender.handle if sender is not None and not outbound and not sender.is_me else None
        if line is None and outbound and sender is not None and sender.is_me:
            line = sender.handle
    elif data.line is not None:
        line, recipient = data.line, data.recipient
    else:
        source = data.from_ or (data.from_handle.handle if data.from_handle else None)
        target = data.recipient_phone or (data.recipient_handle.handle if data.recipient_handle else None)
        line, recipient = (source, target) if outbound else (target, source)
    is_group = data.is_group if data.is_group is not None else chat.is_group
    seen_at = (
        data.received_at
        or message.created_at
        or (data.created_at if event_at is None or data.created_at is not event_at else None)
        or event_at
    )
    health = chat.health_status or _NO_HEALTH
    rows.messages.append(
        (
            position, message_id, line, chat.id or data.chat_id, recipient, direction, data.sent_at or message.sent_at, seen_at,
            data.delivered_at, data.read_at, data.failed_at, None, data.service, is_group, None, None, health.status, health.updated_at, event_at,
        )
    )  # fmt: skip


def _status(data: Fields, position: int, rows: Rows) -> None:
    """Read the short status event {chat_id, message_id, status, updated_at} that one of the vendor's plugins typed."""
    at = data.updated_at
    delivered, read, failed = (at if data.status == s else None for s in ("delivered", "read", "failed"))
    rows.messages.append(
        (
            position,
            data.message_id,
            None,
            data.chat_id,
            None,
            "outbound",
            None,
            None,
            delivered,
            read,
            failed,
            None,
            data.service,
            None,
            None,
            None,
            None,
            None,
            None,
        )
    )


def listed_message_row(data: Fields, position: int, rows: Rows) -> None:
    """Read a message as the API lists it: it names its line only where the line itself sent it."""
    handle = data.from_handle or Handle(handle=data.from_)
    outbound = bool(data.is_from_me)
    failed_at = data.failed_at or (data.updated_at if data.delivery_status == "failed" else None)
    rows.messages.append(
        (
            position, data.id, handle.handle if outbound else None, data.chat_id, None if outbound else handle.handle,
            "outbound" if outbound else "inbound", data.sent_at, data.created_at, data.delivered_at, data.read_at, failed_at, None,
            data.service, None, None, None, None, None, None,
        )
    )  # fmt: skip
