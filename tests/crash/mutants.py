"""The safeguards that ``mutant_worker`` takes out of a worker, one at a time.

A campaign against such a worker has to fail, or it proves nothing about the real one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from agentops.clock import lease_clock_s
from agentops.database import Prepared
from agentops.engine import commands as c
from agentops.engine import events as e
from agentops.engine import trouble
from agentops.engine.retry import Park, RetryDecision, decide_retry
from runs import driver
from runs.append_statements import APPENDS
from runs.delegation import calling
from runs.guards import Guard
from runs.leases import Leases
from runs.session import Session
from tools import assessment
from tools.adapters.http import request

FOREVER_S = 3600.0
FENCE = "AND lease_epoch = w.epoch"


def forget_starts() -> None:
    """Write nothing before an effect: its attempt is recorded with its outcome."""
    commit = Session.commit

    def commit_later(session: Session, guards: Sequence[Guard] = ()) -> None:
        if any(draft.kind == e.ATTEMPT_STARTED for draft, _ in session.pending[-1:]):
            return
        commit(session, guards)

    Session.commit = commit_later  # type: ignore[assignment, method-assign]  # the mutation


def open_the_fence() -> None:
    """Let a driver write without holding the lease."""
    for key, statement in APPENDS.items():
        if statement.sql.count(FENCE) != 1:
            raise RuntimeError(f"{key} has not one fence to open")
        APPENDS[key] = Prepared(statement.sql.replace(FENCE, ""))
    Leases.until = lambda *_: lease_clock_s() + FOREVER_S  # type: ignore[method-assign]  # the mutation


def park_every_doubt() -> None:
    """Leave every unknown outcome to a person, also where the tool honours keys and can be called again."""

    def decide_anxiously(**facts: Any) -> RetryDecision:  # Any: whatever is decided upon
        is_unknown = facts["outcome_status"] == "unknown"
        return Park("cannot_be_repeated") if is_unknown else decide_retry(**facts)

    trouble.decide_retry = decide_anxiously  # type: ignore[attr-defined]  # the mutation


def forget_keys() -> None:
    """Send every attempt under a key of its own."""
    headers = request.call_headers
    request.call_headers = lambda call: headers(replace(call, key=f"{call.key}:{call.attempt}"))


def forget_undone() -> None:
    """Assess a compensation without asking whether its effect was undone already."""
    assessment._digest_alike = lambda _call: ""  # type: ignore[assignment]  # the mutation


def call_in_forks() -> None:
    """Make the calls of a fork like those of any other run."""
    driver._EFFECTS[c.CallTools] = lambda session, command: calling.call_tools(session, command.calls)


MUTANTS: dict[str, Callable[[], None]] = {
    "forget_starts": forget_starts,
    "open_the_fence": open_the_fence,
    "park_every_doubt": park_every_doubt,
    "forget_keys": forget_keys,
    "forget_undone": forget_undone,
    "call_in_forks": call_in_forks,
}
