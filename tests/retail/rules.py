"""The retail policy's rules on one order and one customer, without a shop around them.

A refusal is a Problem: 422 when the call cannot be right, 409 when the state of things forbids it now.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

from agentops.demo.toolserver import Problem

JsonObject = dict[str, Any]  # Any: JSON values

CANCEL_REASONS = ("no longer needed", "ordered by mistake")


def usd(number: float) -> Decimal:
    """Return a database amount (a float with two places) exactly."""
    return Decimal(str(number))


def require_status(order: JsonObject, status: str) -> None:
    """Raise Problem 409 unless the order has this very status ("pending (items modified)" is another)."""
    if order["status"] != status:
        detail = f"order {order['order_id']} is {order['status']}, not {status}"
        raise Problem(409, f"order_not_{status}", detail)


def require_reason(reason: str) -> None:
    """Raise Problem 422 for a reason that the policy does not accept."""
    if reason not in CANCEL_REASONS:
        raise Problem(422, "reason_not_accepted", f"the reason must be one of: {', '.join(CANCEL_REASONS)}")


def require_method(user: JsonObject, method_id: str) -> JsonObject:
    """Return one of the customer's payment methods; raises Problem 422."""
    method: JsonObject | None = user["payment_methods"].get(method_id)
    if method is None:
        raise Problem(422, "payment_method_not_found", f"{user['user_id']} has no payment method {method_id}")
    return method


def require_balance(method: JsonObject, amount: Decimal) -> None:
    """Raise Problem 409 when a gift card holds less than it has to pay; other methods always do."""
    if method["source"] == "gift_card" and usd(method["balance"]) < amount:
        detail = f"gift card {method['id']} holds {method['balance']}, {amount} is needed"
        raise Problem(409, "gift_card_balance_too_low", detail)


def net_paid(order: JsonObject) -> dict[str, Decimal]:
    """Return what each payment method has paid and not got back, those with nothing left out."""
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    for each in order["payment_history"]:
        sign = 1 if each["transaction_type"] == "payment" else -1
        totals[each["payment_method_id"]] += sign * usd(each["amount"])
    return {method_id: total for method_id, total in totals.items() if total > 0}


def pay(order: JsonObject, user: JsonObject, method_id: str, amount: Decimal) -> None:
    """Book a payment, or a refund if the amount is negative; a gift card's balance moves at once."""
    if not amount:
        return
    order["payment_history"].append(
        {
            "transaction_type": "payment" if amount > 0 else "refund",
            "amount": float(abs(amount)),
            "payment_method_id": method_id,
        }
    )
    method = user["payment_methods"][method_id]
    if method["source"] == "gift_card":
        method["balance"] = float(usd(method["balance"]) - amount)


def find_positions(order: JsonObject, item_ids: list[str]) -> list[int]:
    """Return where the items stand in the order, equal ids at different places; raises Problem 422."""
    if not item_ids:
        raise Problem(422, "no_items", "name at least one item")
    too_many = Counter(item_ids) - Counter(item["item_id"] for item in order["items"])
    if too_many:
        detail = f"order {order['order_id']} does not hold {', '.join(sorted(too_many))} that often"
        raise Problem(422, "item_not_in_order", detail)
    places: defaultdict[str, list[int]] = defaultdict(list)
    for position, item in enumerate(order["items"]):
        places[item["item_id"]].append(position)
    return [places[item_id].pop(0) for item_id in item_ids]


def find_replacement(item: JsonObject, product: JsonObject, new_item_id: str) -> JsonObject:
    """Return the variant that replaces an item: available, of the same product, with other options.

    Raises Problem 422 for a variant of another product and for the item itself, 409 when it is not available.
    """
    variant: JsonObject | None = product["variants"].get(new_item_id)
    if variant is None:
        raise Problem(422, "not_the_same_product", f"{new_item_id} is no variant of {product['name']}")
    if new_item_id == item["item_id"]:
        raise Problem(422, "nothing_changes", f"{new_item_id} is what was ordered")
    if not variant["available"]:
        raise Problem(409, "item_not_available", f"{new_item_id} is not available")
    return variant
