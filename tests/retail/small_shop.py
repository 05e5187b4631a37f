"""A retail shop small enough to reckon by hand: one customer, four orders, a lamp in four variants."""

from __future__ import annotations

from typing import Any

from tests.retail.dataset import Database
from tests.retail.shop import RetailShop

JsonObject = dict[str, Any]  # Any: JSON values
ADDRESS = {
    "address1": "1 New Street",
    "address2": "",
    "city": "Reno",
    "state": "NV",
    "country": "USA",
    "zip": "89501",
}


def item(item_id: str, price: float) -> JsonObject:
    return {
        "name": "Lamp",
        "product_id": "lamp",
        "item_id": item_id,
        "price": price,
        "options": {"id": item_id},
    }


def make_order(order_id: str, status: str, method: str, *items: JsonObject) -> JsonObject:
    paid = round(sum(each["price"] for each in items), 2)
    return {
        "order_id": order_id,
        "user_id": "ada",
        "address": {"zip": "10001"},
        "items": list(items),
        "status": status,
        "fulfillments": [],
        "payment_history": [{"transaction_type": "payment", "amount": paid, "payment_method_id": method}],
    }


def make_database() -> Database:
    variants = {
        name: {"item_id": name, "options": {"id": name}, "available": available, "price": price}
        for name, price, available in (
            ("small", 10.1, True),
            ("large", 30.3, True),
            ("cheap", 5.05, True),
            ("sold-out", 20.2, False),
        )
    }
    other = {"item_id": "chair-1", "options": {}, "available": True, "price": 99.0}
    orders = [
        make_order("#P", "pending", "card", item("small", 10.1), item("small", 10.1)),
        make_order("#G", "pending", "gift", item("small", 10.1)),
        make_order("#D", "delivered", "card", item("small", 10.1), item("large", 30.3)),
        make_order("#S", "processed", "card", item("small", 10.1)),
    ]
    return {
        "products": {
            "lamp": {"name": "Lamp", "product_id": "lamp", "variants": variants},
            "chair": {"name": "Chair", "product_id": "chair", "variants": {"chair-1": other}},
        },
        "users": {
            "ada": {
                "user_id": "ada",
                "name": {"first_name": "Ada", "last_name": "Byron"},
                "address": {"zip": "10001"},
                "email": "ada@example.com",
                "payment_methods": {
                    "card": {"source": "credit_card", "id": "card", "brand": "visa", "last_four": "1234"},
                    "paypal": {"source": "paypal", "id": "paypal"},
                    "gift": {"source": "gift_card", "id": "gift", "balance": 20.2},
                },
                "orders": ["#P", "#G", "#D", "#S"],
            }
        },
        "orders": {each["order_id"]: each for each in orders},
    }


def gift_balance(shop: RetailShop) -> float:
    return float(shop.get_user_details("ada")["payment_methods"]["gift"]["balance"])


def history(order: JsonObject) -> list[tuple[str, float, str]]:
    return [tuple(each.values()) for each in order["payment_history"]]
