"""What became of an attempt, and what follows from it."""

from __future__ import annotations

import random
from typing import Any

from agentops.engine import events as e
from agentops.engine.retry import GiveUp, Park, ReadBack, Retry, decide_retry
from agentops.engine.state import CallState
from runs import evidence
from runs.actions.proposals import call_of, key_of, proposal, where_of
from runs.actions.refusals import give_caps_back
from runs.session import Session
from runs.slots import waiting_outside
from runs.window import ERASED
from tools import execution
from tools.assessment import Assessment
from tools.calls import ToolSpec
from tools.outcomes import Outcome, Status

LOST = "lost"


def note_outcome(
    session: Session,
    call: CallState,
    spec: ToolSpec,
    outcome: Outcome,
    *,
    was_read_back: bool = False,
    rest_s: float = 0.0,
) -> None:
    """Note what became of an attempt, and what follows from it; ``rest_s`` seconds it may still be on its way."""
    facts: dict[str, Any] = {
        **where_of(session, call),
        "attempt": call.attempts,
        "code": outcome.code,
        "latency_ms": outcome.latency_ms,
    }
    if spec.effect != "read":
        facts["key"] = key_of(session, call)
    if was_read_back:
        facts["read_back"] = True
    if outcome.status == "succeeded":
        content = {"value": outcome.value}
        session.note(e.CALL_SUCCEEDED, {**facts, "size": evidence.size_of(outcome.value)}, content)
        return
    _note_trouble(session, call, spec, outcome, facts, rest_s)


def _note_trouble(
    session: Session, call: CallState, spec: ToolSpec, outcome: Outcome, facts: dict[str, Any], rest_s: float
) -> None:
    content = {"detail": outcome.detail, "value": outcome.value}
    in_doubt = call.in_doubt and not facts.get("read_back")
    follow = decide_retry(
        effect=spec.effect,
        idempotency=spec.idempotency,
        attempt=call.attempts,
        max_attempts=spec.max_attempts,
        outcome_status="unknown" if outcome.status == "unknown" else "failed",
        retryable=outcome.retryable,
        jitter=random.random(),  # noqa: S311  recorded as the delay it leads to
        base_s=spec.backoff_base_s,
        cap_s=spec.backoff_cap_s,
        retry_after_s=outcome.retry_after_s,
        retry_budget_left=outcome.retry_budget_left,
        in_doubt=in_doubt,
        read_backs=call.read_backs,
        rest_s=rest_s,
    )
    if not outcome.retry_budget_left:
        facts["retry_budget"] = "exhausted"
    doubtful = outcome.status == "unknown" or in_doubt
    if isinstance(follow, GiveUp):
        facts["size"] = len(outcome.detail)
        session.note(e.CALL_FAILED, facts, content, give_caps_back(session, call))
    elif isinstance(follow, Retry) and not doubtful:
        delay = {"retryable": True, "delay_ms": round(follow.delay_s * 1000)}
        session.note(e.ATTEMPT_FAILED, {**facts, **delay}, content)
    else:
        delay_s = 0.0 if isinstance(follow, Park) else follow.delay_s
        then = {Retry: "retry", ReadBack: "read_back", Park: "park"}[type(follow)]
        session.note(e.CALL_UNKNOWN, {**facts, "then": then, "delay_ms": round(delay_s * 1000)}, content)


def settle_lost_attempt(session: Session, number: int) -> None:
    """An attempt was started and its driver died: for a write nobody knows, for a read nothing is lost."""
    call = session.state.call(number)
    spec = session.version.catalogue[call.tool]
    status: Status = "failed" if spec.effect == "read" else "unknown"
    detail = "the driver died before the outcome was recorded"
    # It may only have been stopped. It starts nothing after the end of its lease, and what it started before has
    # the call's timeout; after that the tool's word that there was no effect can be believed.
    note_outcome(session, call, spec, Outcome(status, LOST, detail, retryable=True), rest_s=spec.timeout_s)


def read_back(session: Session, number: int) -> None:
    """Ask the tool what became of an unknown attempt.

    No policy is asked: a question has no effect, and what has been done has to be known, also of an agent that
    has since been suspended. Another attempt is assessed anew.
    """
    call = session.state.call(number)
    spec = session.version.catalogue[call.tool]
    asked = call_of(session, call, spec, proposal(session, number)["arguments"])
    with waiting_outside():
        answer = execution.read_back(asked)
    session.read_clock()
    if answer is None:
        answer = Outcome("unknown", "no_read_back", f"{spec.name} cannot be asked", retryable=False)
    elif call.code != LOST:  # a driver that died says nothing about the tool
        answer = execution.ask_for_retry(spec, call.attempts, answer)
    note_outcome(session, call, spec, answer, was_read_back=answer.status != "unknown")


def park(session: Session, number: int) -> None:
    """Leave an unknown outcome to a person."""
    session.note(e.CALL_PARKED, where_of(session, session.state.call(number)))


def note_replay(session: Session, call: CallState, assessment: Assessment) -> None:
    """The key is known and its effect succeeded: note the recorded outcome instead of making a second effect."""
    seen = assessment.replay
    recorded = session.content_of(seen.outcome_seq) if seen and seen.outcome_seq else None
    # An erased outcome stays erased: with a null in its place the model would take it for the tool's answer.
    content = {"value": recorded["value"]} if recorded and "value" in recorded else None
    facts = {
        **where_of(session, call),
        "attempt": call.attempts,
        "code": "replayed",
        "replayed": True,
        "latency_ms": 0,
        "size": evidence.size_of(content["value"] if content else ERASED),
    }
    session.note(e.CALL_SUCCEEDED, facts, content)
