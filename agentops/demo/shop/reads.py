"""What the shop can be asked. A search that finds nothing answers with an empty list.

An unknown id is 422, not 404: the call reached its tool, and it is the argument that names nothing.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from agentops.demo.toolserver import JsonObject, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentops.demo.shop.seed import Kind
    from agentops.demo.shop.store import Store

NOUNS: dict[Kind, str] = {"customers": "customer", "products": "product", "orders": "order"}


def require(store: Store, kind: Kind, record_id: str) -> JsonObject:
    """Return a record; raises Problem 422 ``unknown_customer | unknown_product | unknown_order``."""
    record = store.find(kind, record_id)
    if record is None:
        raise Problem(422, f"unknown_{NOUNS[kind]}", f"there is no {NOUNS[kind]} {record_id}")
    return record


def find_customer(store: Store, arguments: JsonObject) -> JsonObject:
    """Find customers by e-mail address, or by name and postcode together."""
    asked: dict[str, str] = {
        field: arguments[field].strip().casefold()
        for field in ("email", "name", "postcode")
        if field in arguments
    }
    if "email" not in asked and not {"name", "postcode"} <= asked.keys():
        raise Problem(
            422, "too_little_to_go_by", "give an e-mail address, or a name together with a postcode"
        )
    customers = [brief_customer(each) for each in store.all("customers")]
    return {"customers": [each for each in customers if is_asked_for(each, asked)]}


def brief_customer(customer: JsonObject) -> JsonObject:
    """Return what a search shows of a customer: enough to recognise them by."""
    return {
        "id": customer["id"],
        "name": customer["name"],
        "email": customer["email"],
        "postcode": customer["address"]["postcode"],
    }


def is_asked_for(customer: JsonObject, asked: dict[str, str]) -> bool:
    """Say whether every given field is the customer's own, whatever its case."""
    return all(customer[field].casefold() == value for field, value in asked.items())


def get_customer(store: Store, arguments: JsonObject) -> JsonObject:
    """Return a customer with address, way of paying and order ids."""
    return {"customer": require(store, "customers", arguments["customer_id"])}


def get_order(store: Store, arguments: JsonObject) -> JsonObject:
    """Return an order with its lines and what was paid and refunded."""
    return {"order": require(store, "orders", arguments["order_id"])}


def get_product(store: Store, arguments: JsonObject) -> JsonObject:
    """Return a product with all its variants."""
    return {"product": require(store, "products", arguments["product_id"])}


def search_products(store: Store, arguments: JsonObject) -> JsonObject:
    """Find products whose name or category contains every word of the query."""
    words = arguments["query"].casefold().split()
    found = [
        brief_product(each)
        for each in store.all("products")
        if all(word in f"{each['name']} {each['category']}".casefold() for word in words)
    ]
    return {"products": found}


def brief_product(product: JsonObject) -> JsonObject:
    """Return what a search shows of a product."""
    variants = product["variants"]
    return {
        "id": product["id"],
        "name": product["name"],
        "category": product["category"],
        "from_price": min((variant["price"] for variant in variants), key=Decimal),
        "available": any(variant["in_stock"] for variant in variants),
    }


READS: dict[str, Callable[[Store, JsonObject], JsonObject]] = {
    "find_customer": find_customer,
    "get_customer": get_customer,
    "get_order": get_order,
    "search_products": search_products,
    "get_product": get_product,
}
