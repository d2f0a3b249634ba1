"""Lines of logged webhook deliveries in, raw rows out: every generation of the vendor's events, with and without envelope.

Only the fields named in ``fields`` are ever decoded; message parts, names and texts are skipped by the decoder, not dropped afterwards.
What an event tells is read in ``events``. Source: api.md, section 5.
"""

from __future__ import annotations

import re

import msgspec

from analysis.sources.events import (
    READ_EVENTS,
    chat_row,
    kind_name,
    listed_message_row,
    sort_bare,
    sort_event,
    sort_message_event,
)
from analysis.sources.fields import Envelope, Fields, MessageEvent, Record, Text
from analysis.sources.rows import Rows


class _Kind(msgspec.Struct, gc=False):
    event_type: Text = None


_decode = msgspec.json.Decoder(Record).decode
_decode_message = msgspec.json.Decoder(MessageEvent).decode
_decode_envelope = msgspec.json.Decoder(Envelope).decode
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError)
"""What decoding raises; the last where there is no text."""
_decode_kind = msgspec.json.Decoder(_Kind).decode
MOST_OTHERS = 0.1
"""Share of lines that are tried as message events of the present shape and are none: after that the other lines of a piece are not tried."""
MOST_WRAPPED = 4
"""A logger wraps a body once or twice; each wrapping is decoded again, so that a thousand would cost a thousand readings."""
TOO_DEEP = ("the JSON is nested too deep", "log the delivery's body unchanged")


def _wrong_type(error: msgspec.ValidationError) -> str:
    path = re.search(r"at `\$\.([A-Za-z_.\[\]]+)`", str(error))
    return f"field {path.group(1)} has the wrong type" if path else "not a JSON object"


def read_lines(lines: list[bytes | None], first: int, rows: Rows, longest_mb: int) -> int:
    """Sort lines of a log into ``rows``, as ``read_line`` does each; returns how many were blank, which are left out.

    ``first``: position of the first line. None stands for a line longer than ``longest_mb``.
    """
    blank, enveloped = 0, True
    others = MOST_OTHERS * len(lines)
    for position, text in enumerate(lines, first):
        if others >= 0:
            try:
                if sort_message_event(_decode_message(text), position, rows):  # type: ignore[arg-type]  # None is an error like any other
                    continue
            except _UNREADABLE:
                pass
            others -= 1
        if enveloped:
            try:
                envelope = _decode_envelope(text)  # type: ignore[arg-type]
            except _UNREADABLE:
                enveloped = False  # so are the lines after it, most likely: they are not tried both ways
            else:
                if enveloped := envelope.event_type is not None and envelope.data is not None:
                    sort_event(envelope, envelope.data, position, rows)
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
            rows.ignored[kind_name(kind)] += 1
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


def _sort_record(record: Record, position: int, rows: Rows, wrapped: int) -> None:
    if record.event_type is not None:
        sort_event(record, record.data if record.data is not None else record, position, rows)
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
        sort_bare(record.data, position, rows)
    elif record.chats is not None or record.messages is not None:
        for chat in record.chats or []:
            chat_row(chat, position, rows, "chat")
        for message in record.messages or []:
            listed_message_row(message, position, rows)
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
        sort_bare(record, position, rows)


_decode_fields = msgspec.json.Decoder(Fields).decode


def read_listed_chat(text: bytes, position: int, rows: Rows) -> Fields | None:
    """Sort one chat of a list of the API into ``rows`` and return it; None where it is refused."""
    row = _read_listed(text, position, rows, "chat")
    if row is not None:
        chat_row(row, position, rows, "chat")
    return row


def read_listed_message(text: bytes, position: int, rows: Rows) -> Fields | None:
    """Sort one message of a list of the API into ``rows`` and return it; None where it is refused."""
    row = _read_listed(text, position, rows, "message")
    if row is not None:
        listed_message_row(row, position, rows)
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
