"""Where notices arrive in tests: a real HTTP server and a real mail server, both on this machine."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session
from standardwebhooks.webhooks import Webhook


@dataclass(frozen=True)
class Posted:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:  # Any: JSON
        return json.loads(self.body)

    def verify(self, secret: str) -> Any:  # Any: JSON
        """Have the receivers' own library look at it."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """An endpoint: what it was sent, and with what it answers next (the last answer for ever)."""

    url: str = ""
    posted: list[Posted] = field(default_factory=list)
    statuses: list[int] = field(default_factory=lambda: [204])
    location: str = ""
    hangs: threading.Event | None = None

    @property
    def ids(self) -> list[str]:
        return [each.headers["webhook-id"] for each in self.posted]


@contextmanager
def listening() -> Iterator[Receiver]:
    """Answer at a port of this machine."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.posted.append(Posted(self.path, headers, body))
            if receiver.hangs is not None:
                receiver.hangs.wait(30)
            status = receiver.statuses.pop(0) if len(receiver.statuses) > 1 else receiver.statuses[0]
            self.send_response(status)
            if receiver.location:
                self.send_header("Location", receiver.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
        try:
            yield receiver
        finally:
            if receiver.hangs is not None:
                receiver.hangs.set()
            server.shutdown()


class Mailbox:
    """A mail server: what it took, and whether it takes anything now."""

    def __init__(self) -> None:
        self.taken: list[tuple[list[str], EmailMessage]] = []
        self.refuses = False
        self.port = 0

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Take a letter, or say that it is to be tried later."""
        if self.refuses:
            return "451 Try again later"
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        letter = message_from_bytes(content, policy=policy.default)
        self.taken.append(([*envelope.rcpt_tos], letter))
        return "250 OK"

    @property
    def letters(self) -> list[EmailMessage]:
        return [letter for _, letter in self.taken]

    @property
    def addresses(self) -> list[str]:
        return [to for receivers, _ in self.taken for to in receivers]


@contextmanager
def post_office() -> Iterator[Mailbox]:
    """Run a mail server at a port of this machine."""
    box, loop = Mailbox(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    opening = loop.create_server(partial(SMTP, box, loop=loop), "127.0.0.1", 0)
    server = asyncio.run_coroutine_threadsafe(opening, loop).result(10)
    try:
        box.port = server.sockets[0].getsockname()[1]
        yield box
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
