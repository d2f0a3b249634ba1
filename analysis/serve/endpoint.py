"""A store in, an application that answers "may this line send?" out: whatever goes wrong, the answer is to pause.

A sender who looks only at ``decision`` and not at the status still fails safe: every answer that is no row of the gate says pause.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from analysis import pipeline
from analysis.errors import LineHealthError

WAIT_S = 1.0
"""A sender waits for the answer before it sends: a store held by another program for longer is told as it is."""
LOCAL = ("127.0.0.1", "localhost", "[::1]", "::1")
"""Names under which this machine is asked: a web page under another name that points here gets nothing."""
_LEFT_OUT = ("risk_by_new",)


class Answers:
    """The gate of one store, read again when the store changes."""

    def __init__(self, store: pipeline.Where, clock: Callable[[], datetime] = pipeline.clock) -> None:
        self.store, self.clock = store, clock
        self._lock = threading.Lock()
        self._held: tuple[str, pipeline.KeptGate] | None = None

    def kept(self) -> pipeline.KeptGate:
        """Return the gate as kept in the store as it is now; raises StoreError where it cannot be read."""
        word = pipeline.snapshot(self.store)
        with self._lock:
            if self._held is None or not word or self._held[0] != word:
                self._held = None  # an old answer must not outlive its store
                self._held = word, pipeline.kept_gate(self.store, wait_s=WAIT_S)
            return self._held[1]

    def state(self, kept: pipeline.KeptGate, at: datetime) -> dict[str, Any]:
        """Return how old the data is."""
        age = None if kept.newest is None else round((at - kept.newest).total_seconds() / 3600, 2)
        return {"as_of": pipeline.iso(kept.newest), "data_age_hours": age, "stale": kept.stale(at)}

    def rows(self) -> list[dict[str, Any]]:
        """Return contract.md's gate, section 8, of every line by the clock."""
        kept, at = self.kept(), self.clock()
        state = {"at": pipeline.iso(at), **self.state(kept, at)}
        return [{**{k: v for k, v in row.items() if k not in _LEFT_OUT}, **state} for row in kept.at(at)]


def application(
    store: pipeline.Where, *, clock: Callable[[], datetime] = pipeline.clock, hosts: tuple[str, ...] = LOCAL
) -> Starlette:
    """Return the application: GET /gate, /gate/{line}, /healthz.

    Args:
        store: path of the store.
        clock: the time now, UTC.
        hosts: names under which it may be asked; "*" for all.
    """
    answers = Answers(store, clock)

    def gate(request: Request) -> Response:
        return _json(answers.rows())

    def gate_of_line(request: Request) -> Response:
        asked = "".join(c for c in request.path_params["line"] if c.isdigit())
        row = next((r for r in answers.rows() if asked and r["line"].lstrip("+") == asked), None)
        if row is None:
            return _pause(404, "No such line in the store: load its exports first, or write it like +14155550101.")
        return _json(row)

    def healthz(request: Request) -> Response:
        kept = answers.kept()
        return _json({"ok": True, "lines": len(kept.rows), **answers.state(kept, clock())})

    return Starlette(
        routes=[Route("/gate", gate), Route("/gate/{line}", gate_of_line), Route("/healthz", healthz)],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)],
        exception_handlers={LineHealthError: _unreadable, HTTPException: _refused, Exception: _broken},
    )


def _json(content: Any, status: int = 200) -> Response:
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return Response(body, status, {"cache-control": "no-store"}, "application/json")


def _pause(status: int, why: str) -> Response:
    return _json({"decision": "pause", "new_recipients_left_today": 0, "sends_left_today": 0, "why": why}, status)


async def _unreadable(request: Request, error: Exception) -> Response:
    return _pause(503, f"The store cannot be read: {error}")


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    return _pause(status, "Ask with GET /gate, /gate/LINE or /healthz.")


async def _broken(request: Request, error: Exception) -> Response:
    return _pause(503, f"The gate could not be worked out ({type(error).__name__}).")
