"""A tool over HTTP behind the sample resource server: it carries out what the call's token says, and nothing else."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from django.db import connections

from tests.oauth.clients import ISSUER
from tests.oauth.resource_server import ResourceServer

Keys = Callable[[], dict[str, Any]]


@dataclass
class Shown:
    """What a request came with, and why it was refused."""

    token: str
    key: str
    headers: dict[str, str]
    arguments: dict[str, Any]  # Any: JSON
    refusal: str


@dataclass
class ToolServer:
    """Its address, whose calls it takes of which tool, what it was shown, the statuses it answers with first."""

    user: str
    tool: str
    judge: ResourceServer
    address: str = ""
    shown: list[Shown] = field(default_factory=list)
    mishaps: list[int] = field(default_factory=list)
    meanwhile: Callable[[str], object] | None = None  # happens in the middle of a call, whose key it gets

    def take(self, headers: dict[str, str], arguments: dict[str, Any]) -> int:  # Any: JSON
        """Return the status that a call is answered with."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        key = headers.get("idempotency-key", "")
        call: dict[str, Any] = {"user": self.user, "tool": self.tool, "key": key, "arguments": arguments}
        refusal = self.judge.refuse(token, **call) if scheme == "Bearer" else "nobody"
        self.shown.append(Shown(token, key, headers, arguments, refusal))
        if self.meanwhile is not None:
            self.meanwhile(key)
        if refusal:
            return 401
        return self.mishaps.pop(0) if self.mishaps else 200


@contextmanager
def serve_tool(
    fetch_keys: Keys, introspect: Callable[[str], bool] | None = None, *, user: str, tool: str
) -> Iterator[ToolServer]:
    """Serve a tool on a free port of this machine; its audience is its address."""
    state = ToolServer(user, tool, ResourceServer(ISSUER, "", fetch_keys, introspect))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                status = state.take(headers, json.loads(body))
            finally:
                connections.close_all()  # the authorization server answers in this thread
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.address = state.judge.audience = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield state
        server.shutdown()
