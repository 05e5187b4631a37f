"""What to do after an attempt that did not succeed, as a value.

The clock and the dice stay outside: the driver draws the jitter, records it and passes it in, so that a
replay decides the same. Backoff is "full jitter" (Brooker, AWS Architecture Blog, 2015).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Effect = Literal["read", "reversible", "irreversible"]
Idempotency = Literal["honours_key", "read_back", "none"]

RETRY_AFTER_LIMIT_S = 300.0  # a server may not put a run to sleep for longer than a breaker would
LARGEST_EXPONENT = 60  # keeps 2**n inside a float, whatever attempt count is configured


@dataclass(frozen=True, slots=True)
class Retry:
    """Call again under the same key after `delay_s` seconds."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Ask the tool, after `delay_s` seconds, what became of the key."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Park:
    """Leave the call to a person: nothing more can be learnt without risking a second effect."""

    code: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """End the call as failed; it surely had no effect."""

    code: str


RetryDecision = Retry | ReadBack | Park | GiveUp


def decide_retry(
    *,
    effect: Effect,
    idempotency: Idempotency,
    attempt: int,
    max_attempts: int,
    outcome_status: Literal["failed", "unknown"],
    retryable: bool,
    jitter: float,
    base_s: float,
    cap_s: float,
    retry_after_s: float | None = None,
    retry_budget_left: bool = True,
    in_doubt: bool = False,
    read_backs: int = 0,
    rest_s: float = 0.0,
) -> RetryDecision:
    """Decide what follows attempt number `attempt` (from 1), which ended `failed` or `unknown`.

    `jitter` is in [0, 1). `in_doubt`: an earlier attempt under this key ended unknown and no read-back has
    settled it; a later refusal (an expired credential, a 429) then proves nothing about the earlier one.
    `read_backs` counts those already made. `rest_s`: for so long the attempt may still be on its way; the tool is
    asked no earlier, whatever the limit of a Retry-After. Raises ValueError for a jitter or an attempt out of range.
    """
    if not 0 <= jitter < 1 or attempt < 1:
        raise ValueError(f"jitter {jitter} must be in [0, 1) and attempt {attempt} at least 1")
    refusal = _refuse_retry(retryable, attempt, max_attempts, retry_budget_left)
    if effect == "read" or (outcome_status == "failed" and not in_doubt):
        return GiveUp(refusal) if refusal else Retry(_delay(jitter, attempt, base_s, cap_s, retry_after_s))
    if idempotency == "honours_key" and not refusal:
        return Retry(_delay(jitter, attempt, base_s, cap_s, retry_after_s))
    if idempotency == "read_back" and read_backs < max_attempts:
        # Never at once: a request whose reply was lost may still be on its way to the tool, and an answer
        # "no such key" given too early would be taken as leave to repeat it.
        delay_s = _delay(0.5 + jitter / 2, read_backs + 1, base_s, cap_s, retry_after_s)
        return ReadBack(max(delay_s, rest_s))
    return Park("cannot_be_repeated" if idempotency == "none" else "still_unknown")


def wants_retry(
    *,
    effect: Effect,
    idempotency: Idempotency,
    attempt: int,
    max_attempts: int,
    outcome_status: str,
    retryable: bool,
) -> bool:
    """Return whether another attempt is what follows, if the retry budget has room for it."""
    if outcome_status == "succeeded" or _refuse_retry(retryable, attempt, max_attempts, True):
        return False
    return effect == "read" or outcome_status == "failed" or idempotency == "honours_key"


def _refuse_retry(retryable: bool, attempt: int, max_attempts: int, retry_budget_left: bool) -> str:
    """Return why another attempt is out of the question, or an empty string."""
    if not retryable:
        return "permanent"
    if attempt >= max_attempts:
        return "attempts_exhausted"
    return "" if retry_budget_left else "retry_budget_exhausted"


def _delay(jitter: float, attempt: int, base_s: float, cap_s: float, retry_after_s: float | None) -> float:
    ceiling = min(cap_s, base_s * 2.0 ** min(attempt - 1, LARGEST_EXPONENT))
    return max(jitter * ceiling, min(retry_after_s or 0.0, RETRY_AFTER_LIMIT_S))
