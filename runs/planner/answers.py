"""What comes back from a planner: an answer, or a failure that carries its own retry class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

# Whether a failed turn may have cost something: "estimated" means that the reservation is charged
# in full, because tokens may have been spent and nobody will tell us how many.
Charge = Literal["none", "estimated"]

CallProblem = Literal["malformed_arguments", "malformed_call", "truncated", "invalid_name"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one turn, normalised: parts are contained in their total, never beside it.

    `cached_input_tokens` and `cache_write_tokens` are parts of `input_tokens`;
    `reasoning_tokens` is a part of `output_tokens`. Raises ValueError otherwise.
    """

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int

    def __post_init__(self) -> None:
        parts = (self.cached_input_tokens, self.cache_write_tokens, self.reasoning_tokens)
        if min(self.input_tokens, self.output_tokens, *parts) < 0:
            raise ValueError("token counts cannot be negative")
        if self.cached_input_tokens + self.cache_write_tokens > self.input_tokens:
            raise ValueError("cached tokens exceed the input")
        if self.reasoning_tokens > self.output_tokens:
            raise ValueError("reasoning tokens exceed the output")


@dataclass(frozen=True, slots=True)
class ProposedCall:
    """One tool call that the model proposes.

    `arguments` is None exactly when there is a `problem`, so that a doubtful call cannot be executed
    by accident. `raw_arguments` is what the model wrote, for the trace, cut at the size limit.
    `provider_call_id` is unique within its answer. `problem_detail` holds no model text.
    """

    name: str
    arguments: dict[str, Any] | None  # open JSON
    raw_arguments: str
    provider_call_id: str
    problem: CallProblem | None
    problem_detail: str = ""


@dataclass(frozen=True, slots=True)
class PlannerAnswer:
    """One turn of the model; there is a text, a call or a refusal in it.

    `usage` None means that the provider reported none worth believing: charge the estimate.
    `finish_reason` is the provider's word: "length" and "content_filter" mean an incomplete text.
    `refusal` is None unless the model or its provider refused. `problem` is "too_many_calls" when calls
    beyond the limit were left out.
    """

    text: str
    thought: str
    calls: tuple[ProposedCall, ...]
    usage: Usage | None
    finish_reason: str
    model: str
    response_id: str
    latency_ms: int
    refusal: str | None
    problem: Literal["too_many_calls"] | None = None


@dataclass(frozen=True, slots=True)
class PlannerFailure:
    """A turn that yielded nothing to go on with.

    `detail` is for people and holds neither prompt nor key. `usage` is there when the provider did
    report what the failed turn used; it then replaces the estimate.
    """

    code: str
    detail: str
    retryable: bool
    retry_after_s: float | None
    charge: Charge
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vector of a text, of length one, and what it took.

    `usage` None means that the provider reported none worth believing: charge the estimate.
    """

    vector: tuple[float, ...]
    usage: Usage | None
    model: str
