"""The shop's first day: `seed.yaml` written out into full customers, products and orders."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Literal

import yaml

from agentops.demo.shop.money import line_usd, show_usd
from agentops.demo.toolserver import JsonObject

Kind = Literal["customers", "products", "orders"]

SEED_FILE = Path(__file__).with_name("seed.yaml")


def load_seed() -> dict[Kind, dict[str, JsonObject]]:
    """Return every record by kind and id; the same on every call."""
    seed = yaml.safe_load(SEED_FILE.read_text(encoding="utf-8"))
    customers = {each["id"]: dict(each, order_ids=[]) for each in seed["customers"]}
    products = {each["id"]: each for each in seed["products"]}
    orders = {each["id"]: write_out_order(each, customers, products) for each in seed["orders"]}
    for order in orders.values():
        customers[order["customer_id"]]["order_ids"].append(order["id"])
    return {"customers": customers, "products": products, "orders": orders}


def write_out_order(
    brief: JsonObject, customers: dict[str, JsonObject], products: dict[str, JsonObject]
) -> JsonObject:
    """Return the full order that a seed line stands for."""
    customer = customers[brief["customer"]]
    lines = [write_out_line(sku, quantity, products) for sku, quantity in brief["lines"]]
    total = show_usd(sum((line_usd(line, line["quantity"]) for line in lines), Decimal()))
    refunded = total if brief["status"] == "cancelled" else brief.get("refunded", "0.00")
    return {
        "id": brief["id"],
        "customer_id": customer["id"],
        "customer_name": customer["name"],
        "status": brief["status"],
        "placed_on": brief["placed_on"],
        "address": dict(customer["address"]),
        "lines": lines,
        "total": total,
        "payment": {"method": customer["pays_with"], "paid": total, "refunded": refunded},
    }


def write_out_line(sku: str, quantity: int, products: dict[str, JsonObject]) -> JsonObject:
    """Return an order line with the name, options and price of its variant."""
    product, variant = next(
        (product, variant)
        for product in products.values()
        for variant in product["variants"]
        if variant["sku"] == sku
    )
    return {
        "sku": sku,
        "product_id": product["id"],
        "name": product["name"],
        "options": dict(variant["options"]),
        "quantity": quantity,
        "unit_price": variant["price"],
    }
