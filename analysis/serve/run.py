"""An application, a host and a port in, a server that runs until it is stopped out."""

from __future__ import annotations

import socket

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


def serve(app: Starlette, held: socket.socket) -> None:
    """Answer requests until the process is told to stop."""
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
    uvicorn.Server(config).run(sockets=[held])
