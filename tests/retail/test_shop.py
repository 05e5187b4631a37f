"""The retail shop: the policy's rules on a small database of ours, the recorded calls on the shared one."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from agentops.demo.toolserver import Problem
from tests.retail.arithmetic import calculate
from tests.retail.catalogue import STATEMENTS, describe_tools
from tests.retail.dataset import Database, load_database, load_requests, load_tools, needs_data
from tests.retail.shop import WRITES, RetailShop

pytestmark = pytest.mark.retail

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


@pytest.fixture
def database() -> Database:
    return make_database()


@pytest.fixture
def shop(database: Database) -> RetailShop:
    return RetailShop(database)


def gift_balance(shop: RetailShop) -> float:
    return float(shop.get_user_details("ada")["payment_methods"]["gift"]["balance"])


def history(order: JsonObject) -> list[tuple[str, float, str]]:
    return [tuple(each.values()) for each in order["payment_history"]]


# What the writes do


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


# What is refused, and that a refusal changes nothing


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


# Reads


def test_reads_find_what_there_is(shop: RetailShop) -> None:
    assert shop.find_user_id_by_email("ADA@example.com") == "ada"
    assert shop.get_item_details("chair-1")["price"] == 99.0
    assert shop.get_product_details("chair")["name"] == "Chair"
    assert shop.list_all_product_types() == {"Lamp": "lamp", "Chair": "chair"}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("find_user_id_by_email", {"email": "bob@example.com"}),
        ("find_user_id_by_name_zip", {"first_name": "Ada", "last_name": "Byron", "zip": "99999"}),
        ("get_user_details", {"user_id": "bob"}),
        ("get_order_details", {"order_id": "P"}),
        ("get_product_details", {"product_id": "small"}),
        ("get_item_details", {"item_id": "lamp"}),
    ],
)
def test_reads_say_what_is_not_found(shop: RetailShop, name: str, arguments: JsonObject) -> None:
    with pytest.raises(Problem, match="not found"):
        shop.call(name, arguments)


def test_results_are_the_callers_own(shop: RetailShop) -> None:
    before = copy.deepcopy(shop.state())
    result: Any = shop.call("get_order_details", {"order_id": "#P"})
    result["items"].clear()
    assert shop.state() == before


def test_shops_share_the_database_and_not_their_changes(database: Database) -> None:
    original = copy.deepcopy(database)
    one, two = RetailShop(database), RetailShop(database)
    one.modify_pending_order_items("#P", ["small"], ["large"], "gift")
    one.cancel_pending_order("#G", "no longer needed")
    one.modify_user_address("ada", **ADDRESS)
    assert set(one.changed()["orders"]) == {"#P", "#G"}
    assert two.changed() == {"users": {}, "orders": {}}
    assert one.digest() != two.digest()
    assert database == original


# The calculator


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 2", "4"),
        ("155.33 - 147.05 + 268.77 - 235.13", "41.92"),
        ("0.1 + 0.2", "0.3"),
        ("-(1 + 2) * 3 / 4", "-2.25"),
        ("+100", "100"),
        ("1 / 3", "0.3333333333"),
        ("10 * 10", "100"),
        ("9" * 30 + " * 10", "1" + "0" * 31),
    ],
)
def test_calculate(expression: str, value: str) -> None:
    assert calculate(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        "",
        " ",
        "1 +",
        "2 ** 999",
        "7 // 2",
        "1 / 0",
        "1, 2",
        "a + 1",
        "__import__('os')",
        "()",
        "(" * 150,
        "1" * 201,
    ],
)
def test_calculate_refuses(expression: str) -> None:
    with pytest.raises(ValueError, match=r"calculate|expression"):
        calculate(expression)


def test_a_refused_calculation_is_a_problem(shop: RetailShop) -> None:
    with pytest.raises(Problem, match="cannot calculate"):
        shop.call("calculate", {"expression": "1 / 0"})


# The shared data

READS_THAT_FIND_NOTHING = {
    "find_user_id_by_email",
    "find_user_id_by_name_zip",
    "get_order_details",
    "get_product_details",
}
# Request 105 pays the difference of an exchange (21.10) with a gift card that holds 17.00. The policy: "If
# the user provides a gift card, it must have enough balance to cover the price difference."
REFUSED_WRITES = [("105", "exchange_delivered_order_items", "gift_card_balance_too_low")]


@needs_data
def test_the_shared_tools_are_the_shops_tools() -> None:
    described = load_tools()
    assert len(described) == 16
    assert {each["name"] for each in described if each["kind"] == "write"} == WRITES
    assert {each["name"] for each in described} == set(STATEMENTS)
    for each in describe_tools(described):
        assert callable(getattr(RetailShop, each.name))
        assert each.input_schema["additionalProperties"] is False
        arguments = dict.fromkeys(each.input_schema["properties"], "x")
        assert "{" not in each.statement.format(**arguments)
        assert (each.effect_class == "read") == (each.name not in WRITES)


@needs_data
def test_every_recorded_call_does_what_the_policy_says() -> None:
    before = copy.deepcopy(load_database())
    done: list[str] = []
    refused: list[tuple[str, str, str]] = []
    for request in load_requests():
        shop = RetailShop(load_database())
        for action in request["actions"]:
            try:
                shop.call(action["name"], action["arguments"])
                done.append(action["name"])
            except Problem as problem:
                refused.append((request["id"], action["name"], problem.code))
    reads = [(name, code) for _, name, code in refused if name not in WRITES]
    assert len(done) + len(refused) == 365
    assert [each for each in refused if each[1] in WRITES] == REFUSED_WRITES
    assert sum(name in WRITES for name in done) == 119
    assert len(reads) == 12
    assert {name for name, _ in reads} == READS_THAT_FIND_NOTHING
    assert all(code.endswith("_not_found") for _, code in reads)
    assert load_database() == before, "the shops share it"
