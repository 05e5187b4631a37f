"""Arguments that are bound to a decision: what counts as the same, and what as decided."""

from __future__ import annotations

from typing import Any

import pytest

from tools.bindings import MadeDecision, find_binding_faults, find_unbound, is_same, keeps_bindings

BOUND = {"amount": {"tool": "eligibility", "output": "amount", "inputs": {"order": "order_id"}}}


def made(order: Any = "A-1", amount: Any = 50, tool: str = "eligibility") -> MadeDecision:
    return MadeDecision(tool, {"order": order}, {"amount": amount})


@pytest.mark.parametrize(
    ("arguments", "decisions", "fits"),
    [
        ({"order_id": "A-1", "amount": "50.00"}, [made()], True),
        ({"order_id": "A-1", "amount": 50}, [made(amount=40), made()], True),
        ({"order_id": "A-1", "amount": 40}, [made(amount=40), made()], False),
        ({"order_id": "A-1", "amount": 51}, [made()], False),
        ({"order_id": "A-2", "amount": 50}, [made()], False),
        ({"order_id": "A-1", "amount": 50}, [made(tool="other")], False),
        ({"order_id": "A-1", "amount": 50}, [], False),
        ({"order_id": "A-1"}, [made()], False),
        ({"amount": 50}, [MadeDecision("eligibility", {}, {"amount": 50})], False),
        ({"order_id": "A-1", "amount": None}, [made(amount=None)], False),
        (
            {"order_id": "A-1", "amount": 50},
            [MadeDecision("eligibility", {"order": "A-1"}, [{"amount": 50}])],
            False,
        ),
        ({"order_id": "A-1", "amount": True}, [made(amount=1)], False),
    ],
)
def test_an_argument_is_what_was_decided_last_of_the_same(
    arguments: dict[str, Any], decisions: list[MadeDecision], fits: bool
) -> None:
    assert (not list(find_unbound(BOUND, arguments, decisions))) is fits


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [(50, "50.0", True), (0.1, "0.1", True), (1, True, False), ("a", "a", True), ("NaN", "nan", False),
     (1, None, False), ([1], [1], True), ("1e99999", "1e99998", False)],
)  # fmt: skip
def test_numbers_are_the_same_however_they_are_written(one: Any, other: Any, same: bool) -> None:
    assert is_same(one, other) is same


@pytest.mark.parametrize(
    ("after", "kept"),
    [
        (BOUND, True),
        ({**BOUND, "currency": BOUND["amount"]}, True),
        ({"amount": {**BOUND["amount"], "inputs": {"order": "order_id", "user": "user"}}}, True),
        ({}, False),
        ({"amount": {**BOUND["amount"], "inputs": {}}}, False),
        ({"amount": {**BOUND["amount"], "output": "most"}}, False),
    ],
)
def test_a_binding_may_only_get_tighter(after: dict[str, Any], kept: bool) -> None:
    assert keeps_bindings(BOUND, after) is kept


@pytest.mark.parametrize("bound", [[], {"x": {}}, {"amount": {**BOUND["amount"], "output": 1}},
                                   {"amount": {**BOUND["amount"], "inputs": {"order": "nothing"}}}])  # fmt: skip
def test_what_binds_nothing_is_refused(bound: Any) -> None:
    assert list(find_binding_faults(bound, {"amount": {}, "order_id": {}}))
    assert not list(find_binding_faults(BOUND, {"amount": {}, "order_id": {}}))
