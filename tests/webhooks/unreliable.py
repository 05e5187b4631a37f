"""A receiver of webhooks as bad as they come: of each message it spoils the first attempt, in one way after another."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

from tests.approvals.notices.receivers import Posted

WAYS = ("taken", "error", "no answer", "elsewhere", "garbage", "hold")
INSIDE = "http://127.0.0.1:9/inside"  # where it would like us to go


@dataclass
class Unreliable:
    """What it was sent, what it took, and what it does to the first attempt of each message."""

    url: str = ""
    posted: list[Posted] = field(default_factory=list)
    taken: list[Posted] = field(default_factory=list)
    spoiled: dict[str, str] = field(default_factory=dict)
    is_held: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    _numbers: Iterator[int] = field(default_factory=count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def choose(self, posted: Posted) -> str:
        """Note an attempt and return what is to become of it; a message that was spoiled once is taken."""
        with self._lock:
            self.posted.append(posted)
            name = posted.headers["webhook-id"]
            way = "taken" if name in self.spoiled else WAYS[next(self._numbers) % len(WAYS)]
            self.spoiled.setdefault(name, way)
            if way == "taken":
                self.taken.append(posted)
            return way

    def ids_by_subject(self) -> dict[str, set[str]]:
        """Return under which ids each request was told."""
        found: dict[str, set[str]] = defaultdict(set)
        for posted in self.posted:
            found[posted.document["data"]["approval"]].add(posted.headers["webhook-id"])
        return found


class _Handler(BaseHTTPRequestHandler):
    receiver: Unreliable

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        match self.receiver.choose(Posted(self.path, headers, body)):
            case "error":
                self.answer(500)
            case "no answer":
                self.close_connection = True
            case "elsewhere":
                self.answer(302, INSIDE)
            case "garbage":
                self.wfile.write(b"<html>Bad gateway</html>")
                self.close_connection = True
            case "hold":  # it has the message; whoever sent it hears nothing before the test says so
                self.receiver.is_held.set()
                self.receiver.go_on.wait(60)
                self.close_connection = True
            case _:
                self.answer(204)

    def answer(self, status: int, location: str = "") -> None:
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def unreliable() -> Iterator[Unreliable]:
    """Answer badly at a port of this machine."""
    receiver = Unreliable()
    handler = type("Handler", (_Handler,), {"receiver": receiver})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
        try:
            yield receiver
        finally:
            receiver.go_on.set()
            server.shutdown()
