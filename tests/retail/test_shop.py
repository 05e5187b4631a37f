"""The retail shop: what its writes do, by the policy's rules on a small database of ours."""

from __future__ import annotations

import pytest

from agentops.demo.toolserver import Problem
from tests.retail.shop import RetailShop
from tests.retail.small_shop import ADDRESS, JsonObject, gift_balance, history

pytestmark = pytest.mark.retail


def test_cancelling_pays_back_the_original_method(shop: RetailShop) -> None:
    order = shop.cancel_pending_order("#P", "no longer needed")
    assert (order["status"], order["cancel_reason"]) == ("cancelled", "no longer needed")
    assert history(order) == [("payment", 20.2, "card"), ("refund", 20.2, "card")]
    assert gift_balance(shop) == 20.2


def test_cancelling_fills_a_gift_card_at_once(shop: RetailShop) -> None:
    shop.cancel_pending_order("#G", "ordered by mistake")
    assert gift_balance(shop) == 30.3


def test_an_address_replaces_the_orders_and_not_the_customers(shop: RetailShop) -> None:
    assert shop.modify_pending_order_address("#P", **ADDRESS)["address"] == ADDRESS
    assert shop.get_user_details("ada")["address"] == {"zip": "10001"}
    assert shop.get_order_details("#P")["status"] == "pending"


def test_a_customers_address_is_not_the_orders(shop: RetailShop) -> None:
    assert shop.modify_user_address("ada", **ADDRESS)["address"] == ADDRESS
    assert shop.get_order_details("#P")["address"] == {"zip": "10001"}
    assert shop.find_user_id_by_name_zip("ada", "BYRON", "89501") == "ada"


def test_another_payment_method_pays_and_the_first_gets_its_money_back(shop: RetailShop) -> None:
    order = shop.modify_pending_order_payment("#P", "gift")
    assert history(order)[1:] == [("payment", 20.2, "gift"), ("refund", 20.2, "card")]
    assert gift_balance(shop) == 0.0
    again = shop.modify_pending_order_payment("#P", "paypal")
    assert history(again)[3:] == [("payment", 20.2, "paypal"), ("refund", 20.2, "gift")]
    assert gift_balance(shop) == 20.2
    cancelled = shop.cancel_pending_order("#P", "no longer needed")
    assert history(cancelled)[5:] == [("refund", 20.2, "paypal")]


def test_modified_items_are_paid_for_and_close_the_order(shop: RetailShop) -> None:
    order = shop.modify_pending_order_items("#P", ["small", "small"], ["large", "cheap"], "gift")
    assert [(each["item_id"], each["price"], each["options"]) for each in order["items"]] == [
        ("large", 30.3, {"id": "large"}),
        ("cheap", 5.05, {"id": "cheap"}),
    ]
    assert history(order)[1:] == [("payment", 15.15, "gift")]
    assert gift_balance(shop) == 5.05
    assert order["status"] == "pending (items modified)"
    swap = {"item_ids": ["large"], "new_item_ids": ["small"], "payment_method_id": "card"}
    further: list[tuple[str, JsonObject]] = [
        ("cancel_pending_order", {"reason": "no longer needed"}),
        ("modify_pending_order_items", swap),
        ("modify_pending_order_address", ADDRESS),
        ("modify_pending_order_payment", {"payment_method_id": "paypal"}),
    ]
    for name, arguments in further:
        with pytest.raises(Problem, match="not pending"):
            shop.call(name, {"order_id": "#P", **arguments})


def test_cheaper_items_are_refunded(shop: RetailShop) -> None:
    order = shop.modify_pending_order_items("#P", ["small"], ["cheap"], "gift")
    assert [each["item_id"] for each in order["items"]] == ["cheap", "small"]
    assert history(order)[1:] == [("refund", 5.05, "gift")]
    assert gift_balance(shop) == 25.25


def test_a_return_is_requested_and_nothing_is_paid_yet(shop: RetailShop) -> None:
    order = shop.return_delivered_order_items("#D", ["small", "large"], "gift")
    assert order["status"] == "return requested"
    assert (order["return_items"], order["return_payment_method_id"]) == (["large", "small"], "gift")
    assert len(order["payment_history"]) == 1
    assert gift_balance(shop) == 20.2


def test_an_exchange_is_requested_with_its_difference(shop: RetailShop) -> None:
    order = shop.exchange_delivered_order_items("#D", ["small"], ["large"], "gift")
    assert order["status"] == "exchange requested"
    assert (order["exchange_items"], order["exchange_new_items"]) == (["small"], ["large"])
    assert (order["exchange_price_difference"], order["exchange_payment_method_id"]) == (20.2, "gift")
    assert [each["item_id"] for each in order["items"]] == ["small", "large"]
    with pytest.raises(Problem, match="not delivered"):
        shop.return_delivered_order_items("#D", ["large"], "card")
