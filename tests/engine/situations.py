"""What a run has come to, in a few words, and what the engine decides then."""

from __future__ import annotations

from datetime import timedelta

from agentops.engine import events as e
from agentops.engine.commands import Command
from agentops.engine.decide import next_command
from agentops.engine.fold import fold_all
from tests.engine.histories import TERMS, Written, decided, history, requested
from tests.engine.world import LIFE, START

BEGUN = [requested(1), decided(1, calls=2)]
WHERE = {"step": 1, "call": 1}


def allowed(call: int = 1, **changes: object) -> Written:
    return e.CALL_ALLOWED, {"step": 1, "call": call, **TERMS, **changes}


def gated(call: int = 1, **changes: object) -> Written:
    request = {"approval": f"a{call}", "expires_at": LIFE_ENDS}
    return e.CALL_GATED, {"step": 1, "call": call, **TERMS, **request, **changes}


def refused(call: int = 1, code: str = "no_grant") -> Written:
    return e.CALL_REFUSED, {"step": 1, "call": call, "code": code}


def started(call: int = 1, attempt: int = 1) -> Written:
    return e.ATTEMPT_STARTED, {"step": 1, "call": call, "attempt": attempt, "claims": []}


def succeeded(call: int = 1) -> Written:
    return e.CALL_SUCCEEDED, {"step": 1, "call": call, "code": "ok"}


def unknown(then: str, call: int = 1, delay_ms: int = 0) -> Written:
    return e.CALL_UNKNOWN, {"step": 1, "call": call, "code": "lost", "then": then, "delay_ms": delay_ms}


def failed(delay_ms: int, call: int = 1) -> Written:
    return e.ATTEMPT_FAILED, {"step": 1, "call": call, "code": "busy", "delay_ms": delay_ms}


def model_failed(code: str = "busy", *, retryable: bool = True, delay_ms: int = 0) -> Written:
    charge = {"tokens": 0, "usd": "0"}
    return e.MODEL_FAILED, {"step": 1, "code": code, "retryable": retryable, "delay_ms": delay_ms, **charge}


def deferred(seconds: float, call: int = 1) -> Written:
    retry_at = (START + timedelta(seconds=seconds)).isoformat()
    return e.CALL_DEFERRED, {"step": 1, "call": call, "code": "circuit_open", "retry_at": retry_at}


def command_after(*written: Written, **changes: object) -> Command:
    """Return what comes next right after a history; ``changes`` are to its start."""
    events = history(*written, **changes)
    return next_command(fold_all(events), events[-1].at)


LIFE_ENDS = (START + LIFE).isoformat()
PARKED: list[Written] = [allowed(), started(), unknown("park"), (e.CALL_PARKED, WHERE)]
IN_DOUBT: list[Written] = [allowed(idempotency="honours_key"), started(), unknown("retry")]
READ: dict[str, object] = {"effect": "read"}
HALT = "run.halted"
