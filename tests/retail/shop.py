"""The retail shop with its 16 tools, written from the shared policy and tool descriptions.

Two readings of the policy: the price difference of an exchange is checked when it is requested but paid when
the goods come back, as with a return; an order whose items were modified can be modified no further at all.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from agentops.demo.toolserver import Problem
from tests.retail import rules
from tests.retail.arithmetic import calculate
from tests.retail.records import Records

if TYPE_CHECKING:
    from tests.retail.dataset import Database

JsonObject = dict[str, Any]  # Any: JSON values

WRITES = frozenset(
    {
        "cancel_pending_order",
        "exchange_delivered_order_items",
        "modify_pending_order_address",
        "modify_pending_order_items",
        "modify_pending_order_payment",
        "modify_user_address",
        "return_delivered_order_items",
    }
)


@dataclass(frozen=True)
class Replacement:
    """What one item of an order is to become."""

    position: int
    item: JsonObject
    variant: JsonObject

    @property
    def price_difference(self) -> Decimal:
        """What the customer pays more (USD), negative if less."""
        return rules.usd(self.variant["price"]) - rules.usd(self.item["price"])


class RetailShop:
    """One shop on a shared database. Every tool is a method; a refusal raises Problem and changes nothing."""

    def __init__(self, database: Database) -> None:
        self._products = database["products"]
        self._users = Records(database["users"])
        self._orders = Records(database["orders"])

    def call(self, name: str, arguments: JsonObject) -> object:
        """Carry out one call and return its result, which is the caller's own copy."""
        tool: Callable[..., object] = getattr(self, name)
        return copy.deepcopy(tool(**arguments))

    def changed(self) -> JsonObject:
        """Return the users and orders that differ from the database the shop began with."""
        return {"users": self._users.changed(), "orders": self._orders.changed()}

    def state(self) -> JsonObject:
        """Return the whole database as it stands, to look at."""
        return {"products": self._products, "users": self._users.merged(), "orders": self._orders.merged()}

    def digest(self) -> str:
        """Return a SHA-256 (hex) that two shops on one database share if and only if their states are the same.

        What differs from that database says it all; to digest the whole of it took longer than all the calls.
        """
        return hashlib.sha256(json.dumps(self.changed(), sort_keys=True).encode()).hexdigest()

    # Reads

    def calculate(self, expression: str) -> str:
        try:
            return calculate(expression)
        except ValueError as error:
            raise Problem(422, "not_an_expression", str(error)) from error

    def find_user_id_by_email(self, email: str) -> str:
        wanted = email.strip().casefold()
        return self._only_user(lambda user: user["email"].casefold() == wanted)

    def find_user_id_by_name_zip(self, first_name: str, last_name: str, zip: str) -> str:
        wanted = (first_name.casefold(), last_name.casefold(), zip)
        return self._only_user(
            lambda user: (
                (
                    user["name"]["first_name"].casefold(),
                    user["name"]["last_name"].casefold(),
                    user["address"]["zip"],
                )
                == wanted
            )
        )

    def get_user_details(self, user_id: str) -> JsonObject:
        return self._user(user_id)

    def get_order_details(self, order_id: str) -> JsonObject:
        return self._order(order_id)

    def get_product_details(self, product_id: str) -> JsonObject:
        if product_id not in self._products:
            raise Problem(422, "product_not_found", "product not found")
        return self._products[product_id]

    def get_item_details(self, item_id: str) -> JsonObject:
        for product in self._products.values():
            if item_id in product["variants"]:
                variant: JsonObject = product["variants"][item_id]
                return variant
        raise Problem(422, "item_not_found", "item not found")

    def list_all_product_types(self) -> dict[str, str]:
        return {product["name"]: product["product_id"] for product in self._products.values()}

    def transfer_to_human_agents(self, summary: str) -> str:
        return "Transfer successful"

    # Writes: everything is checked before anything is changed

    def cancel_pending_order(self, order_id: str, reason: str) -> JsonObject:
        order = self._order(order_id)
        rules.require_status(order, "pending")
        rules.require_reason(reason)
        order, user = self._edit(order)
        for method_id, amount in rules.net_paid(order).items():
            rules.pay(order, user, method_id, -amount)
        order |= {"status": "cancelled", "cancel_reason": reason}
        return order

    def modify_pending_order_address(self, order_id: str, **address: str) -> JsonObject:
        rules.require_status(self._order(order_id), "pending")
        order = self._orders.edit(order_id)
        order["address"] = address
        return order

    def modify_user_address(self, user_id: str, **address: str) -> JsonObject:
        self._user(user_id)
        user = self._users.edit(user_id)
        user["address"] = address
        return user

    def modify_pending_order_payment(self, order_id: str, payment_method_id: str) -> JsonObject:
        order = self._order(order_id)
        rules.require_status(order, "pending")
        method = rules.require_method(self._user(order["user_id"]), payment_method_id)
        paid = rules.net_paid(order)
        if payment_method_id in paid:
            raise Problem(422, "nothing_changes", f"the order is already paid with {payment_method_id}")
        total = sum(paid.values(), Decimal())
        rules.require_balance(method, total)
        order, user = self._edit(order)
        rules.pay(order, user, payment_method_id, total)
        for method_id, amount in paid.items():
            rules.pay(order, user, method_id, -amount)
        return order

    def modify_pending_order_items(
        self, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
    ) -> JsonObject:
        order = self._order(order_id)
        rules.require_status(order, "pending")
        replacements = self._replacements(order, item_ids, new_item_ids)
        difference = self._affordable_difference(order, replacements, payment_method_id)
        order, user = self._edit(order)
        for each in replacements:
            fields = ("item_id", "price", "options")
            order["items"][each.position] |= {field: copy.deepcopy(each.variant[field]) for field in fields}
        rules.pay(order, user, payment_method_id, difference)
        order["status"] = "pending (items modified)"
        return order

    def return_delivered_order_items(
        self, order_id: str, item_ids: list[str], payment_method_id: str
    ) -> JsonObject:
        order = self._order(order_id)
        rules.require_status(order, "delivered")
        method = rules.require_method(self._user(order["user_id"]), payment_method_id)
        if payment_method_id not in rules.net_paid(order) and method["source"] != "gift_card":
            detail = "a refund goes to the original payment method or to a gift card"
            raise Problem(422, "payment_method_not_allowed", detail)
        rules.find_positions(order, item_ids)
        order = self._orders.edit(order_id)
        order |= {
            "status": "return requested",
            "return_items": sorted(item_ids),
            "return_payment_method_id": payment_method_id,
        }
        return order

    def exchange_delivered_order_items(
        self, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
    ) -> JsonObject:
        order = self._order(order_id)
        rules.require_status(order, "delivered")
        replacements = self._replacements(order, item_ids, new_item_ids)
        difference = self._affordable_difference(order, replacements, payment_method_id)
        order = self._orders.edit(order_id)
        order |= {
            "status": "exchange requested",
            "exchange_items": sorted(item_ids),
            "exchange_new_items": sorted(new_item_ids),
            "exchange_payment_method_id": payment_method_id,
            "exchange_price_difference": float(difference),
        }
        return order

    # What several tools need

    def _order(self, order_id: str) -> JsonObject:
        order = self._orders.find(order_id)
        if order is None:
            raise Problem(422, "order_not_found", "order not found")
        return order

    def _user(self, user_id: str) -> JsonObject:
        user = self._users.find(user_id)
        if user is None:
            raise Problem(422, "user_not_found", "user not found")
        return user

    def _only_user(self, is_wanted: Callable[[JsonObject], bool]) -> str:
        found = [str(user["user_id"]) for user in self._users if is_wanted(user)]
        if len(found) != 1:
            raise Problem(422, "user_not_found", "user not found")
        return found[0]

    def _edit(self, order: JsonObject) -> tuple[JsonObject, JsonObject]:
        return self._orders.edit(order["order_id"]), self._users.edit(order["user_id"])

    def _replacements(
        self, order: JsonObject, item_ids: list[str], new_item_ids: list[str]
    ) -> list[Replacement]:
        if len(item_ids) != len(new_item_ids):
            raise Problem(422, "items_do_not_pair", "name one new item for each item")
        items = [(position, order["items"][position]) for position in rules.find_positions(order, item_ids)]
        return [
            Replacement(
                position, item, rules.find_replacement(item, self._products[item["product_id"]], new_item_id)
            )
            for (position, item), new_item_id in zip(items, new_item_ids, strict=True)
        ]

    def _affordable_difference(
        self, order: JsonObject, replacements: list[Replacement], method_id: str
    ) -> Decimal:
        method = rules.require_method(self._user(order["user_id"]), method_id)
        difference = sum((each.price_difference for each in replacements), Decimal())
        rules.require_balance(method, difference)
        return difference
