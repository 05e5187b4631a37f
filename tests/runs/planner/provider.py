"""A real HTTP server on loopback that plays a provider, faults included, as a test tells it to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from agentops.demo.planner.vectors import embed

Turn = Callable[["Conversation"], None]
EMBEDDINGS = "/embeddings"


def completion(**changes: Any) -> dict[str, Any]:
    """Return an ordinary Chat Completion; `message`, `choice` and top-level keys can be changed."""
    message = {"role": "assistant", "content": "Hello.", **changes.pop("message", {})}
    choice = {"index": 0, "finish_reason": "stop", "message": message, **changes.pop("choice", {})}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "model-1-2026",
        "choices": [choice],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
        **changes,
    }


def call(
    arguments: object = '{"order_id": "W1"}', name: object = "get_order", **changes: Any
) -> dict[str, Any]:
    """Return one tool call as it stands in a message."""
    return {
        "id": "call_a",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
        **changes,
    }


@dataclass(frozen=True)
class Received:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    client_port: int


class Conversation(BaseHTTPRequestHandler):
    """One connection of a client, and what was asked for last over it: a port may be another client's by now."""

    protocol_version = "HTTP/1.1"
    server: _Server
    asked: Received

    def do_POST(self) -> None:
        if self.server.provider.stop_reading.is_set():
            self.wait()
            return
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.asked = Received(self.path, headers, json.loads(body), self.client_address[1])
        provider = self.server.provider
        provider.note(self.asked)
        (provider.embed if self.path.endswith(EMBEDDINGS) else provider.next_turn())(self)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""

    def send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Send a whole response."""
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def drop(self) -> None:
        """End the connection."""
        self.close_connection = True

    def wait(self) -> None:
        """Answer nothing until the test is over."""
        self.server.provider.over.wait(60)
        self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512
    provider: Provider

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.provider.settled.set()

    def handle_error(self, request: object, client_address: object) -> None:
        """Take it that clients leave in the middle: they are told to."""


@dataclass
class Provider:
    """The server: `play` says what it answers, `received` what it was asked.

    `settled` is set when it has closed a connection; `stop_reading` lets requests wait in the socket.
    """

    received: list[Received] = field(default_factory=list)
    # Asked for vectors, it answers at any time, and without being told to.
    embedded: list[Received] = field(default_factory=list)
    embed: Turn = field(default_factory=lambda: vectors())
    over: threading.Event = field(default_factory=threading.Event)
    settled: threading.Event = field(default_factory=threading.Event)
    stop_reading: threading.Event = field(default_factory=threading.Event)
    _turns: list[Turn] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), Conversation)
        self._server.provider = self
        # It looks so often whether it is to stop, and most tests of runs wait for that at their end.
        threading.Thread(target=self._server.serve_forever, args=(0.005,), daemon=True).start()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def play(self, *turns: Turn) -> None:
        """Answer with these, one per request; the last one goes on."""
        self._turns = list(turns)

    def note(self, received: Received) -> None:
        with self._lock:
            (self.embedded if received.path.endswith(EMBEDDINGS) else self.received).append(received)

    def next_turn(self) -> Turn:
        with self._lock:
            return self._turns.pop(0) if len(self._turns) > 1 else self._turns[0]

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


def reply(body: object, status: int = 200, **headers: str) -> Turn:
    """Answer at once; `body` is a JSON document or bytes as they are."""
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda conversation: conversation.send(status, encoded, named)


def raw(data: bytes) -> Turn:
    """Write bytes that need not be HTTP, then end the connection."""

    def turn(conversation: Conversation) -> None:
        conversation.wfile.write(data)
        conversation.drop()

    return turn


def drip(data: bytes, *, every_s: float, at_once: bytes = b"") -> Turn:
    """Write `at_once`, then one byte at a time: each single wait is short."""

    def turn(conversation: Conversation) -> None:
        conversation.wfile.write(at_once)
        for position in range(len(data)):
            conversation.wfile.write(data[position : position + 1])
            time.sleep(every_s)
        conversation.drop()

    return turn


def embedding(text: str, name: Callable[[str], str] = str, **changes: Any) -> dict[str, Any]:
    """Return an ordinary answer to one text; top-level keys can be changed."""
    tokens = max(1, len(text) // 4)
    return {
        "object": "list",
        "model": "embed-1-2026",
        "data": [{"object": "embedding", "index": 0, "embedding": embed(text, name)}],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        **changes,
    }


def vectors(name: Callable[[str], str] = str, **changes: Any) -> Turn:
    """Answer with vectors of words by their hashes; ``name`` says what a word is counted as."""

    def turn(conversation: Conversation) -> None:
        document = embedding(conversation.asked.body["input"], name, **changes)
        conversation.send(200, json.dumps(document).encode(), {})

    return turn
