"""What an adapter is: the last piece of the path, which carries a permitted call to the tool."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from tools.calls import Call
from tools.outcomes import JSON, NEVER_ASKED, Outcome, doubt, succeed
from tools.schemas import OUTPUT_LIMIT_BYTES, validate_output

NOT_EXECUTED = "not_executed"


@dataclass(frozen=True, slots=True)
class AdapterOptions:
    """What an installation decides about its adapters.

    `python_modules`: modules (with what lies below them) whose functions may be tools. `python_threads`: how
    many of them run at once in a process. `mcp_commands`: servers of tools that may be started here, as (name,
    what the operator says of it: see `tools.commands`). `added`: further adapters as (name, dotted path of the class).
    """

    python_modules: tuple[str, ...] = ()
    python_threads: int = 64
    mcp_commands: tuple[tuple[str, Any], ...] = ()  # Any: JSON
    added: tuple[tuple[str, str], ...] = ()


class Adapter(Protocol):
    """Carry calls to one kind of tool. Built once per process from its options; thread-safe."""

    def __init__(self, options: AdapterOptions) -> None: ...

    def invoke(self, call: Call, *, timeout_s: float, not_after: float = math.inf) -> Outcome:
        """Make one attempt, within `timeout_s` in total. Raises nothing: whatever happens is an outcome.

        After `not_after`, on the clock that `agentops.clock` reads, nothing is started: look right before the first
        byte is sent.
        """
        ...

    def read_back(self, call: Call, *, timeout_s: float) -> Outcome | None:
        """Ask the tool what became of the call's key; None if it cannot be asked.

        `failed` with code `not_executed` is the tool's word that the key had no effect and that none is on
        its way; any other failure proves nothing, and counts as `unknown`.
        """
        ...

    def check_config(self, config: Mapping[str, Any]) -> list[str]:
        """Return what has to be put right in a tool's configuration, as remedies; empty if nothing."""
        ...


def accept_value(call: Call, value: JSON, limit_bytes: int = OUTPUT_LIMIT_BYTES) -> Outcome:
    """Return a success with a result that keeps its promises, or say that the answer is garbage.

    An effect whose answer is garbage has probably happened: `unknown`. Asking again would bring the same.
    """
    problems = validate_output(call.spec, value, limit_bytes)
    if not problems:
        return succeed(value)
    wrong = "; ".join(f"{problem.path or 'the result'} {problem.message}" for problem in problems[:3])
    detail = f"The tool's answer is not what it promised: {wrong}"
    return doubt(call.spec.effect, "bad_output", detail, retryable=False)


def settle_read_back(answer: Outcome) -> Outcome:
    """Return a read-back's answer, as `unknown` unless it says clearly what became of the effect.

    That the question failed proves nothing about the effect it asked about.
    """
    if answer.status == "succeeded":
        return answer
    if answer.code == NOT_EXECUTED:
        return replace(answer, status="failed", retryable=True)
    return replace(answer, status="unknown")


def settle_poll(call: Call, answer: Outcome | None) -> Outcome:
    """Return what an agent elsewhere says of its task; that it could not be asked proves nothing: it is asked again."""
    if answer is not None and (answer.remote or answer.status == "succeeded"):
        return answer
    if answer is None or answer.code in NEVER_ASKED or answer.code == "tool_error":
        detail = answer.detail if answer else "It cannot be asked."
        return replace(
            doubt("irreversible", "remote_unreachable", detail, retryable=False), remote=call.remote
        )
    return answer


def measure(attempt: Callable[[], Outcome]) -> Outcome:
    """Return the attempt's outcome with the milliseconds that it took."""
    started = time.monotonic()
    outcome = attempt()
    return replace(outcome, latency_ms=round((time.monotonic() - started) * 1000))
