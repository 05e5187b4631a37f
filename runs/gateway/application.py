"""The gateway as an ASGI layer in front of Django: it answers at /mcp, and leaves everything else to the others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope
from django.conf import settings

from agentops.api.limits import count_request, read_policy
from agentops.database import orm_section
from agentops.strict_json import MalformedJSON, parse_json
from identities.oauth.bearers import Delegate, accept_delegate
from identities.oauth.compact import TokenRefused
from identities.oauth.metadata import issuer, protected_resource_url
from identities.oauth.scopes import CALL_TOOLS

PATH = "/mcp"
PARSE_ERROR = -32700
LOG_LEVEL = "io.modelcontextprotocol/logLevel"
CALLS = ("tools/call", "resources/read", "prompts/get")
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_LACKING = frozenset(("scope", "no_user", "another_agent", "not_an_agent"))


class _Refused(Exception):
    """The request goes no further: status, header fields, and words."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})


def mount_gateway(application: ASGI3Application) -> ASGI3Application:
    """Return the application with the gateway before it; behind it every body has to be short and whole."""

    async def routed(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http" or scope["path"].rstrip("/") != PATH or not issuer():
            await application(scope, receive, send)
            return
        try:
            caller = await _admit(scope)
            body, asked = await _read(receive)
        except _Refused as refusal:
            await _refuse(refusal, send)
            return
        streams = await asyncio.to_thread(_wants_stream, asked, caller)
        await _serve(scope, caller, _replay(body, receive), send, streams=streams)

    return routed


async def _admit(scope: HTTPScope) -> Delegate:
    if scope["method"] != "POST":  # there is no stream to listen to, and no session to end
        raise _Refused(405, "Only POST is served here.", {"Allow": "POST"})
    caller = await asyncio.to_thread(_authenticate, _header(scope, b"authorization"))
    standing = await asyncio.to_thread(count_request, read_policy("write"), f"gateway:{caller.agent.pk}")
    if standing.is_exceeded:
        raise _Refused(429, "Too many requests.", {"Retry-After": str(standing.resets_in_s)})
    return caller


def _authenticate(header: str) -> Delegate:
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise _Refused(401, "Present a token.", _challenge(""))
    try:
        with orm_section():
            return accept_delegate(text.strip())
    except TokenRefused as refusal:
        if refusal.reason in _LACKING:
            detail = "The token has to be an agent's, for an end user, with the scope to call tools."
            raise _Refused(403, detail, _challenge("insufficient_scope")) from None
        raise _Refused(401, "This token is not valid.", _challenge("invalid_token")) from None


def _challenge(error: str) -> dict[str, str]:
    """Return where to learn what is asked for (RFC 9728, 5.1; RFC 6750, 3)."""
    named = f', error="{error}"' if error else ""
    told = f'Bearer realm="agentops", resource_metadata="{protected_resource_url()}", scope="{CALL_TOOLS}"{named}'
    return {"WWW-Authenticate": told}


async def _read(receive: ASGIReceiveCallable) -> tuple[bytes, Any]:  # Any: JSON
    body = bytearray()
    while True:
        event = await receive()
        if event["type"] != "http.request":
            raise _Refused(400, "The request broke off.")
        body += event["body"]
        if not event["more_body"]:
            break
    try:
        return bytes(body), parse_json(bytes(body))  # with one meaning only, whatever reads it next
    except MalformedJSON as error:
        raise _Refused(400, str(error)) from None


def _wants_stream(asked: Any, caller: Delegate) -> bool:  # Any: JSON
    """Return whether the answer has to be a stream: only then can anything be told before the end."""
    try:
        told = asked["params"]["_meta"]
        return told.get("progressToken") is not None or LOG_LEVEL in told or _kept(asked, caller)
    except (KeyError, TypeError, IndexError, AttributeError):
        return _kept(asked, caller)


def _kept(asked: Any, caller: Delegate) -> bool:  # Any: as above
    """Return whether the client has set a level before, for a request that may have something to tell."""
    from runs.gateway.logs import read_level

    is_call = isinstance(asked, dict) and asked.get("method") in CALLS
    return is_call and bool(read_level(caller))


async def _serve(
    scope: HTTPScope, caller: Delegate, receive: Any, send: ASGISendCallable, *, streams: bool
) -> None:  # Any: as starlette types it
    # Only here: the SDK takes half a second to import, and few processes are ever asked.
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    from runs.gateway.server import CALLER, gateway_server

    manager = StreamableHTTPSessionManager(
        gateway_server(), json_response=not streams, stateless=True, security_settings=_transport_security()
    )
    # A manager lives for one request: nothing is kept between two of them, and none waits for another's end.
    asked: dict[str, Any] = {**scope, CALLER: caller}  # Any: the scope of ASGI, with an extension
    async with manager.run():
        await manager.handle_request(asked, receive, send)  # type: ignore[arg-type]  # starlette's names


def _replay(body: bytes, receive: ASGIReceiveCallable) -> Any:  # Any: as starlette types it
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Any:  # Any: as above
        return waiting.pop() if waiting else await receive()

    return replay


def _transport_security() -> Any:  # Any: a type of the SDK, which is imported late
    from mcp.server.transport_security import TransportSecuritySettings

    ours = urlsplit(issuer()).netloc
    hosts = [ours, *(each for name in settings.ALLOWED_HOSTS for each in (name, f"{name}:*"))]
    return TransportSecuritySettings(
        allowed_hosts=hosts, allowed_origins=[issuer(), *_origins_of_this_machine()]
    )


def _origins_of_this_machine() -> list[str]:
    """Return the other names of an installation that only this machine can reach; elsewhere there are none."""
    if urlsplit(issuer()).hostname not in LOOPBACK:
        return []
    return [f"http://{name}:*" for name in LOOPBACK]


def _header(scope: HTTPScope, wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), "")


async def _refuse(refusal: _Refused, send: ASGISendCallable) -> None:
    error = {"code": PARSE_ERROR if refusal.status == 400 else -32600, "message": refusal.detail}
    body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()
    named = {"content-type": "application/json", "cache-control": "no-store", **refusal.headers}
    headers = [(name.lower().encode(), value.encode()) for name, value in named.items()]
    await send(
        {"type": "http.response.start", "status": refusal.status, "headers": headers, "trailers": False}
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})
