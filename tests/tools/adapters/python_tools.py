"""Functions as an installation would offer them to agents, some of them badly behaved."""

from __future__ import annotations

import threading
from decimal import Decimal
from subprocess import run  # a function that is here, but not from here
from typing import Any

from agentops.errors import AdapterError, OutcomeUnknown, Permanent, PolicyDenied, Transient
from tools.calls import CallContext

__all__ = ["run"]

RELEASED = threading.Event()
STARTED: list[str] = []
KEPT: dict[str, Any] = {}


def add(left: int, right: int = 1) -> dict[str, int]:
    return {"sum": left + right}


def describe(order_id: str, call: CallContext) -> dict[str, str | int]:
    return {
        "order_id": order_id,
        "key": call.key,
        "attempt": call.attempt,
        "principal": f"{call.principal_issuer}|{call.principal_subject}",
        "agent": call.identity_name,
        "traceparent": call.traceparent,
        "tracestate": call.tracestate,
    }


def hang(name: str = "") -> str:
    STARTED.append(name)
    RELEASED.wait(60)
    return name


def keep_changing() -> dict[str, Any]:
    KEPT["a"] = [1]
    return KEPT


def answer(kind: str) -> object:
    values = {
        "nan": float("nan"),
        "decimal": Decimal(1),
        "set": {1},
        "big": 2**60,
        "huge": "x" * 2_000_000,
        "tuple": (1, 2),
        "number-keys": {1: 2},
        "none": None,
    }
    return values[kind]


def fail_with(kind: str) -> None:
    errors: dict[str, BaseException] = {
        "transient": Transient("busy", "try later", retry_after_s=7.0),
        "permanent": Permanent("already_refunded", "refunded yesterday"),
        "unknown": OutcomeUnknown("lost", "the bank did not answer"),
        "base": AdapterError("refused", "no"),
        "denied": PolicyDenied("denied", "by somebody"),
        "bug": KeyError("password=hunter2"),
        "connection": ConnectionResetError("reset"),
        "exit": SystemExit(3),
    }
    raise errors[kind]


def read_back(call: CallContext) -> dict[str, str]:
    match call.principal_subject:
        case "executed":
            return {"recorded": call.key}
        case "not-executed":
            raise Permanent("not_executed", "never seen")
        case "refused":
            raise Permanent("forbidden", "not yours to ask")
        case "busy":
            raise Transient("busy", "try later")
    raise RuntimeError


async def asynchronous() -> None: ...


def _private() -> None: ...


class NotAFunction:
    """A class can be called too, but is no tool."""


Alias = NotAFunction
