"""What became of an attempt, and what follows from it."""

from __future__ import annotations

import random
from math import ceil
from typing import Any

from agentops.engine import events as e
from agentops.engine.decide import LOST
from agentops.engine.retry import RETRY_AFTER_LIMIT_S
from agentops.engine.state import CallState
from agentops.engine.trouble import JITTER_UNITS, decide_follow_up
from runs import evidence
from runs.actions.proposals import call_of, key_of, read_arguments, where_of
from runs.actions.refusals import give_caps_back
from runs.parts import keep_parts
from runs.session import Session
from runs.slots import waiting_outside
from runs.sources import JUDGED
from runs.window import ERASED
from tools import execution
from tools.assessment import Assessment
from tools.calls import ToolSpec
from tools.outcomes import Outcome, Status

# Between two questions to an agent that works on a task, by how often it was asked: what takes long is asked rarely.
FIRST_POLL_S, LONGEST_POLL_S = 1.0, 60.0


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
    if outcome.receipt:
        facts["receipt"] = outcome.receipt
    if outcome.remote:
        _note_awaited(session, call, outcome, facts)
        return
    if outcome.status == "succeeded":
        content = {"value": outcome.value, **({"has_blocks": True} if outcome.has_blocks else {})}
        facts |= evidence.size_of(outcome.value, session.state.engine)
        session.note(e.CALL_SUCCEEDED, facts, content, keep_parts(session, outcome.parts))
        return
    _note_trouble(session, call, outcome, facts, rest_s)


def _note_awaited(
    session: Session, call: CallState, outcome: Outcome, facts: dict[str, Any]
) -> None:  # Any: JSON
    """Note that an agent elsewhere works on it, and when it is asked again: not all that wait at the same moment."""
    usual_s = min(LONGEST_POLL_S, FIRST_POLL_S * 2 ** min(call.polls, 10))
    wish_s = min(outcome.retry_after_s or 0.0, RETRY_AFTER_LIMIT_S)
    delay_s = max(usual_s, wish_s) * random.uniform(0.75, 1.25)  # noqa: S311  spreads questions, keeps no secret
    awaited = {**facts, "remote": outcome.remote, "delay_ms": round(delay_s * 1000)}
    session.note(e.CALL_AWAITED, awaited, {"detail": outcome.detail})


def _note_trouble(
    session: Session, call: CallState, outcome: Outcome, facts: dict[str, Any], rest_s: float
) -> None:
    content = {"detail": outcome.detail, "value": outcome.value}
    facts = {**facts, **_inputs_of(outcome, rest_s)}
    kind, follow = decide_follow_up(call, facts)
    if kind == e.CALL_FAILED:
        ended = {**facts, "size": len(outcome.detail)}
        session.note(kind, ended, content, give_caps_back(session, call))
    else:
        session.note(kind, {**facts, **follow}, content)


def _inputs_of(outcome: Outcome, rest_s: float) -> dict[str, Any]:
    """Return, as facts, all that the decision rests on and the state does not know: a replay decides it again."""
    inputs: dict[str, Any] = {
        "status": outcome.status,
        "retryable": outcome.retryable,
        "jitter": random.randrange(JITTER_UNITS),  # noqa: S311  spreads retries, keeps no secret
    }
    if outcome.retry_after_s is not None:
        # In this order what is no number counts as nothing.
        wish_s = max(0.0, min(outcome.retry_after_s, RETRY_AFTER_LIMIT_S))
        inputs["retry_after_ms"] = round(wish_s * 1000)
    if rest_s:
        inputs["rest_ms"] = ceil(rest_s * 1000)
    if not outcome.retry_budget_left:
        inputs["retry_budget"] = "exhausted"
    return inputs


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
    asked = call_of(session, call, spec, read_arguments(session, call, spec))
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
    known = session.entry(seen.outcome_seq) if seen and seen.outcome_seq else None
    recorded = known.content if known else None
    # An erased outcome stays erased: with a null in its place the model would take it for the tool's answer.
    kept = {name: recorded[name] for name in ("value", "has_blocks") if name in recorded} if recorded else {}
    content = kept if "value" in kept else None
    facts = {
        **where_of(session, call),
        "attempt": call.attempts,
        "code": "replayed",
        "replayed": True,
        "latency_ms": 0,
        **evidence.size_of(content["value"] if content else ERASED, session.state.engine),
        # Said again, an answer is believed no more than it was.
        **{name: known.facts[name] for name in JUDGED if known and name in known.facts},
    }
    session.note(e.CALL_SUCCEEDED, facts, content)
