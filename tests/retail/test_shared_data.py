"""The recorded calls on the shared database, by the shop that the policy describes."""

from __future__ import annotations

import copy

import pytest

from agentops.demo.toolserver import Problem
from tests.retail.catalogue import STATEMENTS, describe_tools
from tests.retail.dataset import load_database, load_requests, load_tools, needs_data
from tests.retail.shop import WRITES, RetailShop

pytestmark = pytest.mark.retail

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
