"""A2A as an ASGI layer in front of Django: it answers at /a2a/{agent} and for cards, and leaves the rest to others."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from functools import cache
from io import BytesIO
from typing import Any, NoReturn

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

from agentops.api.limits import count_request, read_policy
from agentops.api.problem_document import PROBLEM_MEDIA_TYPE, Problem
from agentops.database import orm_section
from agentops.errors import NotFound, Overloaded
from agentops.strangers import network_of
from agentops.strict_json import MalformedJSON, parse_json
from identities.oauth.metadata import issuer
from runs.a2a.admitting import Caller, Refused, admit
from runs.a2a.cards import PREFIX, REST, WELL_KNOWN, find_only_exposed, write_card
from runs.back_pressure import check_room
from runs.models import Priority

CARD_KEPT_S = 60
LACKING = "A2A needs the optional extra: install agentops[a2a] (a2a-sdk) on the web servers."
SENDING = ("SendMessage", "SendStreamingMessage", f"{REST}/message:send", f"{REST}/message:stream")
WRITING = (*SENDING, "CancelTask")


def mount_a2a(application: ASGI3Application) -> ASGI3Application:
    """Return the application with A2A before it; behind it every body has to be short and whole."""

    async def routed(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        place = _find_place(scope) if scope["type"] == "http" and issuer() else None
        if scope["type"] != "http" or place is None:
            await application(scope, receive, send)
            return
        try:
            await _answer(scope, receive, send, *place)
        except Refused as refusal:
            await _refuse(scope, refusal, send)

    return routed


def _find_place(scope: Scope) -> tuple[str, str] | None:
    """Return which agent is spoken to ("" for the only one), and where; None for whatever is none of ours."""
    path = scope["path"] if scope["type"] == "http" else ""
    if path == WELL_KNOWN:
        return "", WELL_KNOWN
    head, slug, rest = [*path.rstrip("/").split("/", 3)[1:], "", "", ""][:3]
    return (slug, f"/{rest}" if rest else "/") if f"/{head}" == PREFIX and slug else None


async def _answer(
    scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable, slug: str, place: str
) -> None:
    if not is_installed():
        raise Refused(501, "a2a_not_installed", LACKING)
    request = ASGIRequest(scope, BytesIO())
    if place == WELL_KNOWN:
        card = await asyncio.to_thread(_read_card, request, slug)
        headers = {"content-type": "application/json", "cache-control": f"public, max-age={CARD_KEPT_S}"}
        await _send(send, 200, headers, json.dumps(card).encode())
        return
    caller = await asyncio.to_thread(_admit, request, slug)
    body, asked = await _read(receive)
    name = asked.get("method") if place == "/" and isinstance(asked, Mapping) else place
    await asyncio.to_thread(_count, caller, str(name), asked)
    served = {**scope, "path": place, "raw_path": place.encode(), "root_path": "", _CALLER: caller}
    await sdk_application()(served, _replay(body, receive), send)


_CALLER = "agentops.caller"


@cache
def sdk_application() -> Any:  # Any: starlette's, as the SDK routes it
    """Return both bindings, as the SDK serves them."""
    # Only here: few processes are ever asked, and the extra may be missing.
    from a2a.server.routes import create_jsonrpc_routes, create_rest_routes
    from a2a.server.routes.common import DefaultServerCallContextBuilder
    from starlette.applications import Starlette

    from runs.a2a.handler import CALLER, RunsHandler

    class Builder(DefaultServerCallContextBuilder):
        def build(self, request: Any) -> Any:  # Any: of starlette and of the SDK
            context = super().build(request)
            context.state[CALLER] = request.scope[_CALLER]
            return context

    # It logs what clients send, which are the words of their users: errors of ours are logged by the handler.
    logging.getLogger("a2a").setLevel(logging.CRITICAL)
    handler, builder = RunsHandler(), Builder()
    return Starlette(
        routes=[
            *create_jsonrpc_routes(handler, "/", builder),
            *create_rest_routes(handler, builder, path_prefix=REST),
        ]
    )


@cache
def is_installed() -> bool:
    """Return whether the extra is there."""
    try:
        import a2a.server.routes  # noqa: F401  whether it can be imported is what is asked
    except ImportError:
        return False
    return True


def _read_card(request: HttpRequest, slug: str) -> dict[str, Any]:  # Any: JSON
    _limit_stranger(request, "read")
    if request.method not in ("GET", "HEAD"):
        raise Refused(405, "method_not_allowed", "A card is read.", {"Allow": "GET, HEAD"})
    return _in_section(lambda: write_card(slug or find_only_exposed()))


def _in_section(verb: Callable[[], dict[str, Any]]) -> dict[str, Any]:  # Any: JSON
    try:
        with orm_section():
            return verb()
    except NotFound as error:
        raise Refused(404, error.code, error.detail) from None


def _admit(request: HttpRequest, slug: str) -> Caller:
    try:
        return admit(slug, request)
    except Refused as refusal:
        if refusal.status == 401:  # who proves nothing may not try as often as they like
            _limit_stranger(request, "write")
        raise


def _limit_stranger(request: HttpRequest, policy: str) -> None:
    _limit(policy, network_of(request))


def _limit(policy: str, client: str) -> None:
    standing = count_request(read_policy(policy), client)
    if standing.is_exceeded:
        _put_off("too_many_requests", "Too many requests.", standing.resets_in_s)


def _put_off(code: str, detail: str, after_s: int) -> NoReturn:
    raise Refused(429, code, detail, {"Retry-After": str(after_s)})


def _count(caller: Caller, name: str, asked: Any) -> None:  # Any: JSON
    """Count the request with the application's others, and put off a new task while those before it wait too long."""
    is_write = name in WRITING or name.endswith(":cancel")
    _limit("write" if is_write else "read", str(caller.account.pk))
    if name not in SENDING or _names_task(asked):
        return
    try:
        with orm_section():
            check_room(Priority.NORMAL, caller.agent.team_id)
    except Overloaded as error:
        _put_off(error.code, error.detail, error.retry_after_s)


def _names_task(asked: Any) -> bool:  # Any: JSON
    try:
        return bool((asked.get("params") or asked)["message"].get("taskId"))
    except (KeyError, TypeError, AttributeError):
        return False


async def _read(receive: ASGIReceiveCallable) -> tuple[bytes, Any]:  # Any: JSON
    body = bytearray()
    while True:
        event = await receive()
        if event["type"] != "http.request":
            raise Refused(400, "broke_off", "The request broke off.")
        body += event["body"]
        if not event["more_body"]:
            break
    try:
        return bytes(body), parse_json(
            bytes(body)
        ) if body else {}  # one meaning only, whatever reads it next
    except MalformedJSON as error:
        raise Refused(400, "malformed_json", str(error)) from None


def _replay(body: bytes, receive: ASGIReceiveCallable) -> Any:  # Any: as starlette types it
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Any:  # Any: as above
        return waiting.pop() if waiting else await receive()

    return replay


async def _refuse(scope: HTTPScope, refusal: Refused, send: ASGISendCallable) -> None:
    problem = Problem(refusal.status, refusal.code, refusal.detail)
    headers = {"content-type": PROBLEM_MEDIA_TYPE, "cache-control": "no-store", **refusal.headers}
    await _send(send, refusal.status, headers, json.dumps(problem.document(scope["path"])).encode())


async def _send(send: ASGISendCallable, status: int, headers: Mapping[str, str], body: bytes) -> None:
    named = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": named, "trailers": False})
    await send({"type": "http.response.body", "body": body, "more_body": False})
