"""Webhook deliveries in, 2xx out once what is kept of each is on the disk: verify, strip, name, append, sync, answer.

The vendor never sends a 4xx again, so it goes only to what can never be right; whatever may pass (a full disk, too many at once, a slow
network) gets a 503, which it retries for 30 minutes.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from analysis.serve.committing import Committer
from analysis.serve.measures import Measures, behind
from analysis.serve.rate import Rate
from analysis.serve.signature import Signatures
from analysis.settings import Settings
from analysis.sources.delivered import Keeper
from analysis.sources.spool import Spool

PATH = "/webhooks/linq"
REMEMBERED = 200_000
"""Ids of acknowledged deliveries that are remembered: at 100 a second, the vendor's 30 minutes of retries."""
AGAIN_S = "5"
_CODES = {"type": 415, "size": 413, "unsigned": 401, "signature": 401, "stale": 400, "busy": 503, "rate": 503, "slow": 503, "disk": 503, "fault": 503}  # fmt: skip
_WHY = {
    "type": "send application/json",
    "size": "the body is too large",
    "unsigned": "no signature headers",
    "signature": "the signature is not right",
    "stale": "signed, but more than 300 s from this machine's time",
    "busy": "too many at once; send it again",
    "rate": "too many a second from this address; send it again",
    "slow": "not in time; send it again",
    "disk": "it could not be kept; send it again",
    "fault": "a fault here; send it again",
}


class RefusedError(Exception):
    """A delivery that is not acknowledged, by reason."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Receiver:
    """One receiver of one spool."""

    def __init__(
        self, spool: Spool, signatures: Signatures, keeper: Keeper, *, settings: Settings, durable: bool = True
    ) -> None:
        self.spool, self.signatures, self.keeper, self.settings = spool, signatures, keeper, settings
        self.measures = Measures(spool)
        self.most = settings.receive_body_kb << 10
        self.busy = 0
        self.rate = Rate(settings.receive_rate)
        self._seen: collections.OrderedDict[bytes, None] = collections.OrderedDict()
        self._told: dict[str, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self.committer = Committer(
            spool,
            self._settle,
            segment_bytes=settings.receive_segment_mb * (1 << 20),
            segment_s=settings.receive_fold_s,
            durable=durable,
        )
        self.committer.seconds = self.measures.commit.observe

    async def answer(self, request: Request) -> Response:
        """Answer one delivery."""
        self.measures.received.inc()
        if not self.rate.allows(request.client.host if request.client else ""):
            return self._refuse("rate")
        if self.busy >= self.settings.receive_at_once:
            return self._refuse("busy")
        self.busy += 1
        try:
            async with asyncio.timeout(self.settings.receive_time_s):
                outcome = await self._take(request)
        except RefusedError as e:
            return self._refuse(e.reason)
        except TimeoutError:
            return self._refuse("slow")
        except ClientDisconnect:
            return self._refuse("slow")
        except Exception as e:  # whatever it is: not acknowledged, and its text may hold values
            self._say(f"a delivery could not be taken ({type(e).__name__})")
            return self._refuse("fault")
        finally:
            self.busy -= 1
        self.measures.acknowledged.labels(outcome).inc()
        return Response(b'{"ok":true}', media_type="application/json")

    async def _take(self, request: Request) -> str:
        kind = request.headers.get("content-type", "application/json").split(";")[0].strip().lower()
        if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
            raise RefusedError("type")
        body = await self._body(request)
        verdict = self.signatures.verify(request.headers, body)
        if verdict.refused:
            raise RefusedError(verdict.refused)
        self.measures.verified.labels(verdict.scheme).inc()
        if verdict.key in self._seen:
            return "duplicate"
        line, outcome = self.keeper.keep(body, time.time_ns() // 1_000_000)
        kept = asyncio.get_running_loop().create_future()
        self.committer.add(line, kept)
        if not await kept:
            self._say(f"the spool cannot be written ({self.committer.problem}): free disk space or correct its rights")
            raise RefusedError("disk")
        self._seen[verdict.key] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return outcome

    async def _body(self, request: Request) -> bytes:
        told = request.headers.get("content-length", "0")
        if told.isdigit() and int(told) > self.most:
            raise RefusedError("size")
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > self.most:
                raise RefusedError("size")
            parts.append(part)
        return b"".join(parts)

    def _settle(self, waiting: list[Any], good: bool) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_settle, waiting, good)

    def _refuse(self, reason: str) -> Response:
        self.measures.refused.labels(reason).inc()
        if reason == "stale":
            self._say("a delivery was signed more than 300 s from this machine's time: check its clock; it was refused")
        elif reason == "signature":
            self._say("a delivery had no right signature: during a rotation $LINQ_WEBHOOK_SECRET needs both secrets")
        headers = {"retry-after": AGAIN_S} if _CODES[reason] == 503 else {}
        if reason in ("size", "slow"):
            headers["connection"] = "close"  # the rest of the body is not read
        return _problem(_CODES[reason], _WHY[reason], headers)

    def _say(self, sentence: str) -> None:
        """Say a sentence on stderr, the same one at most once a minute."""
        now = time.monotonic()
        if now - self._told.get(sentence, -60.0) >= 60:
            self._told[sentence] = now
            print(f"linehealth: {sentence}", file=sys.stderr, flush=True)  # noqa: T201  # the log of a service

    def health(self, request: Request) -> Response:
        """Say whether deliveries can be kept, and how far the store is behind: 503 where they cannot."""
        problem = f"the spool cannot be written ({self.committer.problem})" if self.committer.problem else ""
        state = {"ok": not problem, "problem": problem or None, **behind(self.spool)}
        state["folding"] = self.spool.told().get("problem") or "ok"
        return Response(json.dumps(state), 503 if problem else 200, {"cache-control": "no-store"}, "application/json")

    def metrics(self, request: Request) -> Response:
        """Return the counts as Prometheus reads them."""
        return PlainTextResponse(self.measures.text(), media_type="text/plain; version=0.0.4")

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Commit while the application runs; at its end write what is waiting and close the segment."""
        self._loop = asyncio.get_running_loop()
        self.committer.start()
        try:
            yield
        finally:
            await asyncio.to_thread(self.committer.stop)


def _settle(waiting: list[asyncio.Future[bool]], good: bool) -> None:
    for future in waiting:
        if not future.done():  # who waited too long was told so
            future.set_result(good)


def _problem(status: int, why: str, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps({"ok": False, "why": why}), status, headers, "application/json")


async def _elsewhere(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return _problem(status, f"POST deliveries to {PATH}", getattr(error, "headers", None))


def application(receiver: Receiver) -> Starlette:
    """Return the application: POST /webhooks/linq, GET /healthz and /metrics."""
    return Starlette(
        routes=[
            Route(PATH, receiver.answer, methods=["POST"]),
            Route("/healthz", receiver.health),
            Route("/metrics", receiver.metrics),
        ],
        exception_handlers={HTTPException: _elsewhere},
        lifespan=receiver.lifespan,
    )
