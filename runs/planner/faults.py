"""Which failure a provider's refusal or silence is: one table, for every fault on the wire."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal

from runs.planner.answers import Charge, PlannerFailure

MAX_RETRY_AFTER_S = 300.0

ExchangeFault = Literal["unreachable", "timed_out", "lost", "too_large", "encoded"]

# Error codes that may be quoted. Everything else in an error body can echo the prompt or the key.
_QUOTABLE_CODES = frozenset(
    {
        "billing_hard_limit_reached",
        "content_filter",
        "content_policy_violation",
        "context_length_exceeded",
        "insufficient_quota",
        "invalid_api_key",
        "invalid_function_parameters",
        "invalid_request_error",
        "model_not_found",
        "rate_limit_exceeded",
        "server_error",
        "string_above_max_length",
        "unsupported_parameter",
        "unsupported_value",
    }
)

# Refusals without work done. Other 5xx may come from a gateway behind which the model did run, and 408 is
# what some gateways (LiteLLM) answer when the model behind them took too long.
_UNCHARGED_5XX = frozenset({501, 503, 529})

_EXCHANGE_FAILURES: Mapping[ExchangeFault, tuple[str, str, bool]] = {
    "unreachable": ("planner_unreachable", "no connection to the provider", True),
    "timed_out": ("planner_timeout", "no complete answer in time", True),
    "lost": ("planner_connection_lost", "the connection ended before the answer did", True),
    # A server that ignores the completion limit, or what we accept, will do so again.
    "too_large": ("planner_answer_too_large", "the answer is larger than 4 MiB", False),
    "encoded": ("planner_invalid_answer", "the answer is compressed although we ask for none", False),
}


def status_failure(status: int, headers: Mapping[str, str], error_code: object = None) -> PlannerFailure:
    """Return the failure that an HTTP status stands for.

    `headers` has lower-case names (or ignores case); `error_code` is the provider's own, quoted only when it
    is a known one.
    """
    code, retryable = _classify_status(status)
    quoted = error_code if isinstance(error_code, str) and error_code in _QUOTABLE_CODES else ""
    return PlannerFailure(
        code=code,
        detail=f"HTTP {status} {quoted}".rstrip(),
        retryable=retryable,
        retry_after_s=read_retry_after(headers, time.time()) if retryable else None,
        charge=_status_charge(status),
    )


def exchange_failure(fault: ExchangeFault, *, sent: bool) -> PlannerFailure:
    """Return the failure of an exchange without a usable response; `sent`: a byte of the request has left."""
    code, detail, retryable = _EXCHANGE_FAILURES[fault]
    return PlannerFailure(code, detail, retryable, None, "estimated" if sent else "none")


def read_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the wait that the provider asks for, in seconds from 0 to 300, or None.

    Takes `retry-after-ms`, and `Retry-After` as seconds or HTTP-date (RFC 9110, section 10.2.3); `now` is
    Unix time.
    """
    waits = (
        _number(headers.get("retry-after-ms"), 0.001),
        _number(headers.get("retry-after"), 1.0),
        _until(headers.get("retry-after"), now),
    )
    return next((min(wait, MAX_RETRY_AFTER_S) for wait in waits if wait is not None), None)


def _classify_status(status: int) -> tuple[str, bool]:
    if status in (401, 403, 407):
        return "planner_unauthorised", False
    if status == 429:
        return "planner_rate_limited", True
    if status in (408, 409) or status >= 500:
        return "planner_unavailable", True
    return "planner_rejected", False


def _status_charge(status: int) -> Charge:
    if status == 408 or (status >= 500 and status not in _UNCHARGED_5XX):
        return "estimated"
    return "none"


def _number(text: str | None, unit_s: float) -> float | None:
    try:
        wait = float(text or "") * unit_s
    except ValueError:
        return None
    return wait if math.isfinite(wait) and wait >= 0 else None


def _until(text: str | None, now: float) -> float | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except (ValueError, OverflowError):
        return None
    # HTTP-dates are GMT; a date without a zone would otherwise be read in the zone of this machine.
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now)
