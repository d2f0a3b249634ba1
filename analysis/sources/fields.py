"""The vendor's JSON in, only the fields that metadata needs out: what the decoder of a delivery or an answer looks for, and skips all else.

None of them holds others in a circle, so that Python's collector need not track them (``gc=False``): a log has millions.
"""

from __future__ import annotations

import msgspec

Text = str | None


class Handle(msgspec.Struct, gc=False):
    """One side of a chat: the line itself where ``is_me``."""

    handle: Text = None
    is_me: bool | None = None


class ChatHealth(msgspec.Struct, gc=False):
    """A chat's health and when it became so."""

    status: Text = None
    updated_at: Text = None


class ChatRef(msgspec.Struct, gc=False):
    """The chat inside a message event of 2026-02-03."""

    id: Text = None
    is_group: bool | None = None
    owner_handle: Handle | None = None
    health_status: ChatHealth | None = None


class MessageRef(msgspec.Struct, gc=False):
    """The message inside an event of 2025-01-01."""

    id: Text = None
    sent_at: Text = None
    created_at: Text = None


class LineHealth(msgspec.Struct, gc=False):
    """Health in an answer that lists lines."""

    status: Text = None


class Fields(msgspec.Struct, gc=False):
    """Every field of every ``data`` object that metadata needs."""

    # in the vendor's order: the decoder looks for a name first where the last one was found
    id: Text = None
    chat: ChatRef | None = None
    chat_id: Text = None
    from_: Text = msgspec.field(default=None, name="from")
    from_handle: Handle | None = None
    recipient_phone: Text = None
    recipient_handle: Handle | None = None
    is_from_me: bool | None = None
    message_id: Text = None
    code: int | str | None = None
    direction: Text = None
    sender_handle: Handle | None = None
    is_group: bool | None = None
    service: Text = None
    message: MessageRef | None = None
    sent_at: Text = None
    delivered_at: Text = None
    read_at: Text = None
    received_at: Text = None
    created_at: Text = None
    updated_at: Text = None
    handles: list[Handle] | None = None
    health_status: ChatHealth | None = None
    failed_at: Text = None
    status: Text = None
    delivery_status: Text = None
    phone_number: Text = None
    previous_status: Text = None
    new_status: Text = None
    previous_reputation: Text = None
    new_reputation: Text = None
    previous_health_status: Text = None
    new_health_status: Text = None
    changed_at: Text = None
    line: Text = None
    recipient: Text = None


class Record(Fields, gc=False):
    """One line of a log: an envelope, a bare ``data`` object, or either wrapped as ``body`` or ``payload``."""

    event_type: Text = None
    trace_id: Text = None
    data: Fields | None = None
    body: msgspec.Raw = msgspec.Raw(b"")
    payload: msgspec.Raw = msgspec.Raw(b"")
    chats: list[Fields] | None = None
    messages: list[Fields] | None = None
    phone_numbers: list[LineHealth] | None = None
    audit_id: Text = None
    success: bool | None = None
    status: int | str | None = None  # type: ignore[assignment]  # a log may keep the HTTP status beside the body


class Envelope(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A delivery as the vendor sends it and nothing beside: what it tells is what ``Record`` would, with a sixth of the names to keep."""

    # what is Raw here, ``Record`` has no name for: both skip it, whatever it is
    api_version: msgspec.Raw = msgspec.Raw(b"")
    webhook_version: msgspec.Raw = msgspec.Raw(b"")
    event_type: Text = None
    event_id: msgspec.Raw = msgspec.Raw(b"")
    created_at: Text = None
    trace_id: Text = None
    partner_id: msgspec.Raw = msgspec.Raw(b"")
    data: Fields | None = None


class MessageData(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The ``data`` of a message event of 2026-02-03 and nothing beside: what it tells is what ``Fields`` would, with a third of the names to keep."""

    # in the vendor's order; what is Raw here, ``Fields`` has no name for
    id: Text = None
    chat: ChatRef | None = None
    direction: Text = None
    sender_handle: Handle | None = None
    service: Text = None
    preferred_service: msgspec.Raw = msgspec.Raw(b"")
    parts: msgspec.Raw = msgspec.Raw(b"")
    effect: msgspec.Raw = msgspec.Raw(b"")
    reply_to: msgspec.Raw = msgspec.Raw(b"")
    idempotency_key: msgspec.Raw = msgspec.Raw(b"")
    sent_at: Text = None
    delivered_at: Text = None
    read_at: Text = None
    reconciled_at: msgspec.Raw = msgspec.Raw(b"")
    zero_retention: msgspec.Raw = msgspec.Raw(b"")


class MessageEvent(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A delivery of a message event as the vendor sends it since 2026-02-03, which is what nearly every line of a log is."""

    api_version: msgspec.Raw = msgspec.Raw(b"")
    webhook_version: msgspec.Raw = msgspec.Raw(b"")
    event_type: Text = None
    event_id: msgspec.Raw = msgspec.Raw(b"")
    created_at: Text = None
    trace_id: Text = None  # not used, but ``Envelope`` refuses what is no text
    partner_id: msgspec.Raw = msgspec.Raw(b"")
    data: MessageData | None = None
