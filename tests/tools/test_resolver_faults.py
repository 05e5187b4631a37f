"""How arguments are looked up is declared with a tool, and checked against the tool that looks up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agentops.errors import ValidationFailed
from tests.cast import Cast
from tests.factories import ToolFactory, ToolVersionFactory
from tools.models import Tool
from tools.resolvers.declaration import read_resolvers
from tools.services import ToolDefinition, add_version

CANCEL = ToolDefinition(
    description="Cancels items of an order.",
    effect="reversible",
    idempotency="honours_key",
    adapter="http",
    config={"method": "POST", "url": "http://127.0.0.1:9/cancel"},
    input_schema={
        "type": "object",
        "properties": {
            "order_id": {"type": "string"},
            "lines": {
                "type": "array",
                "items": {"type": "object", "properties": {"item": {"type": "integer"}}},
            },
            "amount": {"type": "string"},
            "is_late": {"type": "boolean"},
        },
        "required": ["order_id"],
    },
)
ANSWER = {
    "type": "object",
    "properties": {
        "orders": {
            "type": "array",
            "items": {"type": "object", "properties": {"id": {"type": "string"}, "name": {"type": "string"}}},
        }
    },
}
ORDERS: dict[str, Any] = {
    "tool": "find_orders",
    "query": "text",
    "items": "orders",
    "value": "id",
    "label": "name",
}


@pytest.fixture
def tool(cast: Cast) -> Tool:
    takes = {"type": "object", "properties": {"text": {"type": "string"}, "order": {"type": "string"}}}
    for name, changes in (
        ("find_orders", {"output_schema": ANSWER}),
        ("find_items", {}),
        ("needs_text", {"input_schema": {**takes, "required": ["text"]}}),
        ("chained", {"resolvers": {"order": {"tool": "find_orders", "value": "id"}}}),
        ("gone", {"tool__state": "retired"}),
        ("writes", {"effect": "reversible"}),
    ):
        values = {"effect": "read", "input_schema": takes, **changes}
        ToolVersionFactory.create(tool__team=cast.team, tool__name=name, **values)
    ToolVersionFactory.create(tool__name="elsewhere", effect="read", input_schema=takes)
    return ToolFactory.create(team=cast.team, name="cancel")


ITEMS = {"tool": "find_items", "value": "id", "arguments": {"order": "$arguments.order_id"}}


@pytest.mark.parametrize(
    "resolvers",
    [
        {"order_id": ORDERS},
        {"order_id": {**ORDERS, "label": ["name", "id"], "fresh_s": 30}},
        {"order_id": ORDERS, "lines.*.item": ITEMS},
    ],
)
def test_what_can_be_looked_up_is_kept(cast: Cast, tool: Tool, resolvers: dict[str, Any]) -> None:
    version = add_version(actor=cast.alice, tool=tool, definition=replace(CANCEL, resolvers=resolvers))
    assert {each.name for each in read_resolvers(version.resolvers)} == resolvers.keys()


@pytest.mark.parametrize(
    ("resolvers", "fault"),
    [
        ([], "resolvers: "),
        ({"order_id": "find_orders"}, "give tool and value"),
        ({"order_id": {"tool": "find_orders"}}, "give tool and value"),
        ({"order_id": {**ORDERS, "more": 1}}, "give tool and value"),
        ({"order_id": {**ORDERS, "value": 1}}, "value: a name"),
        ({"order_id": {**ORDERS, "label": {"a": 1}}}, "label: a path"),
        ({"order_id": {**ORDERS, "label": 5}}, "label: a path"),
        ({"order_id": {**ORDERS, "label": ["name", "a..b"]}}, "label: names with dots"),
        ({"order_id": {**ORDERS, "items": "pages.*.orders"}}, "items: names with dots"),
        ({"order_id": {**ORDERS, "value": "*.id"}}, "value: names with dots"),
        ({"order_id": {**ORDERS, "arguments": []}}, "arguments: what"),
        ({"order_id": {**ORDERS, "fresh_s": 0}}, "fresh_s: more than 0"),
        ({"order_id": {**ORDERS, "fresh_s": True}}, "fresh_s: more than 0"),
        ({"order_id": {**ORDERS, "fresh_s": float("inf")}}, "fresh_s: more than 0"),
        ({"lines.*.item": {**ITEMS, "fresh_s": 5}}, "take no arguments of it"),
        ({"nothing": ORDERS}, "an argument that the input schema declares"),
        ({"is_late": ORDERS}, "a text or a whole number"),
        ({"lines": ORDERS}, "a text or a whole number"),
        ({"amount": ORDERS}, "an amount, or what a table decides"),
        ({"order_id": {**ORDERS, "tool": "cancel"}}, "another tool of the team"),
        ({"order_id": {**ORDERS, "tool": "writes"}}, "only reads"),
        ({"order_id": {**ORDERS, "tool": "gone"}}, "in service"),
        ({"order_id": {**ORDERS, "tool": "elsewhere"}}, "of the team"),
        ({"order_id": {**ORDERS, "tool": "chained"}}, "themselves looked up"),
        ({"order_id": {**ORDERS, "query": "words"}}, "takes no 'words'"),
        ({"order_id": {**ORDERS, "arguments": {"colour": "blue"}}}, "takes no 'colour'"),
        ({"order_id": {**ORDERS, "items": "things"}}, "not in the output schema"),
        ({"order_id": {**ORDERS, "value": "number"}}, "no number of an item"),
        ({"order_id": {**ORDERS, "date": "at"}}, "no at of an item"),
        ({"order_id": {"tool": "needs_text", "value": "id"}}, "cannot do without 'text'"),
        ({"order_id": {"tool": "needs_text", "value": "id", "query": "text", "fresh_s": 5}}, "cannot do without"),
        ({"order_id": {**ITEMS}}, "is itself looked up"),
        ({"order_id": {**ITEMS, "arguments": {"order": "$arguments.colour"}}}, "not a declared argument"),
    ],
)  # fmt: skip
def test_what_could_not_be_looked_up_is_refused(cast: Cast, tool: Tool, resolvers: Any, fault: str) -> None:
    definition = replace(CANCEL, resolvers=resolvers, amount_argument="amount", currency="USD")
    with pytest.raises(ValidationFailed) as refused:
        add_version(actor=cast.alice, tool=tool, definition=definition)
    assert fault in refused.value.detail
