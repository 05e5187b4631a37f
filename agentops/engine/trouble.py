"""What follows an attempt that did not succeed: from its call, and the inputs that its event records.

The driver notes what is decided here, and a replay decides it once more from what was noted.
"""

from __future__ import annotations

from typing import Any, cast

from agentops.engine import events as e
from agentops.engine.retry import (
    Effect,
    GiveUp,
    Idempotency,
    Park,
    ReadBack,
    Retry,
    RetryDecision,
    decide_retry,
)
from agentops.engine.state import CallState

Facts = dict[str, Any]  # Any: JSON
JITTER_UNITS = 1_000_000  # facts hold no floats: jitter is recorded in millionths


def decide_follow_up(call: CallState, inputs: Facts) -> tuple[str, Facts]:
    """Return the kind of the event that tells how the attempt ended, and what it says of what comes next.

    ``inputs`` are facts of that event: status (``failed`` or ``unknown``), retryable, jitter, and where so
    retry_after_ms, rest_ms, retry_budget and read_back.
    """
    # A read-back that found nothing has settled the doubt about earlier attempts.
    in_doubt = call.in_doubt and not inputs.get("read_back", False)
    follow = _decide(call, inputs, in_doubt)
    if isinstance(follow, GiveUp):
        return e.CALL_FAILED, {}
    delay_ms = 0 if isinstance(follow, Park) else round(follow.delay_s * 1000)
    if isinstance(follow, Retry) and inputs["status"] == "failed" and not in_doubt:
        return e.ATTEMPT_FAILED, {"delay_ms": delay_ms}
    return e.CALL_UNKNOWN, {"then": _THEN[type(follow)], "delay_ms": delay_ms}


_THEN: dict[type[RetryDecision], str] = {Retry: "retry", ReadBack: "read_back", Park: "park"}


def _decide(call: CallState, inputs: Facts, in_doubt: bool) -> RetryDecision:
    return decide_retry(
        effect=cast(Effect, call.effect),
        idempotency=cast(Idempotency, call.idempotency),
        attempt=call.attempts,
        max_attempts=call.max_attempts,
        outcome_status=inputs["status"],
        retryable=inputs["retryable"],
        jitter=inputs["jitter"] / JITTER_UNITS,
        base_s=call.backoff_base_s,
        cap_s=call.backoff_cap_s,
        retry_after_s=inputs.get("retry_after_ms", 0) / 1000,
        retry_budget_left="retry_budget" not in inputs,
        in_doubt=in_doubt,
        read_backs=call.read_backs,
        rest_s=inputs.get("rest_ms", 0) / 1000,
    )
