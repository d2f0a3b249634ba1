"""The vendor's API as api.md (sections 1 to 6) describes it, made up: lines, chats, messages, audits, errors; faults and moving rows by seed.

Every text of people in its answers comes from ``SECRETS``: what of it is found behind the door is a leak. The vendor's own SDK accepts
every answer (test_sdk.py), so that this fake can't drift into fantasy.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

KEY = "tok-9f2c-only-for-the-fake"
START = datetime(2026, 9, 1, 12)
DOCS = "https://docs.linqapp.com/channel/imessage/guides/"
TEXTS = ("Your parcel waits at Bluebottle Lane", "call Ada back before noon", "the code is 4471 Quince")
NAMES = ("Ada Quillfeather", "Bram Oxenford")
MAILS = ("ada.quillfeather@example.com", "Bram@Oxenford.example")


def iso(at: datetime, digits: int = 3) -> str:
    """A time as the vendor writes it: the fraction has 0, 3, 6 or 9 digits."""
    whole = at.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}Z" if digits == 0 else f"{whole}.{f'{at.microsecond:06d}000'[:digits]}Z"


def _id(*parts: object) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(map(str, parts))))


@dataclass
class World:
    """What the account holds: lines, chats by line, messages by chat; rows as the API answers them."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    chats: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    messages: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def secrets(self) -> set[str]:
        """Every text, name and handle of people in the answers."""
        people = {h["handle"] for chats in self.chats.values() for c in chats for h in c["handles"] if not h["is_me"]}
        return {*TEXTS, *NAMES, *people, *(p.lstrip("+") for p in people), "Confetti"}

    def chat(self, chat_id: str) -> dict[str, Any] | None:
        """One chat by id."""
        return next((c for chats in self.chats.values() for c in chats if c["id"] == chat_id), None)

    def add_line(self, number: str, health: str = "HEALTHY") -> str:
        """A line of a health."""
        state = {"status": health, "doc_url": f"{DOCS}phone-numbers/phone-reputation"}
        self.lines.append(
            {"id": _id("line", number), "phone_number": number, "line_type": "iMessage", "forwarding_number": None, "reputation": state, "health_status": state}
        )  # fmt: skip
        self.chats.setdefault(number, [])
        return number

    def add_chat(
        self,
        line: str,
        person: str,
        at: datetime,
        *,
        health: str = "HEALTHY",
        group: tuple[str, ...] = (),
        chat_id: str | None = None,
    ) -> str:
        """A chat of a line with a person, or a group."""
        chat_id = chat_id or _id("chat", line, person)
        handles = [_handle(line, at, me=True), *(_handle(h, at) for h in (person, *group))]
        self.chats[line].append(
            {
                "id": chat_id, "display_name": NAMES[len(self.messages) % 2], "service": "iMessage", "is_group": bool(group),
                "is_archived": False, "group_chat_icon": None, "created_at": iso(at), "updated_at": iso(at), "handles": handles,
                "health_status": {"status": health, "doc_url": f"{DOCS}chats/chat-health", "updated_at": iso(at, 6)},
            }
        )  # fmt: skip
        self.messages[chat_id] = []
        return chat_id

    def add_message(self, chat_id: str, at: datetime, *, out: bool, state: str = "delivered", digits: int = 3) -> str:
        """A message at a time; a chat's updated_at moves with it."""
        chat = self.chat(chat_id)
        assert chat is not None
        handle = chat["handles"][0 if out else 1]
        number = len(self.messages[chat_id])
        delivered = at + timedelta(seconds=1) if out and state in ("delivered", "read") else None
        read = at + timedelta(minutes=3) if out and state == "read" else None
        message_id = _id("message", chat_id, number)
        self.messages[chat_id].append(
            {
                "id": message_id, "chat_id": chat_id, "from": handle["handle"], "from_handle": handle, "is_from_me": out,
                "service": "iMessage", "preferred_service": None, "delivery_status": state if out else "received",
                "parts": [{"type": "text", "value": TEXTS[number % len(TEXTS)]}],
                "effect": {"name": "Confetti", "type": "screen"} if number % 5 == 0 else None,
                "reply_to": None, "is_delivered": delivered is not None, "is_read": read is not None,
                "created_at": iso(at, 6), "updated_at": iso(read or delivered or at), "sent_at": iso(at, digits),
                "delivered_at": iso(delivered) if delivered else None, "read_at": iso(read) if read else None,
            }
        )  # fmt: skip
        chat["updated_at"] = max(chat["updated_at"], iso(read or delivered or at))
        return message_id


def _handle(handle: str, at: datetime, *, me: bool = False) -> dict[str, Any]:
    told = {"id": _id("handle", handle), "handle": handle, "service": "iMessage", "is_me": me, "status": "active", "joined_at": iso(at), "left_at": None}  # fmt: skip
    return told | ({"line_type": "iMessage"} if me else {})


def world(seed: int, *, lines: int = 2, chats: int = 14, messages: int = 13) -> World:
    """A made-up account: e-mail handles and a group among the chats, failures and reads among the messages."""
    rng = random.Random(seed)
    made = World()
    for number in range(lines):
        line = made.add_line(f"+1415555{number:04d}", rng.choice(("HEALTHY", "AT_RISK")))
        for n in range(chats):
            at = START + timedelta(minutes=rng.randrange(60 * 24 * 14))
            person = MAILS[n] if number == 0 and n < len(MAILS) else f"+1206555{100 * number + n:04d}"
            group = (f"+1206555{9000 + n}",) if n % 7 == 3 else ()
            chat = made.add_chat(line, person, at, health=rng.choice(("HEALTHY", "AT_RISK", "OPTED_OUT")), group=group)
            for _ in range(rng.randrange(1, messages)):
                happen(made, chat, rng)
    return made


def happen(made: World, chat_id: str, rng: random.Random) -> None:
    """One more message in a chat, after all others of it."""
    chat = made.chat(chat_id)
    assert chat is not None
    at = datetime.fromisoformat(chat["updated_at"]).replace(tzinfo=None) + timedelta(seconds=rng.randrange(5, 90000))
    state = rng.choice(("sent", "delivered", "delivered", "read", "failed"))
    made.add_message(chat_id, at, out=rng.random() < 0.7, state=state, digits=rng.choice((0, 3, 6, 9)))


@dataclass
class Faults:
    """Chances, per call, of what goes wrong; decided by the seed and the number of the call."""

    seed: int = 0
    limited: float = 0.0
    broken: float = 0.0
    cut: float = 0.0
    shifting: float = 0.0
    moving: float = 0.0
    """A message comes in while the list is read."""

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)


class Fake:
    """The API over one world. ``calls`` counts those that came through; ``now`` is its clock."""

    def __init__(self, made: World, faults: Faults | None = None) -> None:
        self.world, self.faults = made, faults or Faults()
        self.calls: list[str] = []
        self.forbidden = False
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC).replace(tzinfo=None)
        self.audit_takes = 2
        """Looks until an audit is done."""
        self.cooldown_s = 3600
        self.audit_answer: Callable[[str], dict[str, Any]] = lambda line: report()
        self.audits: dict[str, dict[str, Any]] = {}
        self.gone: set[str] = set()
        self.app = Starlette(
            routes=[
                Route("/api/partner/v3/phone_numbers", self._guarded(self.lines)),
                Route(
                    "/api/partner/v3/phone_numbers/{line}/reputation_audit", self._guarded(self.ask), methods=["POST"]
                ),
                Route("/api/partner/v3/phone_numbers/{line}/reputation_audit/{audit_id}", self._guarded(self.look)),
                Route("/api/partner/v3/chats", self._guarded(self.list_chats)),
                Route("/api/partner/v3/chats/{chat_id}", self._guarded(self.one_chat)),
                Route("/api/partner/v3/chats/{chat_id}/messages", self._guarded(self.list_messages)),
            ]
        )

    def _guarded(self, answer: Callable[[Request], Response]) -> Callable[[Request], Any]:
        async def guarded(request: Request) -> Response:
            if request.headers.get("authorization") != f"Bearer {KEY}":
                return refusal(401, 2004, "Unauthorized: the token is not valid")
            if self.forbidden:
                return refusal(403, 2005, "You have no permission for this")
            trouble = self._trouble()
            if isinstance(trouble, Response):
                return trouble
            self.calls.append(f"{request.method} {request.url.path.removeprefix('/api/partner')}")
            told = answer(request)
            if trouble == "cut" and told.status_code < 300:
                told.body = told.body[: len(told.body) // 2]  # the length told before is that of the whole
            return told

        return guarded

    def _trouble(self) -> Response | str | None:
        """Decide what goes wrong with this call."""
        rng, f = self.faults.rng, self.faults
        if rng.random() < f.shifting:
            self._shift(rng)
        if rng.random() < f.moving:
            happen(self.world, rng.choice([c for c, told in self.world.messages.items() if told]), rng)
        draw = rng.random()
        if draw < f.limited:
            return limited(0, told_in=rng.choice(("header", "body", "both")))
        if draw < f.limited + f.broken:
            status = rng.choice((500, 502, 503, 408, 409))
            return rng.choice((refusal(status, 3001, "try again"), Response("<html>bad gateway</html>", status)))
        return "cut" if draw < f.limited + f.broken + f.cut else None

    def _shift(self, rng: random.Random) -> None:
        """Move a row of some lists to another place: nothing is added, nothing lost."""
        for rows in (*self.world.chats.values(), *self.world.messages.values()):
            if len(rows) > 1 and rng.random() < 0.5:
                rows.insert(rng.randrange(len(rows)), rows.pop(rng.randrange(len(rows))))

    def lines(self, request: Request) -> Response:
        """GET /v3/phone_numbers."""
        return answer({"phone_numbers": self.world.lines})

    def list_chats(self, request: Request) -> Response:
        """GET /v3/chats."""
        line = request.query_params.get("from", "")
        if not line.startswith("+"):  # a plus sign that was not quoted arrives as a blank
            return refusal(400, 1002, "from is not E.164")
        return _page(request, "chats", self.world.chats.get(line, []))

    def one_chat(self, request: Request) -> Response:
        """GET /v3/chats/{id}."""
        chat = self.world.chat(request.path_params["chat_id"])
        return answer(chat) if chat is not None else refusal(404, 2001, "chat not found")

    def list_messages(self, request: Request) -> Response:
        """GET /v3/chats/{id}/messages."""
        chat_id = request.path_params["chat_id"]
        if chat_id not in self.world.messages or chat_id in self.gone:
            return refusal(404, 2001, "chat not found")
        return _page(request, "messages", self.world.messages[chat_id])

    def ask(self, request: Request) -> Response:
        """POST …/reputation_audit: one at a time a line; then a cooldown, which does not repeat the id."""
        line = request.path_params["line"]
        if line not in self.world.chats:
            return refusal(404, 2005, "phone number not found")
        mine = [a for a in self.audits.values() if a["line"] == line]
        running = [a for a in mine if a["looks"] < self.audit_takes]
        if running:
            return answer({"audit_id": running[0]["id"], "status": "pending"}, 202)
        since = max((self.now() - a["done_at"] for a in mine), default=None, key=lambda d: -d)
        if since is not None and since < timedelta(seconds=self.cooldown_s):
            return limited(self.cooldown_s - int(since.total_seconds()), told_in="both")
        audit_id = _id("audit", line, len(self.audits))
        self.audits[audit_id] = {"id": audit_id, "line": line, "looks": 0, "at": self.now(), "done_at": self.now()}
        return answer({"audit_id": audit_id, "status": "pending"}, 202)

    def look(self, request: Request) -> Response:
        """GET …/reputation_audit/{id}: pending, then complete for 24 hours; unknown on another line."""
        found = self.audits.get(request.path_params["audit_id"])
        line = request.path_params["line"]
        if found is None or found["line"] != line or self.now() - found["at"] >= timedelta(hours=24):
            return refusal(404, 2001, "audit not found")
        found["looks"] += 1
        if found["looks"] < self.audit_takes:
            return answer({"audit_id": found["id"], "status": "pending", "phone": line})
        found["done_at"] = min(found.get("end", self.now()), self.now())
        found["end"] = found["done_at"]
        told = {"audit_id": found["id"], "status": "complete", "phone": line, "generated_at": iso(found["end"])}
        return answer(told | self.audit_answer(line))


def _page(request: Request, name: str, rows: list[dict[str, Any]]) -> Response:
    try:
        limit, begin = int(request.query_params.get("limit", 20)), int(request.query_params.get("cursor", 0))
    except ValueError:
        return refusal(400, 1005, "limit or cursor is not valid")
    if not 1 <= limit <= 100:
        return refusal(400, 1005, "limit must be from 1 to 100")
    end = begin + limit
    return answer({name: rows[begin:end], "next_cursor": str(end) if end < len(rows) else None})


def answer(body: dict[str, Any], status: int = 200) -> Response:
    """A success: no envelope, a trace id in the header."""
    return JSONResponse(body, status, headers={"X-Trace-Id": uuid.uuid4().hex})


def refusal(status: int, code: int, message: str, **more: int) -> Response:
    """An error: its detail is nested. Vendors quote what they were given: so does this message."""
    error = {"status": status, "code": code, "message": f"{message} ({TEXTS[0]})", "doc_url": f"https://docs.linqapp.com/error/codes/{code}/", **more}  # fmt: skip
    return JSONResponse({"success": False, "error": error, "trace_id": uuid.uuid4().hex}, status)


def limited(seconds: int, *, told_in: str) -> Response:
    """429, with the time to wait in the header, in the body, or in both."""
    body = {"retry_after": seconds} if told_in in ("body", "both") else {}
    told = refusal(429, 1007, f"Rate limited. Try again in {seconds} seconds.", **body)
    if told_in in ("header", "both"):
        told.headers["Retry-After"] = str(seconds)
    return told


def report(**more: Any) -> dict[str, Any]:
    """The report of a complete audit."""
    return {
        "report": {
            "severity": "AT_RISK",
            "primary_driver": "new_conversation_rate",
            "drivers": [
                {"key": "new_conversation_rate", "metric": f"214 new; {TEXTS[0]}", "summary": f"Too many, {NAMES[0]}."},
                {"key": "overall_conversation_health", "metric": "41%", "summary": f"See {MAILS[0]}"},
            ],
            "action_items": [{"priority": 1, "title": "Pace", "detail": TEXTS[1], "expected_impact": "high"}],
            "evidence": {"unhealthy_chats": [], "opt_out_chats": []},
            "summary_markdown": f"## {NAMES[1]}",
            **more,
        }
    }
