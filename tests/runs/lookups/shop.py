"""A shop whose tools are told what is meant, not which number it has."""

from __future__ import annotations

from typing import Any

from tests.runs.company import SUBJECT, Company, proposes

READ: dict[str, Any] = {
    "effect": "read",
    "input_schema": {
        "type": "object",
        "properties": {"text": {"type": "string"}},
        "additionalProperties": False,
    },
}
TRUSTED = {"results": {"": ["trusted"]}}
LOOKED_UP = {
    "tool": "find_orders",
    "query": "text",
    "items": "orders",
    "value": "id",
    "label": ["summary"],
    "date": "at",
}
RESOLVED = {"order_id": LOOKED_UP}
MARKED = {"arguments": {"order_id": "identifier"}}
BLUE = "the blue kettle"


def order(number: str, summary: str, owner: str = SUBJECT, at: str = "2026-01-05") -> dict[str, Any]:
    return {"id": number, "summary": summary, "owner": owner, "at": at}


def cancels(said: Any, tool: str = "cancel") -> Any:
    return proposes((tool, {"order_id": said}))


def asks_people(shop: Company) -> None:
    version = shop.add_tool("cancel", grant="REQUIRE_APPROVAL", resolvers=RESOLVED)
    shop.let_decide(version.tool)
