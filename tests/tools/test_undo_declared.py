"""How a tool is undone is declared with it, and checked against the tool that it names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agentops.canonical import plain_digest
from agentops.errors import ValidationFailed
from tests.cast import Cast
from tests.factories import ToolFactory, ToolVersionFactory
from tools.models import Tool
from tools.services import ToolDefinition, add_version
from tools.services.definition import LATER

CHARGE = ToolDefinition(
    description="Takes money.",
    effect="irreversible",
    idempotency="honours_key",
    adapter="http",
    config={"method": "POST", "url": "http://127.0.0.1:9/charge"},
    statement="take {amount} for order {order_id}",
    input_schema={
        "type": "object",
        "properties": {
            "order_id": {"type": "string"},
            "amount": {"type": "string"},
            "note": {"type": "string"},
            "places": {"type": "integer"},
        },
        "required": ["order_id", "amount", "places"],
    },
    output_schema={
        "type": "object",
        "properties": {"paid": {"type": "object", "properties": {"amount": {"type": "string"}}}},
        "required": ["paid"],
    },
)
BACK: dict[str, Any] = {
    "type": "object",
    "properties": {"order_id": {"type": "string"}, "amount": {"type": "string"}},
    "required": ["order_id"],
}
UNDO: dict[str, Any] = {
    "kind": "compensable",
    "tool": "pay_back",
    "arguments": {"order_id": "$arguments.order_id", "amount": "$arguments.amount"},
}


@pytest.fixture
def tool(cast: Cast) -> Tool:
    team = cast.agent.team
    for name, changes in (
        ("pay_back", {}),
        ("look_up", {"effect": "read"}),
        ("gone", {"tool__state": "retired"}),
    ):
        ToolVersionFactory.create(tool__team=team, tool__name=name, input_schema=BACK, **changes)
    ToolVersionFactory.create(tool__name="elsewhere", input_schema=BACK)
    return ToolFactory.create(team=team, name="charge")


@pytest.mark.parametrize(
    "undo",
    [
        UNDO,
        {**UNDO, "arguments": {"order_id": "$arguments.order_id"}},
        {**UNDO, "arguments": {"order_id": "the same for all"}},
        {
            "kind": "reversible",
            "tool": "charge",
            "arguments": {name: f"$arguments.{name}" for name in ("order_id", "amount", "places")},
        },
    ],
)
def test_what_undoes_a_tool_is_kept_with_its_version(cast: Cast, tool: Tool, undo: dict[str, Any]) -> None:
    version = add_version(actor=cast.alice, tool=tool, definition=replace(CHARGE, undo=undo))

    version.refresh_from_db()
    assert version.undo == undo
    assert version.digest != CHARGE.digest(tool.id, tool.name)


@pytest.mark.parametrize(
    ("undo", "words"),
    [
        ({"tool": "pay_back"}, "give kind, tool and arguments"),
        ({**UNDO, "kind": "maybe"}, "undo/kind"),
        ({**UNDO, "tool": "no_such_tool"}, "undo/tool"),
        ({**UNDO, "tool": "look_up"}, "undo/tool"),
        ({**UNDO, "tool": "gone"}, "undo/tool"),
        ({**UNDO, "tool": "elsewhere"}, "undo/tool"),
        ({**UNDO, "arguments": {}}, "cannot do without it"),
        ({**UNDO, "arguments": {**UNDO["arguments"], "colour": "red"}}, "takes no such argument"),
        ({**UNDO, "arguments": {"order_id": "$arguments.note"}}, "not surely there"),
        ({**UNDO, "arguments": {"order_id": "$arguments.no_such"}}, "not surely there"),
        ({**UNDO, "arguments": {"order_id": "$result.paid.amount"}}, "not surely there"),
        ({**UNDO, "arguments": {"order_id": "$arguments.places"}}, "is integer, the tool takes string"),
        ({**UNDO, "arguments": {"order_id": "$request.id"}}, "write $arguments.name"),
    ],
)
def test_what_could_not_be_carried_out_is_refused(
    cast: Cast, tool: Tool, undo: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationFailed) as refused:
        add_version(actor=cast.alice, tool=tool, definition=replace(CHARGE, undo=undo))

    assert words in refused.value.detail


def test_a_read_has_nothing_to_undo(cast: Cast, tool: Tool) -> None:
    with pytest.raises(ValidationFailed, match="a read has no effect"):
        add_version(actor=cast.alice, tool=tool, definition=replace(CHARGE, effect="read", undo=UNDO))


def test_what_says_nothing_of_undoing_keeps_its_digest(tool: Tool) -> None:
    """Approvals are bound to digests, and another one would be another version at the next `apply`."""
    values = {name: value for name, value in CHARGE.values().items() if name not in LATER}
    assert CHARGE.digest(tool.id, tool.name) == plain_digest(
        {"tool": str(tool.id), "name": tool.name, **values}
    )
