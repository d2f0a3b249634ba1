"""Lines of logged webhook deliveries in, raw rows out: every generation of the vendor's events, with and without envelope.

Only the fields named in ``fields`` are ever decoded; message parts, names and texts are skipped by the decoder, not dropped afterwards.
Dispatch is by ``event_type`` (by the fields of a bare ``data`` object where there is none). Source: api.md, section 5.
"""

from __future__ import annotations

import re

import msgspec

from analysis.sources.fields import ChatHealth, ChatRef, Envelope, Fields, Handle, MessageRef, Record, Text
from analysis.sources.rows import Rows


class _Kind(msgspec.Struct, gc=False):
    event_type: Text = None


_NO_CHAT, _NO_MESSAGE, _NO_HEALTH = ChatRef(), MessageRef(), ChatHealth()
_decode = msgspec.json.Decoder(Record).decode
_decode_envelope = msgspec.json.Decoder(Envelope).decode
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError)
"""What decoding raises; the last where there is no text."""
_decode_kind = msgspec.json.Decoder(_Kind).decode
MOST_WRAPPED = 4
"""A logger wraps a body once or twice; each wrapping is decoded again, so that a thousand would cost a thousand readings."""
TOO_DEEP = ("the JSON is nested too deep", "log the delivery's body unchanged")
STATUS_EVENT = "phone_number.status_updated"
MESSAGE_EVENTS = {
    "message.sent": "outbound",
    "message.received": "inbound",
    "message.delivered": "outbound",
    "message.read": "outbound",
}
READ_EVENTS = frozenset({*MESSAGE_EVENTS, "message.failed", "chat.created", STATUS_EVENT})


def _wrong_type(error: msgspec.ValidationError) -> str:
    path = re.search(r"at `\$\.([A-Za-z_.\[\]]+)`", str(error))
    return f"field {path.group(1)} has the wrong type" if path else "not a JSON object"


def read_lines(lines: list[bytes | None], first: int, rows: Rows, longest_mb: int) -> int:
    """Sort lines of a log into ``rows``, as ``read_line`` does each; returns how many were blank, which are left out.

    ``first``: position of the first line. None stands for a line longer than ``longest_mb``.
    """
    blank, enveloped = 0, True
    for position, text in enumerate(lines, first):
        if enveloped:
            try:
                envelope = _decode_envelope(text)  # type: ignore[arg-type]  # None is an error like any other
            except _UNREADABLE:
                enveloped = False  # so are the lines after it, most likely: they are not tried both ways
            else:
                if enveloped := envelope.event_type is not None and envelope.data is not None:
                    _event(envelope, envelope.data, position, rows)
                    continue
        try:
            record = _decode(text)  # type: ignore[arg-type]
        except _UNREADABLE:
            if text is None:
                rows.refuse(
                    position,
                    "unknown",
                    f"the line is longer than {longest_mb} MB",
                    "log one delivery a line; raise the setting max_line_mb if it is one",
                )
            elif text.strip():
                read_line(text, position, rows)
            else:
                blank += 1
        else:
            _sort_record(record, position, rows, 0)
    return blank


def read_line(text: bytes | str, position: int, rows: Rows, *, wrapped: int = 0) -> None:
    """Sort one line of a log into ``rows``: used, ignored (a known envelope of a kind not needed), or refused with a reason.

    ``wrapped``: how many objects of the line hold this text as their ``body`` or ``payload``.
    """
    try:
        record = _decode(text)
    except msgspec.ValidationError as error:
        try:
            kind = _decode_kind(text).event_type
        except (msgspec.DecodeError, ValueError, RecursionError):
            kind = None
        if kind is not None and kind not in READ_EVENTS:
            rows.ignored[_kind_name(kind)] += 1
        else:
            rows.refuse(
                position,
                kind if kind in READ_EVENTS else "unknown",
                _wrong_type(error),
                "compare it with the vendor's webhook reference",
            )
        return
    except (msgspec.DecodeError, UnicodeDecodeError):
        reason = (
            "the line holds NUL bytes" if b"\x00" in _bytes(text) else "the line is not valid JSON (cut off or damaged)"
        )
        rows.refuse(position, "unknown", reason, "log the delivery's body unchanged, one a line")
        return
    except RecursionError:
        rows.refuse(position, "unknown", *TOO_DEEP)
        return
    _sort_record(record, position, rows, wrapped)


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "replace")


def _kind_name(kind: str) -> str:
    return kind if re.fullmatch(r"[a-z_]{1,40}\.[a-z_.]{1,40}", kind) else "other"


def _event(envelope: Envelope | Record, data: Fields, position: int, rows: Rows) -> None:
    kind = envelope.event_type or ""
    if kind in MESSAGE_EVENTS:
        _message(data, position, rows, kind, envelope.created_at)
    elif kind == STATUS_EVENT:
        _change(data, position, rows)
    elif kind == "chat.created":
        _chat(data, position, rows, kind)
    elif kind == "message.failed":
        _failure(data, position, rows, envelope.trace_id)
    else:
        rows.ignored[_kind_name(kind)] += 1


def _sort_record(record: Record, position: int, rows: Rows, wrapped: int) -> None:
    if record.event_type is not None:
        _event(record, record.data if record.data is not None else record, position, rows)
        return
    body = bytes(record.body) or bytes(record.payload)
    if body[:1] in (b"{", b'"'):
        if wrapped >= MOST_WRAPPED:
            rows.refuse(position, "unknown", *TOO_DEEP)
            return
        try:
            inner = msgspec.json.decode(body, type=str) if body.startswith(b'"') else body
        except (msgspec.DecodeError, UnicodeDecodeError):
            rows.refuse(
                position, "unknown", "the body in the line is not UTF-8 text", "log the delivery's body unchanged"
            )
            return
        read_line(inner, position, rows, wrapped=wrapped + 1)
    elif record.data is not None:
        _sort_bare(record.data, position, rows)
    elif record.chats is not None or record.messages is not None:
        for chat in record.chats or []:
            _chat(chat, position, rows, "chat")
        for message in record.messages or []:
            _listed_message(message, position, rows)
        if not record.chats and not record.messages:
            rows.ignored["empty list"] += 1
    elif record.phone_numbers is not None:
        rows.refuse(
            position,
            "phone_numbers",
            "a list of lines without the time it was asked for",
            "load transitions, or let `linehealth pull` ask: it stamps the time",
        )
    elif record.audit_id is not None:
        rows.refuse(
            position,
            "reputation_audit",
            "a reputation audit, which is not a webhook delivery",
            "load the deliveries; audits are kept apart",
        )
    elif record.success is False:
        rows.refuse(position, "error", "an error answer of the API, not an event", "leave it out")
    else:
        _sort_bare(record, position, rows)


def _sort_bare(data: Fields, position: int, rows: Rows) -> None:
    if data.new_status or data.new_reputation or data.new_health_status:
        _change(data, position, rows)
    elif data.handles is not None:
        _chat(data, position, rows, "chat.created")
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
        _listed_message(data, position, rows)
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


def _chat(data: Fields, position: int, rows: Rows, kind: str) -> None:
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


def _listed_message(data: Fields, position: int, rows: Rows) -> None:
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


_decode_fields = msgspec.json.Decoder(Fields).decode


def read_listed_chat(text: bytes, position: int, rows: Rows) -> Fields | None:
    """Sort one chat of a list of the API into ``rows`` and return it; None where it is refused."""
    row = _read_listed(text, position, rows, "chat")
    if row is not None:
        _chat(row, position, rows, "chat")
    return row


def read_listed_message(text: bytes, position: int, rows: Rows) -> Fields | None:
    """Sort one message of a list of the API into ``rows`` and return it; None where it is refused."""
    row = _read_listed(text, position, rows, "message")
    if row is not None:
        _listed_message(row, position, rows)
    return row


def _read_listed(text: bytes, position: int, rows: Rows, kind: str) -> Fields | None:
    fix = "the API changed: update linehealth"
    try:
        row = _decode_fields(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        told = _wrong_type(error) if isinstance(error, msgspec.ValidationError) else "not valid JSON"
        rows.refuse(position, kind, told, fix)
        return None
    if row.id is None:
        rows.refuse(position, kind, f"the {kind} has no id", fix)
        return None
    return row
