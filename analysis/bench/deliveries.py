"""Made-up deliveries as the vendor signs and sends them: bodies, headers, and a cheap client that keeps connections and counts answers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

PATH = "/webhooks/linq"
SECRET = "whsec_" + base64.b64encode(b"a secret of made-up deliveries ").decode()
LINES = tuple(f"+1415555{n:04d}" for n in range(10))


def delivery(number: int, *, run: str = "run", now: datetime | None = None) -> tuple[str, bytes]:
    """Return the id and body of one message.sent or message.received, in the vendor's present shape, with content to leave out.

    Equal numbers of one run are equal; the message's id is ``{run}-{number}``.
    """
    at = (now or datetime(2026, 11, 1, tzinfo=UTC)) + timedelta(milliseconds=number * 37)
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
    line, chat = LINES[number % len(LINES)], number % 500
    inbound = number % 4 == 3
    mine = {
        "id": _uuid(line),
        "handle": line,
        "service": "iMessage",
        "is_me": True,
        "status": "active",
        "left_at": None,
    }
    other = f"+1206555{chat:04d}"
    theirs = {"id": _uuid(other), "handle": other, "service": "iMessage", "is_me": False, "status": "active"}
    kind = "message.received" if inbound else "message.sent"
    event = _uuid(f"{run}/{number}")
    body = {
        "api_version": "v3",
        "webhook_version": "2026-02-03",
        "event_type": kind,
        "event_id": event,
        "created_at": stamp,
        "trace_id": hashlib.md5(event.encode(), usedforsecurity=False).hexdigest(),
        "partner_id": _uuid("partner"),
        "data": {
            "id": f"{run}-{number}",
            "chat": {
                "id": _uuid(f"{line}/{chat}"),
                "is_group": False,
                "owner_handle": mine,
                "health_status": {"status": "HEALTHY", "doc_url": "https://docs.linqapp.com/", "updated_at": "2026-10-01T00:00:00Z"},
            },
            "direction": "inbound" if inbound else "outbound",
            "sender_handle": theirs if inbound else mine,
            "service": "iMessage",
            "preferred_service": None,
            "parts": [{"type": "text", "value": f"words that nobody may keep, number {number}"}],
            "effect": None,
            "reply_to": None,
            "sent_at": stamp,
            "delivered_at": None,
            "read_at": None,
        },
    }  # fmt: skip
    return event, json.dumps(body, separators=(",", ":")).encode()


def _uuid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def signed(event: str, body: bytes, *, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    """Return the headers of a signed delivery, by the standard's text and not by the receiver's library."""
    stamp = str(int(time.time() if at is None else at))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{event}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "content-type": "application/json",
        "webhook-id": event,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


def request(event: str, body: bytes, *, secret: str = SECRET) -> bytes:
    """Return the bytes of one POST."""
    headers = {"host": "127.0.0.1", "content-length": str(len(body)), **signed(event, body, secret=secret)}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {PATH} HTTP/1.1\r\n{head}\r\n".encode() + body


@dataclass
class Answers:
    """What came back: numbers acknowledged, codes, and how long each answer took."""

    acknowledged: list[int] = field(default_factory=list)
    codes: dict[int, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    cut: int = 0


class _Connection(asyncio.Protocol):
    """One kept connection: sends a request, reads its answer, sends the next."""

    def __init__(
        self, work: Iterator[tuple[int, bytes]], answers: Answers, again: Callable[[int], None], pause_s: float
    ) -> None:
        self.work, self.answers, self.again, self.pause_s = work, answers, again, pause_s
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.number, self.sent_at, self.got = -1, 0.0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._next()

    def _next(self) -> None:
        item = None if self.transport.is_closing() else next(self.work, None)
        if item is None:
            self.transport.close()
            return
        self.number, data = item
        self.got, self.sent_at = b"", time.perf_counter()
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        self.got += data
        head, found, rest = self.got.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(rest) < length:
            return
        code = int(head[9:12])
        self.answers.seconds.append(time.perf_counter() - self.sent_at)
        self.answers.codes[code] = self.answers.codes.get(code, 0) + 1
        if 200 <= code < 300:
            self.answers.acknowledged.append(self.number)
        else:
            self.again(self.number)
        self.number = -1
        if self.pause_s:
            asyncio.get_running_loop().call_later(self.pause_s, self._next)
        else:
            self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if self.number >= 0:  # no answer: it may or may not have been kept; the vendor sends it again
            self.answers.cut += 1
            self.again(self.number)
        if not self.done.done():
            self.done.set_result(None)


async def post(
    port: int,
    work: Iterator[tuple[int, bytes]],
    *,
    connections: int,
    again: Callable[[int], None] = lambda number: None,
    pause_s: float = 0.0,
) -> Answers:
    """Post requests of (number, bytes) over kept connections until there are none; a connection that is cut stays cut.

    ``again`` is told the number of each that was not acknowledged; ``pause_s`` is what a connection waits before its next one.
    """
    answers = Answers()
    loop = asyncio.get_running_loop()
    made = []
    for _ in range(connections):
        try:
            _, protocol = await loop.create_connection(
                lambda: _Connection(work, answers, again, pause_s), "127.0.0.1", port
            )
        except OSError:
            answers.cut += 1
            break
        made.append(protocol.done)
    await asyncio.gather(*made)
    return answers
