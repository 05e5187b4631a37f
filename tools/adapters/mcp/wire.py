"""Carries the protocol's requests over the wire of HTTP tools: its guard of addresses, its one deadline, its limits.

The SDK speaks the protocol and knows nothing of them. What was seen of each exchange is kept here, for an outcome
rests on what has happened on the wire and not on how the SDK words it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import anyio.to_thread
import httpx2

from agentops.clock import lease_clock_s
from tools.adapters.http.request import PLAIN_HEADERS, Request
from tools.adapters.http.wire import Exchange, Wire
from tools.adapters.mcp.config import Target
from tools.recall import Recall

# The rest is either of the wire (encodings, lengths) or of httpx2, which nobody asked.
_PASSED_ON = ("host", "accept", "content-type", "last-event-id")
_PASSED_BACK = ("content-type", "mcp-session-id")  # no location: redirects are not followed
CALLS = frozenset({"tools/call", "resources/read", "prompts/get"})


@dataclass(frozen=True, slots=True)
class Allowance:
    """How long a conversation may take, after when it starts nothing any more, and how it is called back."""

    deadline: float
    not_after: float = math.inf
    recall: Recall | None = None

    def left(self) -> float:
        return max(0.0, self.deadline - lease_clock_s())


class Exchanges(httpx2.AsyncBaseTransport):
    """The requests of one conversation. `called`: the exchange that carried the call, once it was begun.

    After one that failed nothing more is sent: the SDK would go on to try an older protocol.
    """

    def __init__(
        self, wire: Wire, target: Target, headers: Sequence[tuple[bytes, bytes]], allowance: Allowance
    ) -> None:
        self._wire = wire
        self._target = target
        self._headers = headers
        self._allowance = allowance
        self.called: Exchange | None = None
        self.last: Exchange | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Make one exchange. What went wrong on the way is a 502 for the SDK."""
        resumes = "last-event-id" in request.headers
        if request.method == "GET" and not resumes:
            return httpx2.Response(405)  # a stream for what the server wants to say unasked
        if self.last is not None and self.last.fault:
            return httpx2.Response(502)
        content = await request.aread()
        is_call = _method_of(content) in CALLS
        if is_call:
            self.called = Exchange(sent=True, fault="timeout")  # until more is known
        made = await anyio.to_thread.run_sync(self._send, request, content, abandon_on_cancel=True)
        self._note(made, is_call, resumes)
        if made.fault:
            return httpx2.Response(502)
        headers = {name: made.headers[name] for name in _PASSED_BACK if name in made.headers}
        return httpx2.Response(made.status, headers=headers, content=made.body)

    def _note(self, made: Exchange, is_call: bool, resumes: bool) -> None:
        self.last = made
        if is_call:
            self.called = made
        elif resumes and (made.fault or made.status != 200):
            # The call was taken; its reply is lost, whatever the server says about the rest of its stream.
            self.called = Exchange(sent=True, fault="connection_lost")

    def _send(self, request: httpx2.Request, content: bytes) -> Exchange:
        allowance = self._allowance
        return self._wire.send(
            self._build(request, content),
            timeout_s=allowance.left(),
            not_after=allowance.not_after,
            recall=allowance.recall,
        )

    def _build(self, request: httpx2.Request, content: bytes) -> Request:
        url = request.url
        passed = [
            (name, value)
            for name, value in request.headers.raw
            if name.decode().lower() in _PASSED_ON or name.lower().startswith(b"mcp-")
        ]
        length = [(b"Content-Length", str(len(content)).encode())] if request.method == "POST" else []
        return Request(
            method=request.method,
            scheme=url.scheme,
            host=url.host,
            port=url.port,
            target=url.raw_path.decode(),
            headers=[*passed, *PLAIN_HEADERS, *length, *self._headers],
            body=content if request.method == "POST" else None,
            limit_bytes=self._target.limit_bytes,
            allow_private=self._target.allow_private,
        )


def _method_of(content: bytes) -> str:
    try:
        return str(json.loads(content)["method"])
    except (ValueError, KeyError, TypeError):
        return ""
