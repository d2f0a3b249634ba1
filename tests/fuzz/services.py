"""What comes over the network, mutated, and what must hold afterwards: addresses of the app, answers of the API, requests to the receiver."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import polars as pl

from analysis.bench.deliveries import PATH, delivery, signed
from analysis.errors import LineHealthError
from analysis.live.audits import ask_audit, look_at_audit
from analysis.live.client import Client
from analysis.live.connection import Connection
from analysis.live.reading import Reader
from analysis.pages import _period, _replies, _words
from analysis.pipeline.moments import moment
from analysis.settings import Settings
from analysis.sources import Pseudonyms
from analysis.sources.checks import Rules
from analysis.sources.delivered import Keeper, read_kept
from analysis.sources.rows import Rows
from tests import events
from tests.fuzz.files import KEY, seeds
from tests.fuzz.mutate import TEXTS, TIMES, Mutator
from tests.serve.receiving import made, run


def url(m: Mutator, count: int, folder: Path) -> None:
    """Parameters of the app's addresses, through the functions that read them."""
    del folder
    hours = pl.DataFrame(schema={"hour": pl.Datetime("ms"), "health": pl.String, "replied": pl.Int64, "mature": pl.Int64} | {c: pl.Int64 for c, _ in _period.COUNTS})  # fmt: skip
    draw = m.draw
    forms = ("20260901T1200", "00010101T0000", "99991231T2359", "20260230T9999", "20260901T1200Z")
    for _ in range(count):
        low, high = (draw.choice(forms) if draw.random() < 0.6 else m.text(draw.choice(forms)) for _ in "ab")
        period = _period.addressed({"from": low, "to": high})
        if period is not None and draw.random() < 0.1:
            _period.counted_in(hours, period, before=period.start)
        text = m.text(draw.choice(("20260901T1200", "2026-09-01T12:00:00.000Z", "20260901T120000-status")))
        assert _words.find_change([], text) is None
        days, _said = _replies.asked(text if draw.random() < 0.8 else str(draw.randrange(-9, 400)))
        assert days > 0
        with suppress(LineHealthError):
            moment(m.text(draw.choice(TIMES)))


def api(m: Mutator, count: int, folder: Path) -> None:
    """Answers of the API, each mutated: pages of lines, chats, messages, audits, errors, with statuses and headers of all kinds."""
    del folder
    line = {
        "id": "1",
        "phone_number": "+14155550142",
        "reputation": {"status": "AT_RISK"},
        "health_status": {"status": "AT_RISK"},
    }
    chat = {"id": "c1", "display_name": "Ada", "is_group": False, "created_at": events.at(0), "updated_at": events.at(1), "service": "SMS",
            "handles": [{"handle": "+14155550142", "is_me": True}, {"handle": "+12065550117", "is_me": False}], "health_status": {"status": "HEALTHY", "updated_at": events.at(0)}}  # fmt: skip
    message = {"id": "m1", "chat_id": "c1", "is_from_me": True, "created_at": events.at(0), "sent_at": events.at(0), "delivery_status": "delivered",
               "from_handle": {"handle": "+14155550142"}, "parts": [{"type": "text", "value": "SECRET"}], "service": "SMS"}  # fmt: skip
    answers: list[Any] = [
        {"phone_numbers": [line, line]}, {"chats": [chat, {**chat, "id": "c2"}], "next_cursor": None}, {"messages": [message, {**message, "id": "m2"}]},
        {"audit_id": "a", "status": "pending"}, {"success": False, "error": {"code": 1, "retry_after": 0.001}},
    ]  # fmt: skip
    told = [0]
    lengths = ("0", "nan", "-5", "1e9", "Wed, 21 Oct 2015 07:28:00 GMT", "x", "")

    def answer(request: httpx.Request) -> httpx.Response:
        told[0] += 1
        status = (
            200
            if m.draw.random() < 0.9
            else m.draw.choice((204, 301, 400, 401, 403, 404, 409, 410, 418, 429, 500, 503, 599))
        )
        path = request.url.path
        own = answers[
            0
            if path.endswith("phone_numbers")
            else 1
            if path.endswith("chats")
            else 2
            if path.endswith("messages")
            else 3
        ]
        body = m.json(own if m.draw.random() < 0.9 else m.draw.choice(answers), answers)
        return httpx.Response(
            status, content=body, headers={"retry-after": m.draw.choice(lengths)} if status != 200 else {}
        )

    async def work() -> None:
        to = Connection("k", "https://api.test", rate=1e9, tries=2, backoff_s=0.0, longest_s=0.0, patience_s=0.001, transport=httpx.MockTransport(answer))  # fmt: skip
        rules = Rules(Settings(), Pseudonyms(KEY))
        async with Client(to) as client:
            while told[0] < count:
                reader = Reader(client, rules)
                with suppress(LineHealthError):
                    for seen in (await reader.lines())[:3]:
                        listed = await reader.chats(seen)
                        for one in listed.chats[:3]:
                            got = await reader.messages(one)
                            rows = sum(f.messages.height + f.refused.height for f in got.facts)
                            assert rows == got.read, "a listed message was lost, or counted twice"
                with suppress(LineHealthError):
                    await ask_audit(client, "+14155550142")
                with suppress(LineHealthError):
                    await look_at_audit(client, "+14155550142", "a")

    asyncio.run(work())


def receiver(m: Mutator, count: int, folder: Path) -> None:
    """Requests to the receiver: bodies mutated and signed, headers mutated, methods and paths; never a 5xx, and what is taken can be read back."""
    one = made(folder / "fuzz.duckdb")
    known = seeds()
    keeper, rows = Keeper(Pseudonyms(KEY)), Rows()
    over_http = max(1, count // 20)

    async def work(client: httpx.AsyncClient) -> None:
        for n in range(over_http):
            _, good = delivery(n)
            body = m.json(json.loads(good), known) if m.draw.random() < 0.8 else m.draw.randbytes(m.draw.randrange(200))
            headers = signed(f"d{n}", body)
            if m.draw.random() < 0.4:
                name = m.draw.choice(
                    [*headers, "content-type", "content-length", "x-webhook-signature", "x-webhook-timestamp"]
                )
                value = m.draw.choice(
                    (
                        *TEXTS[:1],
                        "v1,",
                        "v1," + "A" * 44,
                        "9" * 30,
                        "-1",
                        "é",
                        "text/html",
                        "application/json; charset=x",
                        "1e9",
                    )
                )
                headers[name] = value
            method = "POST" if m.draw.random() < 0.95 else m.draw.choice(("GET", "PUT", "TRACE"))
            path = (
                PATH
                if m.draw.random() < 0.95
                else m.draw.choice(("/", "/webhooks/linq/../x", "/%00", "/healthz", "/metrics"))
            )
            got = await client.request(method, path, headers=[(k.encode(), v.encode("latin-1", "replace")) for k, v in headers.items()], content=body)  # fmt: skip
            assert got.status_code < 500, f"{got.status_code} {got.text[:200]}"

    run(one, work)
    for n in range(count - over_http):
        body = m.json(m.draw.choice(known), known)
        line, outcome = keeper.keep(body, time.time_ns() // 1_000_000)
        assert outcome in ("used", "ignored", "quarantined")
        assert b"\n" not in line
        read_kept(line, n + 1, rows)
    rules = Rules(Settings(), Pseudonyms(KEY))
    rows.facts(rules)
