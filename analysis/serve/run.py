"""An application, a host and a port in, a server that runs until it is stopped out."""

from __future__ import annotations

import socket
import threading

import uvicorn
from starlette.applications import Starlette

from analysis.errors import UsageError


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that holds host and port; 0 takes a free port. Raises UsageError where they cannot be had."""
    held = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((host, port))
    except OSError as e:
        held.close()
        raise UsageError(
            f"cannot listen on {host}:{port} ({e.strerror})",
            where="endpoint",
            fix="name another --port or --host",
        ) from None
    return held


def serve(
    app: Starlette, held: socket.socket, *, grace_s: float | None = None, stop: threading.Event | None = None
) -> None:
    """Answer requests until the process is told to stop (or ``stop`` is set); requests in work get up to ``grace_s`` to end."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=None if grace_s is None else max(1, round(grace_s)),
    )
    server = uvicorn.Server(config)
    if stop is not None:  # a signal that came before the server listens to signals
        threading.Thread(target=_end, args=(server, stop), daemon=True).start()
    server.run(sockets=[held])


def _end(server: uvicorn.Server, stop: threading.Event) -> None:
    stop.wait()
    server.should_exit = True
