"""A receiver in this process for tests: deliveries in, answers and what lies in the spool out."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx

from analysis.bench.deliveries import PATH, SECRET, signed
from analysis.serve.receiver import Receiver, application
from analysis.serve.signature import Signatures
from analysis.settings import Settings
from analysis.sources import Pseudonyms, load_key
from analysis.sources.delivered import Keeper
from analysis.sources.spool import Spool


def made(store: Path, *, secrets: list[str] | None = None, **settings: float) -> Receiver:
    spool = Spool.of(store)
    spool.make()
    keeper = Keeper(Pseudonyms(load_key()))
    return Receiver(spool, Signatures(secrets or [SECRET]), keeper, settings=Settings(**settings))


def run(receiver: Receiver, work):
    """Run ``work(client)`` against a receiver that starts and stops with it."""
    app = application(receiver)

    async def _run():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            receiver.lifespan(app),
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
        ):
            return await work(client)

    return asyncio.run(_run())


def post(receiver: Receiver, *deliveries: tuple[dict, bytes]) -> list[httpx.Response]:
    """Post deliveries (headers, body) one after the other."""

    async def work(client):
        return [await client.post(PATH, headers=headers, content=body) for headers, body in deliveries]

    return run(receiver, work)


def event(body: dict, *, name: str | None = None, **more) -> tuple[dict, bytes]:
    """Return one signed delivery of a body."""
    data = json.dumps(body).encode()
    return signed(name or body["event_id"], data, **more), data


def spooled(receiver: Receiver) -> list[bytes]:
    """Return the lines in the spool."""
    spool = receiver.spool
    return [line for path in (*spool.segments(), *spool.segments(".open")) for line in path.read_bytes().splitlines()]
