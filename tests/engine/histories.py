"""Short histories written by hand: (kind, facts) with the numbers and times filled in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from agentops.engine import events as e
from agentops.engine.events import Event
from tests.engine.world import START

Written = tuple[str, dict[str, Any]]  # Any: JSON

TERMS: dict[str, Any] = {
    "tool_version": "v1",
    "effect": "reversible",
    "idempotency": "none",
    "max_attempts": 3,
    "backoff_base_ms": 500,
    "backoff_cap_ms": 30_000,
    "on_unknown": "wait",
    "on_breaker_open": "halt",
}
RUN: dict[str, Any] = {
    "limits": {"steps": 1_000, "tokens": 1_000_000, "usd": "100", "seconds": 90},
    "shared": [],
    "expires_at": (START + timedelta(hours=1)).isoformat(),
    "repeat_limit": 0,
    "size": 20,
}


def history(*written: Written, **changes: Any) -> list[Event]:
    """Return a run's events, one second apart; ``changes`` are to its start."""
    listed = [(e.RUN_STARTED, {**RUN, **changes}), *written]
    return [
        Event(number, kind, facts, START + timedelta(seconds=number - 1))
        for number, (kind, facts) in enumerate(listed, start=1)
    ]


def requested(step: int, attempt: int = 1) -> Written:
    reserved = {"reserved_tokens": 900, "reserved_usd": "0.01"}
    return e.MODEL_REQUESTED, {"step": step, "attempt": attempt, **reserved}


def decided(step: int, calls: int = 1, *, final: bool = False, tool: str = "refund") -> Written:
    """Return a decision for some calls that differ from one another and from those of other steps."""
    listed = [
        {"call": number, "tool": tool, "args_digest": f"{step}.{number}", "problem": None}
        for number in range(1, 0 if final else calls + 1)
    ]
    return e.STEP_DECIDED, {
        "step": step,
        "calls": listed,
        "final": final,
        "tokens": 100,
        "usd": "0.001",
        "size": 30,
    }


def asked(step: int, call: int = 1) -> Written:
    return e.CALL_ASKED, {"step": step, "call": call, "action": "input"}
