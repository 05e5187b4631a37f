"""The shop's tools as plain data: what a company would write down about them before an agent may use them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

EffectClass = Literal["read", "reversible", "irreversible"]
Schema = dict[str, Any]  # Any: JSON Schema is open-ended


@dataclass(frozen=True)
class ToolFacts:
    """One tool: schemas of arguments and answer, what it does to the world, how a person is told of a call.

    `statement` names arguments in braces; those are texts, so that every renderer can fill them in.
    `amount_argument` names the argument that a cap in USD counts (a decimal string), `dedupe_on` those
    by which the same effect proposed twice is recognised. `example` is a call that the seed data allows.
    """

    name: str
    description: str
    effect_class: EffectClass
    statement: str
    input_schema: Schema
    output_schema: Schema
    example: dict[str, Any]  # Any: JSON arguments
    amount_argument: str | None = None
    dedupe_on: tuple[str, ...] = ()


def closed(properties: dict[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    """Return an object schema that takes these properties and no others; all but `optional` are required."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def text(description: str, limit: int = 120) -> Schema:
    """Return a schema of a short text that is not empty."""
    return {"type": "string", "minLength": 1, "maxLength": limit, "description": description}


def code(pattern: str, description: str) -> Schema:
    """Return a schema of an identifier."""
    return {"type": "string", "pattern": pattern, "description": description}


def choice(values: list[str], description: str) -> Schema:
    """Return a schema of one word out of a list."""
    return {"type": "string", "enum": values, "description": description}


def many(items: Schema, description: str, at_least: int = 0) -> Schema:
    """Return a schema of a list of at most 50 items."""
    return {"type": "array", "items": items, "minItems": at_least, "maxItems": 50, "description": description}


USD_PATTERN = r"^(0|[1-9][0-9]{0,5})\.[0-9]{2}$"
ORDER_ID = code(r"^A-[0-9]{4}$", "Order id, such as A-1042")
CUSTOMER_ID = code(r"^C-[0-9]{2}$", "Customer id, such as C-01")
PRODUCT_ID = code(r"^P-[0-9]{3}$", "Product id, such as P-101")
SKU = code(r"^[A-Z0-9]+(-[A-Z0-9]+)+$", "Stock-keeping unit of one variant, such as KETTLE-STEEL")
USD = code(USD_PATTERN, "US dollars as a decimal string, such as 129.90")
DIFFERENCE_USD = code(
    r"^-?(0|[1-9][0-9]{0,5})\.[0-9]{2}$", "US dollars; negative when the customer is owed money"
)
EMAIL: Schema = {"type": "string", "format": "email", "maxLength": 254, "description": "E-mail address"}
DATE: Schema = {"type": "string", "format": "date", "description": "Calendar day"}
COUNT: Schema = {"type": "integer", "minimum": 1, "maximum": 99, "description": "How many"}
STOCK: Schema = {"type": "integer", "minimum": 0, "description": "How many are in stock"}
OPTIONS: Schema = {
    "type": "object",
    "additionalProperties": {"type": "string"},
    "description": "What sets this variant apart, such as colour or size",
}
CATEGORY = choice(["kitchen", "home", "outdoor", "desk"], "Department of the shop")
STATUS = choice(
    ["pending", "shipped", "delivered", "return_requested", "exchange_requested", "cancelled"],
    "Where the order stands",
)
ADDRESS_FIELDS: dict[str, Schema] = {
    "street": text("Street and number"),
    "city": text("City"),
    "postcode": text("Postcode", 12),
    "country": code("^[A-Z]{2}$", "Country, ISO 3166-1 alpha-2"),
}
ADDRESS = closed(ADDRESS_FIELDS)
BRIEF_CUSTOMER = closed(
    {"id": CUSTOMER_ID, "name": text("Name"), "email": EMAIL, "postcode": text("Postcode", 12)}
)
CUSTOMER = closed(
    {
        "id": CUSTOMER_ID,
        "name": text("Name"),
        "email": EMAIL,
        "pays_with": text("Way of paying, such as Visa ending 9212"),
        "address": ADDRESS,
        "order_ids": many(ORDER_ID, "Orders, oldest first"),
    }
)
LINE = closed(
    {
        "sku": SKU,
        "product_id": PRODUCT_ID,
        "name": text("Product name"),
        "options": OPTIONS,
        "quantity": COUNT,
        "unit_price": USD,
    }
)
PAYMENT = closed({"method": text("Way of paying"), "paid": USD, "refunded": USD})
ORDER = closed(
    {
        "id": ORDER_ID,
        "customer_id": CUSTOMER_ID,
        "customer_name": text("Name"),
        "status": STATUS,
        "placed_on": DATE,
        "address": ADDRESS,
        "lines": many(LINE, "What was ordered", 1),
        "total": USD,
        "payment": PAYMENT,
    }
)
BRIEF_PRODUCT = closed(
    {
        "id": PRODUCT_ID,
        "name": text("Name"),
        "category": CATEGORY,
        "from_price": USD,
        "available": {"type": "boolean", "description": "Whether any variant is in stock"},
    }
)
VARIANT = closed({"sku": SKU, "options": OPTIONS, "price": USD, "in_stock": STOCK})
PRODUCT = closed(
    {"id": PRODUCT_ID, "name": text("Name"), "category": CATEGORY, "variants": many(VARIANT, "Variants", 1)}
)
CANCEL_REASON = choice(
    ["ordered_by_mistake", "no_longer_needed", "takes_too_long"], "Why the customer cancels"
)
RETURN_REASON = choice(
    ["damaged", "wrong_item", "not_as_described", "changed_mind"], "Why the goods come back"
)
REFUND_REASON = choice(
    ["damaged", "not_received", "overcharged", "returned", "goodwill"], "Why money is paid back"
)
RETURNED = many(closed({"sku": SKU, "quantity": COUNT}), "Goods that come back", 1)
EXCHANGED = many(closed({"sku": SKU, "new_sku": SKU, "quantity": COUNT}), "Goods and what replaces them", 1)

TOOLS: tuple[ToolFacts, ...] = (
    ToolFacts(
        name="find_customer",
        description="Find customers by e-mail address, or by name and postcode together.",
        effect_class="read",
        statement="look up a customer",
        input_schema=closed(
            {"email": EMAIL, "name": text("Full name"), "postcode": text("Postcode", 12)},
            optional=("email", "name", "postcode"),
        ),
        output_schema=closed({"customers": many(BRIEF_CUSTOMER, "Customers found")}),
        example={"email": "ann.lee@example.com"},
    ),
    ToolFacts(
        name="get_customer",
        description="Read a customer's name, e-mail address, postal address, way of paying and order ids.",
        effect_class="read",
        statement="read customer {customer_id}",
        input_schema=closed({"customer_id": CUSTOMER_ID}),
        output_schema=closed({"customer": CUSTOMER}),
        example={"customer_id": "C-01"},
    ),
    ToolFacts(
        name="get_order",
        description="Read an order: its status, lines, address, and what was paid and refunded.",
        effect_class="read",
        statement="read order {order_id}",
        input_schema=closed({"order_id": ORDER_ID}),
        output_schema=closed({"order": ORDER}),
        example={"order_id": "A-1042"},
    ),
    ToolFacts(
        name="search_products",
        description="Find products whose name or category contains every word of the query.",
        effect_class="read",
        statement="search products for {query}",
        input_schema=closed({"query": text("Words to look for")}),
        output_schema=closed({"products": many(BRIEF_PRODUCT, "Products found")}),
        example={"query": "kettle"},
    ),
    ToolFacts(
        name="get_product",
        description="Read a product with the options, price and stock of each variant.",
        effect_class="read",
        statement="read product {product_id}",
        input_schema=closed({"product_id": PRODUCT_ID}),
        output_schema=closed({"product": PRODUCT}),
        example={"product_id": "P-101"},
    ),
    ToolFacts(
        name="cancel_order",
        description="Cancel a pending order for good. The whole payment goes back at once.",
        effect_class="irreversible",
        statement="cancel order {order_id} ({reason}) and return the whole payment",
        input_schema=closed({"order_id": ORDER_ID, "reason": CANCEL_REASON}),
        output_schema=closed(
            {
                "order": ORDER,
                "cancellation": closed(
                    {"reason": CANCEL_REASON, "refunded": USD, "payment_method": text("Way of paying")}
                ),
            }
        ),
        example={"order_id": "A-1052", "reason": "ordered_by_mistake"},
        dedupe_on=("order_id",),
    ),
    ToolFacts(
        name="modify_order_address",
        description="Send a pending order to another address. The customer's own address stays as it is.",
        effect_class="reversible",
        statement="send order {order_id} to {street}, {postcode} {city}, {country}",
        input_schema=closed({"order_id": ORDER_ID, **ADDRESS_FIELDS}),
        output_schema=closed({"order": ORDER, "previous_address": ADDRESS}),
        example={
            "order_id": "A-1051",
            "street": "12 River Road",
            "city": "Davis",
            "postcode": "95616",
            "country": "US",
        },
    ),
    ToolFacts(
        name="return_items",
        description="Ask for goods of a delivered order back, once per order. Moves no money.",
        effect_class="reversible",
        statement="take back goods of order {order_id} ({reason})",
        input_schema=closed({"order_id": ORDER_ID, "items": RETURNED, "reason": RETURN_REASON}),
        output_schema=closed(
            {
                "order": ORDER,
                "return": closed({"items": RETURNED, "reason": RETURN_REASON, "expected_refund": USD}),
            }
        ),
        example={
            "order_id": "A-1043",
            "items": [{"sku": "MUG-SAND", "quantity": 2}],
            "reason": "changed_mind",
        },
        dedupe_on=("order_id",),
    ),
    ToolFacts(
        name="exchange_items",
        description=(
            "Swap goods of a delivered order for other variants of the same product, once per order. "
            "The replacement is sent at once."
        ),
        effect_class="irreversible",
        statement="exchange goods of order {order_id} for other variants",
        input_schema=closed({"order_id": ORDER_ID, "items": EXCHANGED}),
        output_schema=closed(
            {"order": ORDER, "exchange": closed({"items": EXCHANGED, "price_difference": DIFFERENCE_USD})}
        ),
        example={
            "order_id": "A-1038",
            "items": [{"sku": "JACKET-M", "new_sku": "JACKET-L", "quantity": 1}],
        },
        dedupe_on=("order_id",),
    ),
    ToolFacts(
        name="refund_payment",
        description=(
            "Pay money back the way the order was paid, at most what is left of the payment. "
            "Not for pending orders: cancel those."
        ),
        effect_class="irreversible",
        statement="refund {amount} USD for order {order_id} ({reason})",
        input_schema=closed({"order_id": ORDER_ID, "amount": USD, "reason": REFUND_REASON}),
        output_schema=closed(
            {
                "order": ORDER,
                "refund": closed(
                    {"amount": USD, "reason": REFUND_REASON, "payment_method": text("Way of paying")}
                ),
            }
        ),
        example={"order_id": "A-1042", "amount": "129.90", "reason": "damaged"},
        amount_argument="amount",
        dedupe_on=("order_id", "amount"),
    ),
)
