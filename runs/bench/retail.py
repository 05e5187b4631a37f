"""The shared retail requests, read where they lie, and tools that answer them from the shop's records.

What a tool returns is as long as the real shop's; what it would change is not changed, for only lengths matter here.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

from agentops.errors import NotFound
from tools.calls import CallContext

JsonObject = dict[str, Any]  # Any: JSON
Database = dict[str, dict[str, JsonObject]]  # "products" | "users" | "orders" → id → record
# Beside the checkout, as the tests that use them have it.
FOLDER = Path(__file__).parents[3] / "shared" / "data" / "retail"


@cache
def load_requests() -> tuple[JsonObject, ...]:
    """Return the requests: id, request (texts), actions (the recorded calls, in order); raises NotFound."""
    return tuple(json.loads(_read("requests.json")))


@cache
def load_tools() -> tuple[JsonObject, ...]:
    """Return the tools: name, description, inputSchema, kind; raises NotFound."""
    return tuple(json.loads(_read("retail_tools.json")))


@cache
def load_policy() -> str:
    """Return what the shop's agents are told; raises NotFound."""
    return _read("retail_policy.md").decode()


@cache
def load_database() -> Database:
    """Return products, users and orders, which nobody may change; raises NotFound."""
    database: Database = json.loads(gzip.decompress(_read("retail_db.json.gz")))
    return database


def _read(name: str) -> bytes:
    path = FOLDER / name
    if not path.is_file():
        raise NotFound("no_retail_data", "the shared retail data is not beside this checkout")
    return path.read_bytes()


def perform(call: CallContext, **arguments: Any) -> Any:  # Any: JSON
    """Answer a call of whatever tool; its name stands in the idempotency key."""
    return answer(call.key.split(":")[2], arguments)


def answer(tool: str, arguments: JsonObject) -> Any:  # Any: JSON
    """Return what the shop would answer: the record that the call is about, or a short word."""
    records = load_database()
    for argument, kind in (("order_id", "orders"), ("product_id", "products"), ("user_id", "users")):
        if arguments.get(argument) in records[kind]:
            return records[kind][arguments[argument]]
    if tool.startswith("find_user_id"):
        return {"user_id": _find_user(arguments)}
    if tool == "list_all_product_types":
        return {product["name"]: product_id for product_id, product in records["products"].items()}
    return {"done": True}


def _find_user(arguments: JsonObject) -> str:
    wanted = {str(value).lower() for value in arguments.values()}
    for user_id, user in load_database()["users"].items():
        known = {user["email"].lower(), *(str(each).lower() for each in user["name"].values())}
        if wanted <= known | {str(user["address"]["zip"])}:
            return str(user_id)
    return "nobody"
