"""Specs and calls for tests of the execution path; what a test does not care about is filled in."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import UUID

from agentops.engine.breaker import BreakerSettings
from tools.calls import Call, ToolSpec
from tools.standing import Authority

NOBODY = Authority(None, None, UUID(int=0), "null")
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACESTATE = "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"
ANYTHING = {"type": "object"}


def make_spec(**changes: Any) -> ToolSpec:  # Any: fields of several types
    """Return a read tool over HTTP, changed as told; its digest covers the changes."""
    fields: dict[str, Any] = {
        "id": UUID(int=1),
        "tool_id": UUID(int=2),
        "name": "get_order",
        "version": 1,
        "description": "Looks an order up.",
        "input_schema": ANYTHING,
        "output_schema": None,
        "effect": "read",
        "idempotency": "none",
        "timeout_s": 5.0,
        "max_attempts": 3,
        "backoff_base_s": 0.5,
        "backoff_cap_s": 30.0,
        "breaker": BreakerSettings(),
        "on_breaker_open": "halt",
        "on_unknown": "wait",
        "adapter": "http",
        "config": {},
        "dedupe_on": (),
        "dedupe_window_s": 0.0,
        **changes,
    }
    digest = hashlib.sha256(json.dumps(fields, default=str, sort_keys=True).encode()).hexdigest()
    return ToolSpec(**{"digest": digest, **fields})


def make_call(
    spec: ToolSpec, arguments: dict[str, Any] | None = None, **changes: Any
) -> Call:  # Any: JSON, and fields of several types
    fields: dict[str, Any] = {
        "key": "run-1:3:get_order:0",
        "attempt": 1,
        "run_id": UUID(int=3),
        "identity_id": UUID(int=4),
        "identity_name": "refunds-agent",
        "principal_issuer": "https://login.example",
        "principal_subject": "ann",
        "traceparent": TRACEPARENT,
        "tracestate": TRACESTATE,
        **changes,
    }
    return Call(spec=spec, arguments=arguments or {}, **fields)
