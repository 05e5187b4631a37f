"""The 16 retail tools as a company would catalogue them: closed schemas, effect classes, plain statements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

JsonObject = dict[str, Any]  # Any: JSON values
EffectClass = Literal["read", "reversible", "irreversible"]

# The policy lets these be done once per order. Addresses and the payment method of a pending order can be set
# back.
IRREVERSIBLE = frozenset(
    {
        "cancel_pending_order",
        "exchange_delivered_order_items",
        "modify_pending_order_items",
        "return_delivered_order_items",
    }
)
STATEMENTS = {
    "calculate": "calculate {expression}",
    "cancel_pending_order": "cancel order {order_id} ({reason}) and pay the whole amount back",
    "exchange_delivered_order_items": "exchange items of order {order_id}, settled with {payment_method_id}",
    "find_user_id_by_email": "look up the customer with e-mail address {email}",
    "find_user_id_by_name_zip": "look up the customer {first_name} {last_name}, {zip}",
    "get_item_details": "read item {item_id}",
    "get_order_details": "read order {order_id}",
    "get_product_details": "read product {product_id}",
    "get_user_details": "read customer {user_id}",
    "list_all_product_types": "list all product types",
    "modify_pending_order_address": "send order {order_id} to {address1}, {zip} {city}",
    "modify_pending_order_items": "change items of order {order_id}, settled with {payment_method_id}",
    "modify_pending_order_payment": "have order {order_id} paid with {payment_method_id}",
    "modify_user_address": "change the address of customer {user_id} to {address1}, {zip} {city}",
    "return_delivered_order_items": "take back items of order {order_id}, refunded to {payment_method_id}",
    "transfer_to_human_agents": "hand the customer over to a person",
}
# A read that finds nothing answers with `error`, and so does the calculator; everything else with `result`.
OUTPUT_SCHEMA: JsonObject = {
    "type": "object",
    "properties": {"result": {"type": ["object", "string"]}, "error": {"type": "string"}},
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
}


@dataclass(frozen=True)
class RetailTool:
    """One tool as it is registered."""

    name: str
    description: str
    effect_class: EffectClass
    statement: str
    input_schema: JsonObject
    output_schema: JsonObject
    dedupe_on: tuple[str, ...]


def describe_tools(tools: Iterable[JsonObject]) -> list[RetailTool]:
    """Return the shared tool descriptions as registered tools, with closed schemas."""
    return [
        RetailTool(
            name=each["name"],
            description=each["description"],
            effect_class=classify(each),
            statement=STATEMENTS[each["name"]],
            input_schema={"type": "object", **each["inputSchema"], "additionalProperties": False},
            output_schema=OUTPUT_SCHEMA,
            dedupe_on=("order_id",) if each["name"] in IRREVERSIBLE else (),
        )
        for each in tools
    ]


def classify(tool: JsonObject) -> EffectClass:
    """Return the effect class; the shared kinds tell reads from writes, and a hand-over is no write."""
    if tool["name"] in IRREVERSIBLE:
        return "irreversible"
    return "reversible" if tool["kind"] == "write" else "read"
