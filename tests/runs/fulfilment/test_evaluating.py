"""Checks against what happened: a table, and the guards without which it would be another one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runs.fulfilment import evaluating
from runs.fulfilment.declared import read_tasks
from runs.fulfilment.evaluating import Happened, Made, is_same, judge
from tests.rewriting import rewrite

ORDER_A = Made("get_order", 2, 4, {"id": "A-1"}, {"id": "A-1", "total": "50.00", "lines": [{"sku": "k"}]})
ORDER_B = Made("get_order", 2, 5, {"id": "B-2"}, {"id": "B-2", "total": "9.00"})
REFUND = Made("refund", 6, 8, {"order_id": "A-1", "amount": 50, "user": "customer-1"}, {"done": True})
WELL = Happened(
    "completed", "You get 50.00 back.", ["Money back for order A-1, please"], "customer-1", [ORDER_A, REFUND]
)


def passes(check: Any, happened: Happened = WELL) -> bool:
    [task] = read_tasks([{"name": "refund", "fulfilled_when": [check]}])
    [verdict] = judge(task, happened)
    return verdict.passed


def refunded(*conditions: Any, **more: Any) -> dict[str, Any]:
    return {"called": "refund", "times": 1, "with": list(conditions), **more}


def at(pointer: str, **told: Any) -> dict[str, Any]:
    return {"at": pointer, **told}


def of_order(pointer: str, there: str, part: str = "answer") -> dict[str, Any]:
    return at(pointer, same_as={"call": "get_order", "in": part, "at": there})


FOR_ORDER = refunded(of_order("/order_id", "/id"), of_order("/amount", "/total"))


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ({"called": "refund"}, True),
        ({"called": "refund", "times": 0}, False),
        ({"called": "refund", "times": 2}, False),
        ({"called": "refund", "times": {"at_most": 1}}, True),
        ({"called": "refund", "times": {"at_least": 2}}, False),
        ({"called": "delete_account", "times": 0}, True),
        ({"called": "delete_account"}, False),
        ({"called": "refund", "after": "get_order"}, True),
        ({"called": "get_order", "after": "refund"}, False),
        (refunded(at("/order_id", **{"is": "A-1"})), True),
        (refunded(at("/order_id", **{"is": "a-1"})), False),
        (refunded(at("/amount", **{"is": "50.0"})), True),
        (refunded(at("/amount", **{"is": 50.01})), False),
        (refunded(at("/nothing", **{"is": None})), False),  # what is not there is not null
        (refunded(at("/order_id", **{"from": "words"})), True),
        (refunded(at("/amount", **{"from": "words"})), False),
        (refunded(at("/user", **{"from": "principal"})), True),
        (refunded(at("/order_id", **{"from": "principal"})), False),
        (FOR_ORDER, True),
        (refunded(of_order("/order_id", "/id", "arguments")), True),
        (refunded(of_order("/order_id", "/lines/0/sku")), False),
        (refunded(of_order("/nothing", "/nothing")), False),
        ({"ended": ["completed"]}, True),
        ({"ended": ["halted", "failed"]}, False),
        ({"answer": {}}, True),
        ({"answer": {"contains": ["50.00 BACK"]}}, True),
        ({"answer": {"contains": ["sorry"]}}, False),
        ({"answer": {"lacks": ["Back"]}}, False),
        ({"answer": {"most_characters": 19}}, True),
        ({"answer": {"most_characters": 18}}, False),
    ],
    ids=str,
)
def test_a_run_that_went_well(check: Any, expected: bool) -> None:
    assert passes(check) is expected


def test_no_answer_is_none() -> None:
    assert not passes({"answer": {}}, replace(WELL, answer=" \n"))


def test_another_orders_amount_is_not_its_own() -> None:
    """Two orders were read: the sum of one does not make the refund of the other right."""
    wrong = replace(REFUND, arguments={"order_id": "A-1", "amount": "9.00"})
    assert not passes(FOR_ORDER, replace(WELL, calls=[ORDER_A, ORDER_B, wrong]))
    assert passes(FOR_ORDER, replace(WELL, calls=[ORDER_A, ORDER_B, REFUND]))


def test_what_was_answered_later_was_not_read_before() -> None:
    late = replace(ORDER_A, answered=7)
    assert not passes(FOR_ORDER, replace(WELL, calls=[REFUND, late]))
    assert not passes({"called": "refund", "after": "get_order"}, replace(WELL, calls=[REFUND, late]))


def test_a_second_refund_is_one_too_many() -> None:
    twice = replace(WELL, calls=[ORDER_A, REFUND, replace(REFUND, decided=9, answered=11)])
    assert not passes(FOR_ORDER, twice)
    assert not passes({"called": "refund", "times": {"at_most": 1}}, twice)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (50, 50.0, True),
        (50, "50.00", True),
        ("50", "50.0", False),
        ("0012", "12", False),
        (12, "0012", True),
        (1, True, False),
        (0, False, False),
        (0, None, False),
        (None, None, True),
        (True, True, True),
        ("A", "a", False),
        (5, "five", False),
        (5, "NaN", False),
        ([1], [1], True),
        ({"a": 1}, {"a": 2}, False),
    ],
)
def test_what_is_the_same(one: Any, other: Any, expected: bool) -> None:
    assert is_same(one, other) is is_same(other, one) is expected


@pytest.mark.parametrize(
    ("words", "value", "expected"),
    [
        ("order a-1!", "A-1", True),
        ("order A-12", "A-1", False),
        ("XA-1", "A-1", False),
        ("A.1", "A-1", False),
        ("take 50 off", 50, True),
        ("take 500 off", 50, False),
        ("anything", "", False),
        ("True", True, False),
        ("a", ["a"], False),
    ],
)
def test_what_words_name(words: str, value: Any, expected: bool) -> None:
    named = replace(REFUND, arguments={"order_id": value})
    check = refunded(at("/order_id", **{"from": "words"}))
    assert passes(check, replace(WELL, words=["Hello.", words], calls=[named])) is expected


def test_the_sentences_say_what_was_asked_for_and_found_and_quote_nothing() -> None:
    [task] = read_tasks(
        [
            {
                "name": "refund",
                "fulfilled_when": [FOR_ORDER, {"ended": ["completed"]}, {"answer": {"lacks": ["x"]}}],
            }
        ]
    )
    gone = replace(WELL, state="halted", answer="", calls=[])
    assert [verdict.said for verdict in judge(task, gone)] == [
        "refund with /order_id as get_order answered at /id, /amount as get_order answered at /total is carried out"
        " exactly once; it was not",
        "it ends as completed; it ended as halted",
        "it gives an answer without “x”; it gave none",
    ]
    assert "A-1" not in str(judge(task, WELL))


# --- without the guards -------------------------------------------------------------------------------------------


def test_without_one_call_for_all_values_two_orders_would_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite(
        monkeypatch,
        evaluating,
        "_is_as_others",
        "any(each.tool == tool and all(_is_as(call, one, each) for one in conditions) for each in known)",
        "all(any(each.tool == tool and _is_as(call, one, each) for each in known) for one in conditions)",
    )
    with pytest.raises(AssertionError):
        test_another_orders_amount_is_not_its_own()


def test_without_the_order_of_entries_a_later_look_would_do(monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite(monkeypatch, evaluating, "_fits", "if each.answered < call.decided", "")
    with pytest.raises(AssertionError):
        test_what_was_answered_later_was_not_read_before()
