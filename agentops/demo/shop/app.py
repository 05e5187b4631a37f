"""The shop over HTTP: one endpoint per tool, and the record of effects to read back."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from agentops.demo.effects import Caller, read_caller
from agentops.demo.shop.catalogue import TOOLS
from agentops.demo.shop.reads import READS
from agentops.demo.shop.writes import WRITES
from agentops.demo.toolserver import (
    EXCEPTION_HANDLERS,
    JsonObject,
    Problem,
    check_arguments,
    compile_schema,
    read_arguments,
)

if TYPE_CHECKING:
    from starlette.requests import Request

    from agentops.demo.shop.store import Store

VALIDATORS = {tool.name: compile_schema(tool.input_schema) for tool in TOOLS}


def call_tool(store: Store, name: str, arguments: JsonObject, caller: Caller) -> tuple[JsonObject, bool]:
    """Carry out one call; returns the answer and whether it replays an earlier effect.

    Raises Problem 404 for an unknown tool, 422 for invalid arguments, 409 or 422 when the shop refuses.
    """
    if name not in VALIDATORS:
        raise Problem(404, "unknown_tool", f"the shop has no tool {name}")
    check_arguments(VALIDATORS[name], arguments)
    if name in READS:
        return READS[name](store, arguments), False
    return store.log.perform(caller, name, arguments, lambda given: WRITES[name](store, given))


def tag_of(answer: JsonObject) -> str:
    """Return the ETag of what was read: another one whenever anything of it is another."""
    text = json.dumps(answer, sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def build_app(store: Store) -> Starlette:
    """Return the shop as an ASGI application.

    Calls touch the database on the event loop, one after another: a shop this small needs no second writer.
    """

    async def answer_call(request: Request) -> JSONResponse:
        arguments = await read_arguments(request)
        answer, replayed = call_tool(store, request.path_params["name"], arguments, read_caller(request))
        headers = {"ETag": tag_of(answer)} if request.path_params["name"] in READS else {}
        return JSONResponse(answer, headers=headers | ({"Idempotent-Replay": "true"} if replayed else {}))

    async def list_effects(request: Request) -> JSONResponse:
        return JSONResponse({"effects": store.log.effects()})

    async def read_effect(request: Request) -> JSONResponse:
        answer = store.log.answer(request.path_params["key"])
        if answer is None:
            raise Problem(404, "no_such_effect", "no effect happened under this key")
        return JSONResponse(answer)

    async def report_health(request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    routes = [
        Route("/tools/{name}", answer_call, methods=["POST"]),
        Route("/effects", list_effects),
        Route("/effects/{key:path}", read_effect),
        Route("/healthz", report_health),
    ]
    return Starlette(routes=routes, exception_handlers=EXCEPTION_HANDLERS)
