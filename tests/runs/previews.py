"""An account whose refunds are shown beforehand: what people see of it, and what may change while they look."""

from __future__ import annotations

from typing import Any

from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import ACCOUNT
from tools.models import ToolVersion

ANSWER = {
    "type": "object",
    "properties": {
        "status": {"type": "string"},
        "refunded": {"type": "string"},
        "version": {"type": "integer"},
    },
    "required": ["status", "refunded", "version"],
}
STATUS = {"label": "Order", "type": "status", "before": "/status", "after": "refunded"}
PAID_BACK = {
    "label": "Paid back",
    "type": "money",
    "before": "/refunded",
    "after": {"plus": ["/refunded", "$arguments.amount"]},
    "currency": "USD",
}
PREVIEW: dict[str, Any] = {
    "tool": "read_account",
    "arguments": {"order_id": "$arguments.order_id"},
    "pin": "/version",
    "changes": [STATUS, PAID_BACK],
}
REFUND = {**ORDER, "amount": "5.00"}
BEFORE = [
    {"label": "Order", "type": "status", "before": "delivered", "after": "refunded"},
    {"label": "Paid back", "type": "money", "before": "0.00", "after": "5.00", "currency": "USD"},
]


def show_refunds(company: Company, *, provenance: Any = None, **changes: Any) -> ToolVersion:  # Any: JSON
    """Add a refund that waits for Fiona, and the read that shows what it changes; terms start with ``grant_``.

    ``provenance`` is the read's.
    """
    takes = {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]}
    read: dict[str, Any] = {"input_schema": takes, "output_schema": ANSWER, "provenance": provenance or {}}
    company.add_tool("read_account", effect="read", **read)
    fields: dict[str, Any] = {
        "effect": "irreversible",
        "grant": "REQUIRE_APPROVAL",
        "preview": PREVIEW,
        **changes,
    }
    version = company.add_tool("refund", **fields)
    company.let_decide(version.tool)
    return version


def turns() -> list[Any]:
    return [proposes(("refund", REFUND), text="The order is late."), says("Done.")]


def change_account(**changes: Any) -> None:
    """Let somebody else change the account: its version moves on."""
    ACCOUNT.update({"version": ACCOUNT["version"] + 1, **changes})
