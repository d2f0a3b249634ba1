"""A local web server and a local mail server that refuse as often as a test says, then take what comes."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiosmtpd.controller import Controller

SECRET = "t0p-s3cret-token"


class Web:
    """A webhook: answers 500 for the first ``refusals`` calls, and keeps the bodies of the others."""

    def __init__(self):
        self.refusals, self.tries, self.taken = 0, 0, []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                web.tries += 1
                refused = web.tries <= web.refusals
                if not refused:
                    web.taken.append(body)
                self.send_response(500 if refused else 200)
                self.end_headers()

            def log_message(self, *_):
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"json://127.0.0.1:{self.server.server_port}/{SECRET}"


@pytest.fixture
def web():
    served = Web()
    yield served
    served.server.shutdown()
    served.server.server_close()


class Post:
    """A mail server's rules: refuses the first ``refusals`` mails for now, and keeps the others."""

    def __init__(self):
        self.refusals, self.tries, self.taken = 0, 0, []

    async def handle_DATA(self, server, session, envelope):
        self.tries += 1
        if self.tries <= self.refusals:
            return "451 come back later"
        self.taken.append(envelope)
        return "250 taken"


@pytest.fixture
def post():
    rules = Post()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(rules, hostname="127.0.0.1", port=port)
    controller.start()
    rules.address = f"mailto://127.0.0.1:{port}?from=reports@example.com&to=boss@example.com&mode=insecure"
    yield rules
    controller.stop()
