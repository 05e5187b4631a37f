"""The calls of a case: assessed by the real policy, answered as the case says. No tool is called, nobody is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from agentops.database import borrowed
from agentops.engine import events as e
from agentops.engine.state import CallState
from runs import evidence, planning
from runs.actions.assessing import assess_calls as assess_as_ever
from runs.actions.proposals import proposal, reasons_of, said_of, terms_of, where_of
from runs.actions.refusals import note_refused
from runs.evaluation.declared import Case, Outcome, People
from runs.evaluation.plans import NOT_SCRIPTED
from runs.forks.calls import judge
from runs.forks.plans import NOT_MADE, Fork
from runs.session import Session
from tools.assessment import Assessment
from tools.calls import ToolSpec

# Policy is asked as a fork asks it, of nothing recorded, and with nothing changed.
LOOKED_UP = "what it means would be looked up with another tool, which is not asked in an evaluation"
MISSED = "the case has no outcome for this call with these arguments"
DENIED = "a person was asked, and said no"
NOBODY = "in an evaluation nobody takes over"
_USED = "SELECT (facts ->> 'scripted')::int FROM ledger_entry WHERE stream = %s AND facts ? 'scripted'"


def assess_calls(session: Session, case: Case, numbers: Sequence[int]) -> None:
    """Note for each call what policy says of it, and of one that people would be asked about what they say."""
    for number in numbers:
        call = session.state.call(number)
        spec = session.version.catalogue.get(call.tool)
        if call.problem or planning.is_declaring(session):
            assess_as_ever(session, (number,))
        elif call.tool in session.version.built_in:
            _answer_for_people(session, case, call)
        elif spec is None:  # there is no such tool, or it is the run's own: nobody is called
            assess_as_ever(session, (number,))
        elif spec.resolvers:
            note_refused(session, call, NOT_SCRIPTED, LOOKED_UP, recalled=0)
        else:
            _assess(session, case, call, spec)


def _assess(session: Session, case: Case, call: CallState, spec: ToolSpec) -> None:
    assessment = judge(session, Fork(session.context.run_id, 1), call, spec)
    told: dict[str, Any] = {"reasons": reasons_of(assessment), "decision": assessment.verdict}
    if assessment.verdict == "DENY":
        note_refused(session, call, assessment.decision.code, assessment.detail, recalled=0, **told)
        return
    asked: dict[str, Any] = {"would_ask": who} if (who := _who_is_asked(assessment)) else {}
    if asked and _what_people_say(session, case, call) == "deny":
        note_refused(session, call, "denied_by_human", DENIED, recalled=0, **told, **asked)
    else:
        session.note(e.CALL_ALLOWED, {**terms_of(session, call, assessment), **asked, "recalled": 0})


def _who_is_asked(assessment: Assessment) -> str:
    if assessment.verdict == "REQUIRE_APPROVAL":
        return "people"
    return "user" if assessment.confirms else ""


def _what_people_say(session: Session, case: Case, call: CallState) -> People:
    found = find_outcome(case, call.tool, said_of(session, call), _read_used(session))
    own = case.outcomes[found].people if found is not None else None
    return own or case.people


def _answer_for_people(session: Session, case: Case, call: CallState) -> None:
    """Let the user answer a question as the case says; to whom it is handed over there is nobody."""
    if call.tool == e.HAND_OVER:
        note_refused(session, call, NOT_MADE, NOBODY, recalled=0, would_ask="people")
        return
    arguments = proposal(session, call.number)["arguments"] or {}
    found = find_outcome(case, call.tool, arguments, _read_used(session))
    if found is None or case.outcomes[found].error:
        note_refused(session, call, NOT_SCRIPTED, MISSED, recalled=0)
        return
    text, where = str(case.outcomes[found].answer), where_of(session, call)
    question = {"question": str(arguments.get("question", ""))}
    action = e.BUILT_IN_TOOLS[call.tool]
    session.note(e.CALL_ASKED, {**where, "action": action, "recalled": 0}, question)
    session.note(
        e.INPUT_RECEIVED, {**where, "size": len(text), "recalled": 0, "scripted": found}, {"text": text}
    )


def answer_calls(session: Session, case: Case, numbers: Sequence[int]) -> list[int]:
    """Answer calls as the case says; return those that are to be made, which is none, whatever it says."""
    for number in numbers:
        call = session.state.call(number)
        found = find_outcome(case, call.tool, said_of(session, call), _read_used(session))
        if found is None:
            note_refused(session, call, NOT_SCRIPTED, MISSED, recalled=0)
        else:
            _note_outcome(session, call, case.outcomes[found], found)
    return []


def _note_outcome(session: Session, call: CallState, outcome: Outcome, number: int) -> None:
    facts = {**where_of(session, call), "latency_ms": 0, "recalled": 0, "scripted": number}
    if outcome.error:
        told = {"detail": outcome.detail, "value": None}
        session.note(e.CALL_FAILED, {**facts, "code": outcome.error, "size": len(outcome.detail)}, told)
    else:
        size = evidence.size_of(outcome.answer, session.state.engine)
        session.note(e.CALL_SUCCEEDED, {**facts, "code": "", **size}, {"value": outcome.answer})


def find_outcome(case: Case, tool: str, arguments: Any, used: Counter[int]) -> int | None:  # Any: JSON
    """Return the place of the first outcome that fits a call and has not been used up; None where there is none."""
    for number, outcome in enumerate(case.outcomes):
        left = outcome.times is None or used[number] < outcome.times
        if left and outcome.fits(tool, arguments):
            return number
    return None


def _read_used(session: Session) -> Counter[int]:
    """Return how often each outcome was used so far, by its place."""
    with borrowed() as connection:
        rows = connection.execute(_USED, (session.context.run_id,)).fetchall()
    pending = [draft.facts["scripted"] for draft, _ in session.pending if "scripted" in draft.facts]
    return Counter([number for (number,) in rows] + pending)
