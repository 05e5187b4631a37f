"""Many retail shops behind one HTTP server, each under a prefix of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from agentops.demo.effects import EffectLog, connect, read_caller
from agentops.demo.toolserver import (
    EXCEPTION_HANDLERS,
    JsonObject,
    Problem,
    check_arguments,
    compile_schema,
    read_arguments,
)
from tests.retail.catalogue import describe_tools
from tests.retail.shop import WRITES, RetailShop

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

    from agentops.demo.effects import Caller
    from tests.retail.dataset import Database


@dataclass(frozen=True)
class OpenShop:
    """A shop and the record of what was done in it."""

    shop: RetailShop
    log: EffectLog

    def read(self, name: str, arguments: JsonObject) -> JsonObject:
        """Answer a read; "not found" and the like are answers too, which the model has to live with."""
        try:
            return {"result": self.shop.call(name, arguments)}
        except Problem as problem:
            return {"error": problem.detail}

    def write(self, name: str, arguments: JsonObject, caller: Caller) -> tuple[JsonObject, bool]:
        """Carry a write out once per key; a refusal stays a Problem, so the call fails with its reason."""
        return self.log.perform(
            caller, name, arguments, lambda given: {"result": self.shop.call(name, given)}
        )


def build_app(database: Database, tools: Iterable[JsonObject]) -> Starlette:
    """Return the server; `tools` are the shared tool descriptions.

    ``POST /shops/{id}`` opens a fresh shop, also in place of an older one; ``POST /shops/{id}/tools/{name}``
    calls a tool; ``GET /shops/{id}/state`` answers `digest`, `changed` and, unless ``?full=false``, `state`;
    ``GET /shops/{id}/effects`` and ``/effects/{key}`` read effects back.
    """
    validators = {each.name: compile_schema(each.input_schema) for each in describe_tools(tools)}
    shops: dict[str, OpenShop] = {}

    def find_shop(request: Request) -> OpenShop:
        shop_id = request.path_params["shop_id"]
        if shop_id not in shops:
            raise Problem(404, "unknown_shop", f"there is no shop {shop_id}")
        return shops[shop_id]

    async def open_shop(request: Request) -> JSONResponse:
        shop_id = request.path_params["shop_id"]
        shops[shop_id] = OpenShop(RetailShop(database), EffectLog(connect()))
        return JSONResponse({"shop": shop_id}, 201)

    async def call_tool(request: Request) -> JSONResponse:
        name = request.path_params["name"]
        if name not in validators:
            raise Problem(404, "unknown_tool", f"the shop has no tool {name}")
        shop = find_shop(request)
        arguments = await read_arguments(request)
        check_arguments(validators[name], arguments)
        if name not in WRITES:
            return JSONResponse(shop.read(name, arguments))
        answer, replayed = shop.write(name, arguments, read_caller(request))
        return JSONResponse(answer, headers={"Idempotent-Replay": "true"} if replayed else None)

    async def read_state(request: Request) -> JSONResponse:
        shop = find_shop(request).shop
        answer = {"digest": shop.digest(), "changed": shop.changed()}
        if request.query_params.get("full") != "false":
            answer["state"] = shop.state()
        return JSONResponse(answer)

    async def list_effects(request: Request) -> JSONResponse:
        return JSONResponse({"effects": find_shop(request).log.effects()})

    async def read_effect(request: Request) -> JSONResponse:
        answer = find_shop(request).log.answer(request.path_params["key"])
        if answer is None:
            raise Problem(404, "no_such_effect", "no effect happened under this key")
        return JSONResponse(answer)

    routes = [
        Route("/shops/{shop_id}", open_shop, methods=["POST"]),
        Route("/shops/{shop_id}/tools/{name}", call_tool, methods=["POST"]),
        Route("/shops/{shop_id}/state", read_state),
        Route("/shops/{shop_id}/effects", list_effects),
        Route("/shops/{shop_id}/effects/{key:path}", read_effect),
    ]
    return Starlette(routes=routes, exception_handlers=EXCEPTION_HANDLERS)
