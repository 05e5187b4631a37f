"""Faults: how often each has been played, and what the client then sees."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from agentops.demo.planner.script import Fault

# Conversations whose counts are kept; the oldest are forgotten first.
MAX_COUNTED = 100_000
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit",
}
GARBAGE = "<html><body><h1>502 Bad Gateway</h1></body></html>"


class FaultCounter:
    """How many times the fault of a turn was played in a conversation: the one thing the server remembers."""

    def __init__(self) -> None:
        self._played: OrderedDict[str, int] = OrderedDict()

    def is_due(self, fault: Fault, conversation_key: str) -> bool:
        """Say whether the fault is to be played now, and count it if so."""
        if fault.times is None:
            return True
        played = self._played.get(conversation_key, 0)
        if played >= fault.times:
            return False
        self._played[conversation_key] = played + 1
        if len(self._played) > MAX_COUNTED:
            self._played.popitem(last=False)
        return True


class DroppedConnection(Response):
    """Promise a body, send the beginning of it and hang up: the client sees its reply getting lost."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the header and a few bytes only; the server closes a connection whose body ends early."""
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"id": "chatcmpl-', "more_body": True})


def error_response(
    status: int, message: str, *, code: str | None = None, param: str | None = None
) -> JSONResponse:
    """Return an error as the API words it."""
    kind = ERROR_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return JSONResponse({"error": {"message": message, "type": kind, "param": param, "code": code}}, status)


async def play_fault(fault: Fault, request: Request) -> Response:
    """Return what the client gets instead of an answer; a hang ends only when the client goes away.

    `empty` is not among them: an answer without anything in it is still a completion.
    """
    if fault.kind == "status":
        return status_response(int(fault.value), fault.retry_after)
    if fault.kind == "garbage":
        media_type = "application/json" if fault.value == "json" else "text/html"
        return Response(GARBAGE, media_type=media_type)
    if fault.kind == "hang":
        await wait_for_disconnect(request)
    return DroppedConnection()


def status_response(status: int, retry_after: float | None) -> Response:
    """Return a scripted HTTP error, with Retry-After (seconds) if the script says so."""
    response = error_response(status, f"scripted fault: HTTP {status}", code="scripted_fault")
    if retry_after is not None:
        response.headers["retry-after"] = f"{retry_after:g}"
    return response


async def pause(request: Request, seconds: float) -> None:
    """Wait so long, or until the client has gone: nobody is kept waiting for an answer that nobody reads."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await wait_for_disconnect(request)


async def wait_for_disconnect(request: Request) -> None:
    """Return once the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
