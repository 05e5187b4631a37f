"""An ASGI layer in front of Django that reads a request's body whole, up to a limit.

Django would spool a body of any length to disk before a view is asked, and DRF takes a chunked body, which
has no Content-Length, for none at all. Behind this layer every body is short and says how long it is.
"""

from __future__ import annotations

import json
from typing import cast

from asgiref.typing import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGIReceiveEvent,
    ASGISendCallable,
    HTTPRequestEvent,
    HTTPScope,
    Scope,
)
from django.conf import settings

from agentops.api.problem_document import PROBLEM_MEDIA_TYPE, Problem
from agentops.tracing import continue_trace

# A client that is still writing would see a reset connection instead of its 413: a moderate excess is read
# and thrown away before the answer, a gross one is cut off.
DRAINED = 32 * 1_048_576


def bound_bodies(application: ASGI3Application) -> ASGI3Application:
    """Return the application behind a limit of DATA_UPLOAD_MAX_MEMORY_SIZE bytes; longer bodies are 413."""

    async def bounded(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if _declared_length(scope) > DRAINED:
            await _refuse(scope, send, limit)
            return
        body, whole = await _read(receive, limit)
        if not whole:
            return  # the client went away
        if len(body) > limit:
            await _refuse(scope, send, limit)
            return
        await application(_with_length(scope, len(body)), _replay(body, receive), send)

    return bounded


async def _read(receive: ASGIReceiveCallable, limit: int) -> tuple[bytes, bool]:
    """Return the body, cut a little behind the limit, and whether its end was seen."""
    body, size = bytearray(), 0
    while True:
        event = await receive()
        if event["type"] != "http.request":
            return bytes(body), False
        size += len(event["body"])
        if len(body) <= limit:
            body += event["body"]
        if not event["more_body"] or size > DRAINED:
            return bytes(body), True


def _replay(body: bytes, receive: ASGIReceiveCallable) -> ASGIReceiveCallable:
    """Return a receiver that hands out the body once and then listens on."""
    waiting = [HTTPRequestEvent(type="http.request", body=body, more_body=False)]

    async def replay() -> ASGIReceiveEvent:
        return waiting.pop() if waiting else await receive()

    return replay


def _declared_length(scope: HTTPScope) -> int:
    length = _header(scope, b"content-length")
    return int(length[:20]) if length.isdigit() else 0


def _header(scope: HTTPScope, wanted: bytes) -> bytes:
    return next((value for name, value in scope["headers"] if name == wanted), b"")


def _with_length(scope: HTTPScope, length: int) -> HTTPScope:
    if not length:
        return scope
    framing = (b"content-length", b"transfer-encoding")
    headers = [(name, value) for name, value in scope["headers"] if name not in framing]
    headers.append((b"content-length", str(length).encode()))
    return cast(HTTPScope, {**scope, "headers": headers})


async def _refuse(scope: HTTPScope, send: ASGISendCallable, limit: int) -> None:
    problem = Problem(413, "body_too_large", f"A request body has at most {limit} bytes.")
    trace = continue_trace(_header(scope, b"traceparent").decode("latin-1"))
    headers = [
        (b"content-type", PROBLEM_MEDIA_TYPE.encode()),
        (b"connection", b"close"),
        (b"traceparent", trace.traceparent.encode()),
    ]
    body = json.dumps(problem.document(scope["path"])).encode()
    await send(
        {"type": "http.response.start", "status": problem.status, "headers": headers, "trailers": False}
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})
