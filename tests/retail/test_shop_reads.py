"""What the retail shop tells, and that nobody's reading or writing changes what others see."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from agentops.demo.toolserver import Problem
from tests.retail.dataset import Database
from tests.retail.shop import RetailShop
from tests.retail.small_shop import ADDRESS, JsonObject

pytestmark = pytest.mark.retail


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
