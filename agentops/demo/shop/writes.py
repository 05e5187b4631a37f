"""What the shop can be told to do, and the rules under which it refuses.

Every function runs inside one transaction, changes records, and returns the changed order and what was done
to it. A refusal is a Problem: 409 when the order's state forbids it now, 422 when the call cannot be right.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from agentops.demo.shop.money import line_usd, show_usd
from agentops.demo.shop.reads import require
from agentops.demo.toolserver import JsonObject, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentops.demo.shop.store import Store


def require_status(order: JsonObject, wanted: str, action: str) -> None:
    """Raise Problem 409 unless the order stands where the action needs it."""
    if order["status"] != wanted:
        detail = f"order {order['id']} is {order['status']}; only a {wanted} order can be {action}"
        raise Problem(409, f"order_not_{wanted}", detail)


def cancel_order(store: Store, arguments: JsonObject) -> JsonObject:
    """Cancel a pending order: everything paid goes back the way it came, the goods go back into stock."""
    order = require(store, "orders", arguments["order_id"])
    require_status(order, "pending", "cancelled")
    payment = order["payment"]
    refunded = show_usd(Decimal(payment["paid"]) - Decimal(payment["refunded"]))
    for line in order["lines"]:
        change_stock(store, line["product_id"], line["sku"], line["quantity"])
    order |= {"status": "cancelled", "payment": payment | {"refunded": payment["paid"]}}
    store.put("orders", order)
    done = {"reason": arguments["reason"], "refunded": refunded, "payment_method": payment["method"]}
    return {"order": order, "cancellation": done}


def modify_order_address(store: Store, arguments: JsonObject) -> JsonObject:
    """Send a pending order elsewhere; the customer's own address stays."""
    order = require(store, "orders", arguments["order_id"])
    require_status(order, "pending", "sent elsewhere")
    previous = order["address"]
    order["address"] = {field: arguments[field] for field in ("street", "city", "postcode", "country")}
    store.put("orders", order)
    return {"order": order, "previous_address": previous}


def return_items(store: Store, arguments: JsonObject) -> JsonObject:
    """Ask for goods of a delivered order back. Money moves only with refund_payment, when they have come."""
    order = require(store, "orders", arguments["order_id"])
    require_status(order, "delivered", "returned")
    picked = pick_lines(order, arguments["items"])
    expected = sum((line_usd(line, quantity) for line, quantity in picked), Decimal())
    order["status"] = "return_requested"
    store.put("orders", order)
    done = {"items": arguments["items"], "reason": arguments["reason"], "expected_refund": show_usd(expected)}
    return {"order": order, "return": done}


def exchange_items(store: Store, arguments: JsonObject) -> JsonObject:
    """Swap goods of a delivered order for other variants of the same product, which are sent at once."""
    order = require(store, "orders", arguments["order_id"])
    require_status(order, "delivered", "exchanged")
    difference = Decimal()
    for (line, quantity), item in zip(pick_lines(order, arguments["items"]), arguments["items"], strict=True):
        variant = change_stock(store, line["product_id"], item["new_sku"], -quantity)
        difference += Decimal(variant["price"]) * quantity - line_usd(line, quantity)
    order["status"] = "exchange_requested"
    store.put("orders", order)
    return {
        "order": order,
        "exchange": {"items": arguments["items"], "price_difference": show_usd(difference)},
    }


def refund_payment(store: Store, arguments: JsonObject) -> JsonObject:
    """Pay money back for an order that has left the house, at most what is still left of the payment."""
    order = require(store, "orders", arguments["order_id"])
    amount = Decimal(arguments["amount"])
    if not amount:
        raise Problem(422, "nothing_to_refund", "the amount must be more than 0.00")
    if order["status"] == "pending":
        detail = f"order {order['id']} is pending; cancel it instead, which returns the whole payment"
        raise Problem(409, "order_pending", detail)
    payment = order["payment"]
    left = Decimal(payment["paid"]) - Decimal(payment["refunded"])
    if amount > left:
        detail = f"{show_usd(amount)} USD is more than the {show_usd(left)} USD left of the payment"
        raise Problem(409, "refund_exceeds_payment", detail)
    payment["refunded"] = show_usd(Decimal(payment["refunded"]) + amount)
    store.put("orders", order)
    done = {"amount": show_usd(amount), "reason": arguments["reason"], "payment_method": payment["method"]}
    return {"order": order, "refund": done}


def pick_lines(order: JsonObject, items: list[JsonObject]) -> list[tuple[JsonObject, int]]:
    """Return each item's order line and quantity; raises Problem 422 for what the order does not hold."""
    lines = {line["sku"]: line for line in order["lines"]}
    skus = [item["sku"] for item in items]
    if len(set(skus)) < len(skus):
        raise Problem(422, "item_named_twice", "name each item once, with its quantity")
    for item in items:
        ordered = lines[item["sku"]]["quantity"] if item["sku"] in lines else 0
        if item["quantity"] > ordered:
            detail = f"order {order['id']} has {ordered} of {item['sku']}, not {item['quantity']}"
            raise Problem(422, "item_not_in_order", detail)
    return [(lines[item["sku"]], item["quantity"]) for item in items]


def change_stock(store: Store, product_id: str, sku: str, by: int) -> JsonObject:
    """Move a variant's stock and return the variant.

    Raises Problem 422 for a variant of another product, 409 when there is too little of it.
    """
    product = require(store, "products", product_id)
    variant: JsonObject | None = next((each for each in product["variants"] if each["sku"] == sku), None)
    if variant is None:
        raise Problem(422, "not_a_variant", f"{sku} is not a variant of {product['name']} ({product_id})")
    if variant["in_stock"] + by < 0:
        raise Problem(409, "out_of_stock", f"{variant['in_stock']} of {sku} in stock, {-by} wanted")
    variant["in_stock"] += by
    store.put("products", product)
    return variant


WRITES: dict[str, Callable[[Store, JsonObject], JsonObject]] = {
    "cancel_order": cancel_order,
    "modify_order_address": modify_order_address,
    "return_items": return_items,
    "exchange_items": exchange_items,
    "refund_payment": refund_payment,
}
