from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agentops.engine.retry import (
    RETRY_AFTER_LIMIT_S,
    GiveUp,
    Park,
    ReadBack,
    Retry,
    RetryDecision,
    decide_retry,
    wants_retry,
)

DEFAULTS: dict[str, Any] = {  # Any: keyword arguments of several types
    "effect": "irreversible",
    "idempotency": "none",
    "attempt": 1,
    "max_attempts": 3,
    "outcome_status": "failed",
    "retryable": True,
    "jitter": 0.5,
    "base_s": 1.0,
    "cap_s": 10.0,
}


@given(
    effect=st.sampled_from(["read", "reversible", "irreversible"]),
    idempotency=st.sampled_from(["honours_key", "read_back", "none"]),
    attempt=st.integers(1, 5),
    status=st.sampled_from(["failed", "unknown"]),
    retryable=st.booleans(),
)
def test_the_budget_is_asked_exactly_where_another_attempt_would_follow(
    effect: Any, idempotency: Any, attempt: int, status: Any, retryable: bool
) -> None:
    call = {"effect": effect, "idempotency": idempotency, "attempt": attempt, "retryable": retryable}
    follows = isinstance(decide(**call, outcome_status=status), Retry)
    assert wants_retry(**call, max_attempts=3, outcome_status=status) == follows
    assert not wants_retry(**call, max_attempts=3, outcome_status="succeeded")


def decide(**changes: Any) -> RetryDecision:  # Any: as above
    return decide_retry(**{**DEFAULTS, **changes})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # A failed attempt had no effect, whatever the tool declares.
        ({}, Retry(0.5)),
        ({"effect": "read"}, Retry(0.5)),
        ({"retryable": False}, GiveUp("permanent")),
        ({"attempt": 3}, GiveUp("attempts_exhausted")),
        ({"attempt": 7}, GiveUp("attempts_exhausted")),
        ({"retry_budget_left": False}, GiveUp("retry_budget_exhausted")),
        ({"retryable": False, "attempt": 3, "retry_budget_left": False}, GiveUp("permanent")),
        # A read that is lost is only lost.
        ({"effect": "read", "outcome_status": "unknown"}, Retry(0.5)),
        ({"effect": "read", "outcome_status": "unknown", "attempt": 3}, GiveUp("attempts_exhausted")),
        ({"effect": "read", "in_doubt": True, "retryable": False}, GiveUp("permanent")),
        # An effect in doubt.
        ({"outcome_status": "unknown"}, Park("cannot_be_repeated")),
        ({"outcome_status": "unknown", "effect": "reversible"}, Park("cannot_be_repeated")),
        ({"outcome_status": "unknown", "idempotency": "honours_key"}, Retry(0.5)),
        ({"outcome_status": "unknown", "idempotency": "honours_key", "attempt": 3}, Park("still_unknown")),
        (
            {"outcome_status": "unknown", "idempotency": "honours_key", "retryable": False},
            Park("still_unknown"),
        ),
        (
            {"outcome_status": "unknown", "idempotency": "honours_key", "retry_budget_left": False},
            Park("still_unknown"),
        ),
        ({"outcome_status": "unknown", "idempotency": "read_back"}, ReadBack(0.75)),
        ({"outcome_status": "unknown", "idempotency": "read_back", "attempt": 3}, ReadBack(0.75)),
        ({"outcome_status": "unknown", "idempotency": "read_back", "retryable": False}, ReadBack(0.75)),
        ({"outcome_status": "unknown", "idempotency": "read_back", "read_backs": 2}, ReadBack(3.0)),
        ({"outcome_status": "unknown", "idempotency": "read_back", "read_backs": 3}, Park("still_unknown")),
        # A refusal of a later attempt says nothing about the earlier one that was lost.
        ({"in_doubt": True}, Park("cannot_be_repeated")),
        ({"in_doubt": True, "idempotency": "honours_key"}, Retry(0.5)),
        ({"in_doubt": True, "idempotency": "honours_key", "retryable": False}, Park("still_unknown")),
        ({"in_doubt": True, "idempotency": "honours_key", "attempt": 3}, Park("still_unknown")),
        ({"in_doubt": True, "idempotency": "read_back", "retryable": False}, ReadBack(0.75)),
        # Delays: full jitter below min(cap, base * 2^n), or the server's wish if that is longer.
        ({"attempt": 2}, Retry(1.0)),
        ({"attempt": 2, "jitter": 0.0}, Retry(0.0)),
        ({"attempt": 6, "max_attempts": 9}, Retry(5.0)),
        ({"attempt": 5000, "max_attempts": 9999}, Retry(5.0)),
        ({"retry_after_s": 4.0}, Retry(4.0)),
        ({"retry_after_s": 0.1}, Retry(0.5)),
        ({"retry_after_s": 86_400.0}, Retry(RETRY_AFTER_LIMIT_S)),
        ({"retry_after_s": 4.0, "outcome_status": "unknown", "idempotency": "read_back"}, ReadBack(4.0)),
    ],
)
def test_decision(changes: dict[str, Any], expected: RetryDecision) -> None:  # Any: as above
    assert decide(**changes) == expected


@pytest.mark.parametrize(
    "changes", [{"jitter": 1.0}, {"jitter": -0.1}, {"jitter": float("nan")}, {"attempt": 0}]
)
def test_arguments_out_of_range_are_refused(changes: dict[str, Any]) -> None:  # Any: as above
    with pytest.raises(ValueError, match="jitter"):
        decide(**changes)


anything = st.fixed_dictionaries(
    {
        "effect": st.sampled_from(["read", "reversible", "irreversible"]),
        "idempotency": st.sampled_from(["honours_key", "read_back", "none"]),
        "attempt": st.integers(1, 2000),
        "max_attempts": st.integers(1, 2000),
        "outcome_status": st.sampled_from(["failed", "unknown"]),
        "retryable": st.booleans(),
        "jitter": st.floats(0, 1, exclude_max=True),
        "base_s": st.floats(0.001, 100),
        "cap_s": st.floats(0.001, 1000),
        "retry_after_s": st.none() | st.floats(0, 1e9),
        "retry_budget_left": st.booleans(),
        "in_doubt": st.booleans(),
        "read_backs": st.integers(0, 2000),
    }
)


@given(anything)
def test_an_effect_that_may_have_happened_is_repeated_only_under_a_key_that_is_honoured(
    case: dict[str, Any],
) -> None:
    assume(case["effect"] != "read" and (case["outcome_status"] == "unknown" or case["in_doubt"]))
    decision = decide(**case)
    assert not isinstance(decision, GiveUp), "a failure must not be claimed"
    if isinstance(decision, Retry):
        assert case["idempotency"] == "honours_key"
    if isinstance(decision, ReadBack):
        assert case["idempotency"] == "read_back"


@given(anything)
def test_delays_are_bounded(case: dict[str, Any]) -> None:
    decision = decide(**case)
    if isinstance(decision, Retry | ReadBack):
        asked = min(case["retry_after_s"] or 0.0, RETRY_AFTER_LIMIT_S)
        assert asked <= decision.delay_s <= max(case["cap_s"], asked)


@given(anything)
def test_repeating_comes_to_an_end(case: dict[str, Any]) -> None:
    """However unlucky, a call is given up or parked after its attempts and as many read-backs."""
    assert isinstance(decide(**case | {"attempt": 2000, "read_backs": 2000}), GiveUp | Park)


def test_without_budget_or_attempts_a_known_failure_is_never_repeated() -> None:
    for attempt, budget, retryable in product((1, 3), (True, False), (True, False)):
        if attempt == 3 or not budget or not retryable:
            assert isinstance(decide(attempt=attempt, retry_budget_left=budget, retryable=retryable), GiveUp)
