"""What the scripted planner plays besides the demo's own stories: other lines of an order, goods that come back."""

from __future__ import annotations

import re
from typing import Any

import yaml

from agentops.demo.planner.script import SHIPPED

Script = dict[str, Any]  # Any: JSON, as the planner takes it
ANY_THING, ANY_ORDER = "(?P<thing>.+)", r"(?P<order>A-\d{4})"


def refund_of_line(order: str, line: int, thing: str) -> Script:
    """Return the demo's story of a refund, about another line of one order."""
    text = (SHIPPED / "refund_broken_kettle.yaml").read_text().replace("lines.0.", f"lines.{line}.")
    script: Script = yaml.safe_load(text)
    pattern = script["match"]["regex"].replace(ANY_THING, f"(?P<thing>{re.escape(thing)})")
    script["match"]["regex"] = pattern.replace(ANY_ORDER, f"(?P<order>{order})")
    return script


def goods_back(tool: str, message: str, arguments: dict[str, Any]) -> Script:  # Any: JSON
    """Return a story that reads an order, asks to take goods of it back, and says what became of that."""
    ask = {"thought": "The order is theirs.", "tool_calls": [{"name": tool, "arguments": arguments}]}
    return {
        "match": {"contains": message},
        "turns": [
            {"tool_calls": [{"name": "get_order", "arguments": {"order_id": arguments["order_id"]}}]},
            ask,
            [
                {"when": {"last_tool_contains": "expired"}, "content": "Nobody has answered me in time."},
                {"when": {"last_tool_error": True}, "content": "That could not be done."},
                {"content": "It is done."},
            ],
        ],
    }
