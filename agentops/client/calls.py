"""A request as data, and whether it may be sent once more."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import SystemRandom
from typing import Any
from urllib.parse import quote

import httpx2

from agentops.client.errors import ApiError

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 60.0
IN_BETWEEN = (502, 503, 504)  # what a proxy says of a server that is away for a moment

_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation. Under its `key` it has one effect, however often it is sent."""

    method: str
    address: str
    query: Mapping[str, Any] = field(default_factory=dict)  # Any: what a URL can hold
    headers: Mapping[str, str | None] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None  # Any: JSON
    key: str | None = None

    @staticmethod
    def path(template: str, *values: object) -> str:
        """Return an address with its parameters in place."""
        parts = template.split("{")
        filled = (
            quote(str(value), safe="") + part.partition("}")[2]
            for value, part in zip(values, parts[1:], strict=True)
        )
        return parts[0] + "".join(filled)

    @property
    def is_repeatable(self) -> bool:
        """Whether sending it twice does no more than sending it once."""
        return self.method == "GET" or self.key is not None

    def asked(self) -> dict[str, str]:
        """Return the query; what is None is left out."""
        given = {name: value for name, value in self.query.items() if value is not None}
        return {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in given.items()
        }

    def said(self) -> dict[str, str]:
        """Return the headers of its own."""
        given = {**self.headers, "Idempotency-Key": self.key}
        return {
            "Accept": "application/json",
            **{name: value for name, value in given.items() if value is not None},
        }


def new_key() -> str:
    """Return an idempotency key that nobody has used."""
    return secrets.token_urlsafe(18)


def pause_before_next(call: Call, failures: int, problem: ApiError | httpx2.TransportError) -> float | None:
    """Return after how many seconds to send a call once more; None: it is not to be repeated."""
    if isinstance(problem, ApiError):
        passes = problem.status in IN_BETWEEN and call.is_repeatable
        if not (passes or problem.status == 429 or problem.code == "idempotency_key_in_flight"):
            return None
        if problem.retry_after is not None:
            return problem.retry_after if problem.retry_after <= LONGEST_PAUSE_S else None
    elif not (call.is_repeatable or isinstance(problem, httpx2.ConnectError)):
        return None
    pause: float = min(FIRST_PAUSE_S * 2**failures, LONGEST_PAUSE_S)
    return pause * _random.uniform(0.5, 1.5)
