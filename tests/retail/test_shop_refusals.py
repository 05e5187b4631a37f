"""What the retail shop refuses, and that a refusal changes nothing."""

from __future__ import annotations

import pytest

from agentops.demo.toolserver import Problem
from tests.retail.dataset import Database
from tests.retail.shop import RetailShop
from tests.retail.small_shop import ADDRESS, JsonObject, gift_balance

pytestmark = pytest.mark.retail


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("cancel_pending_order", {"order_id": "#P", "reason": "too expensive"}, "reason_not_accepted"),
        ("cancel_pending_order", {"order_id": "#S", "reason": "no longer needed"}, "order_not_pending"),
        ("cancel_pending_order", {"order_id": "#X", "reason": "no longer needed"}, "order_not_found"),
        ("modify_pending_order_address", {"order_id": "#D", **ADDRESS}, "order_not_pending"),
        ("modify_user_address", {"user_id": "bob", **ADDRESS}, "user_not_found"),
        ("modify_pending_order_payment", {"order_id": "#P", "payment_method_id": "card"}, "nothing_changes"),
        (
            "modify_pending_order_payment",
            {"order_id": "#P", "payment_method_id": "no"},
            "payment_method_not_found",
        ),
        (
            "modify_pending_order_payment",
            {"order_id": "#D", "payment_method_id": "gift"},
            "order_not_pending",
        ),
    ],
)
def test_refusals(shop: RetailShop, database: Database, name: str, arguments: JsonObject, code: str) -> None:
    check_refusal(shop, database, name, arguments, code)


@pytest.mark.parametrize(
    ("items", "new_items", "method", "code"),
    [
        (["small"], ["chair-1"], "card", "not_the_same_product"),
        (["small"], ["sold-out"], "card", "item_not_available"),
        (["small"], ["small"], "card", "nothing_changes"),
        (["small"], ["large", "cheap"], "card", "items_do_not_pair"),
        ([], [], "card", "no_items"),
        (["sold-out"], ["large"], "card", "item_not_in_order"),
        (["small"] * 3, ["large"] * 3, "card", "item_not_in_order"),
        (["small"], ["large"], "no", "payment_method_not_found"),
    ],
)
@pytest.mark.parametrize(
    ("name", "order_id"), [("modify_pending_order_items", "#P"), ("exchange_delivered_order_items", "#D")]
)
def test_refused_replacements(
    shop: RetailShop,
    database: Database,
    name: str,
    order_id: str,
    items: list[str],
    new_items: list[str],
    method: str,
    code: str,
) -> None:
    arguments = {
        "order_id": order_id,
        "item_ids": items,
        "new_item_ids": new_items,
        "payment_method_id": method,
    }
    check_refusal(shop, database, name, arguments, code)


def test_a_gift_card_must_cover_what_it_has_to_pay(shop: RetailShop, database: Database) -> None:
    arguments: JsonObject = {
        "order_id": "#P",
        "item_ids": ["small", "small"],
        "new_item_ids": ["large", "large"],
        "payment_method_id": "gift",
    }
    check_refusal(shop, database, "modify_pending_order_items", arguments, "gift_card_balance_too_low")
    database["users"]["ada"]["payment_methods"]["gift"]["balance"] = 40.4
    shop.call("modify_pending_order_items", arguments)
    assert gift_balance(shop) == 0.0


def test_a_gift_card_must_cover_a_whole_order(shop: RetailShop, database: Database) -> None:
    database["users"]["ada"]["payment_methods"]["gift"]["balance"] = 20.19
    arguments = {"order_id": "#P", "payment_method_id": "gift"}
    check_refusal(shop, database, "modify_pending_order_payment", arguments, "gift_card_balance_too_low")


@pytest.mark.parametrize(
    ("items", "method", "code"),
    [
        (["small"], "paypal", "payment_method_not_allowed"),
        (["small"], "no", "payment_method_not_found"),
        (["cheap"], "card", "item_not_in_order"),
        (["small", "small"], "card", "item_not_in_order"),
    ],
)
def test_refused_returns(
    shop: RetailShop, database: Database, items: list[str], method: str, code: str
) -> None:
    arguments = {"order_id": "#D", "item_ids": items, "payment_method_id": method}
    check_refusal(shop, database, "return_delivered_order_items", arguments, code)


def check_refusal(shop: RetailShop, database: Database, name: str, arguments: JsonObject, code: str) -> None:
    with pytest.raises(Problem) as refusal:
        shop.call(name, arguments)
    assert refusal.value.code == code
    assert refusal.value.status in (409, 422)
    assert shop.changed() == {"users": {}, "orders": {}}
    assert shop.digest() == RetailShop(database).digest()
