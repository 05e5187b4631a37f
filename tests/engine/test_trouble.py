from __future__ import annotations

from typing import Any

import pytest

from agentops.engine import events as e
from agentops.engine.state import CallState
from agentops.engine.trouble import JITTER_UNITS, decide_follow_up

CALL = CallState(1, "refund", "d", effect="reversible", idempotency="honours_key", attempts=1, max_attempts=3)
FAILED = {"status": "failed", "retryable": True, "jitter": JITTER_UNITS // 2}
UNKNOWN = {**FAILED, "status": "unknown"}


@pytest.mark.parametrize(
    ("call", "inputs", "kind", "follow"),
    [
        ({}, FAILED, e.ATTEMPT_FAILED, {"delay_ms": 250}),
        ({}, {**FAILED, "retry_after_ms": 700}, e.ATTEMPT_FAILED, {"delay_ms": 700}),
        ({}, {**FAILED, "retryable": False}, e.CALL_FAILED, {}),
        ({}, {**FAILED, "retry_budget": "exhausted"}, e.CALL_FAILED, {}),
        ({"attempts": 3}, FAILED, e.CALL_FAILED, {}),
        ({}, UNKNOWN, e.CALL_UNKNOWN, {"then": "retry", "delay_ms": 250}),
        ({"in_doubt": True}, FAILED, e.CALL_UNKNOWN, {"then": "retry", "delay_ms": 250}),
        ({"in_doubt": True}, {**FAILED, "read_back": True}, e.ATTEMPT_FAILED, {"delay_ms": 250}),
        ({"in_doubt": True, "attempts": 3}, FAILED, e.CALL_UNKNOWN, {"then": "park", "delay_ms": 0}),
        ({"idempotency": "none"}, UNKNOWN, e.CALL_UNKNOWN, {"then": "park", "delay_ms": 0}),
        ({"idempotency": "read_back"}, UNKNOWN, e.CALL_UNKNOWN, {"then": "read_back", "delay_ms": 375}),
        (
            {"idempotency": "read_back"},
            {**UNKNOWN, "rest_ms": 5_000},
            e.CALL_UNKNOWN,
            {"then": "read_back", "delay_ms": 5_000},
        ),
        ({"effect": "read"}, UNKNOWN | {"status": "failed"}, e.ATTEMPT_FAILED, {"delay_ms": 250}),
    ],
)
def test_what_follows(
    call: dict[str, Any], inputs: dict[str, Any], kind: str, follow: dict[str, object]
) -> None:
    assert decide_follow_up(CALL._replace(**call), inputs) == (kind, follow)
