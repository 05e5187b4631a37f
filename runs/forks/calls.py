"""The calls of a fork: answered as they were in the recording, or not made, with what policy would say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from agentops.engine import events as e
from agentops.engine.events import BUILT_IN_TOOLS
from agentops.engine.state import CallState
from agentops.ledger.store import StoredEntry
from runs import planning
from runs.actions.assessing import assess_calls as assess_as_ever
from runs.actions.meaning import meant_of
from runs.actions.proposals import call_of, reasons_of, said_of, terms_of, where_of
from runs.actions.refusals import note_refused
from runs.decided import find_undecided
from runs.forks.plans import NOBODY, NOT_MADE, Fork
from runs.forks.policy import change_terms
from runs.forks.recorded import Place, member
from runs.forks.turns import read_recalled
from runs.session import Session, utc_now
from runs.sources import JUDGED
from tools.assessment import Assessment, assess, refuse
from tools.bindings import CODE
from tools.calls import ToolSpec
from tools.delegation import ADAPTER

WOULD = {
    "ALLOW": "policy would have let it go out",
    "REQUIRE_APPROVAL": "a person would have been asked",
}
LOOKED_UP = "what it means would have been looked up with another tool, which a fork does not ask"
_OF_TERMS = (
    "tool", "tool_version", "effect", "idempotency", "max_attempts", "backoff_base_ms", "backoff_cap_ms", "on_unknown",
    "on_breaker_open", "decision", "reasons", "grant", "digest", "join", "resolved",
)  # fmt: skip


def assess_calls(session: Session, fork: Fork, numbers: Sequence[int]) -> None:
    """Note for each call what was decided about it then, or would be now; nobody is asked."""
    taken = read_recalled(session)
    for number in numbers:
        call = session.state.call(number)
        spec = session.version.catalogue.get(call.tool)
        place = find_place(session, fork, call, taken)
        if call.tool in session.version.built_in and not call.problem and not planning.is_declaring(session):
            taken |= _answer_for_people(session, fork, call, place)
        elif call.problem or spec is None or planning.is_declaring(session):
            # There is no such tool, or it is the run's own: nobody is called.
            assess_as_ever(session, (number,))
        elif place and not _is_changed(session, fork, call):
            taken |= _recall_terms(session, fork, call, place)
        else:
            _assess_now(session, fork, call, spec, place)


def find_place(session: Session, fork: Fork, call: CallState, taken: set[int]) -> Place | None:
    """Return where the recording knows what became of a call: in the same place, or for a like one not yet recalled."""
    step = session.state.step_of(call.number)
    if step < fork.step:
        return Place(step, call.number)
    for place in fork.recorded.find_calls(call.tool, call.args_digest):
        entry = fork.recorded.outcomes.get(place) or fork.recorded.answers[place]
        if entry.seq not in taken and place.step >= fork.step:
            return place
    return None


def _is_changed(session: Session, fork: Fork, call: CallState) -> bool:
    return session.state.step_of(call.number) >= fork.step and call.tool in fork.terms


def _answer_for_people(session: Session, fork: Fork, call: CallState, place: Place | None) -> set[int]:
    """Let the user answer a question as they did then; a new one is answered by nobody."""
    asked = fork.recorded.questions.get(place) if place else None
    said = fork.recorded.answers.get(place) if place else None
    if asked is None or said is None:
        refused = fork.recorded.outcomes.get(place) if place else None
        if refused is not None:  # a question without words was one then
            return _recall_refusal(session, call, refused)
        note_refused(session, call, NOT_MADE, NOBODY, recalled=0)
        return set()
    where, action = where_of(session, call), BUILT_IN_TOOLS[call.tool]
    session.note(e.CALL_ASKED, {**where, "action": action, "recalled": asked.seq}, asked.content)
    session.note(e.INPUT_RECEIVED, {**where, "size": said.facts["size"], "recalled": said.seq}, said.content)
    return {said.seq}


def _recall_terms(session: Session, fork: Fork, call: CallState, place: Place) -> set[int]:
    """Note under which terms a call was let through then, or why it was not."""
    terms, outcome = fork.recorded.terms.get(place), fork.recorded.outcomes[place]
    if terms is None:
        return _recall_refusal(session, call, outcome)
    kept = {name: terms.facts[name] for name in _OF_TERMS if name in terms.facts}
    resolutions = member(terms, "resolutions")
    content = {"resolutions": resolutions} if resolutions else None
    session.note(e.CALL_ALLOWED, {**where_of(session, call), **kept, "recalled": terms.seq}, content)
    return {outcome.seq}


def _recall_refusal(session: Session, call: CallState, outcome: StoredEntry) -> set[int]:
    told: dict[str, Any] = {
        name: outcome.facts[name] for name in ("decision", "reasons") if name in outcome.facts
    }
    candidates = member(outcome, "candidates")
    words: dict[str, Any] = {"candidates": candidates} if candidates else {}
    detail = str(member(outcome, "detail") or "")
    note_refused(session, call, outcome.facts["code"], detail, words, recalled=outcome.seq, **told)
    return {outcome.seq}


def _assess_now(session: Session, fork: Fork, call: CallState, spec: ToolSpec, place: Place | None) -> None:
    """Note what policy would say of a call now, with the changed terms; of one that it would deny, the refusal."""
    if spec.resolvers:
        note_refused(session, call, NOT_MADE, LOOKED_UP, recalled=0)
        return
    assessment = judge(session, fork, call, spec)
    is_made = place is None and may_be_made(fork, spec, assessment.verdict)
    marked: dict[str, Any] = {} if is_made else {"recalled": 0}
    if assessment.verdict == "DENY":
        told: dict[str, Any] = {"reasons": reasons_of(assessment), "decision": "DENY"}
        note_refused(session, call, assessment.decision.code, assessment.detail, recalled=0, **told)
    else:
        session.note(e.CALL_ALLOWED, {**terms_of(session, call, assessment), **marked})


def judge(session: Session, fork: Fork, call: CallState, spec: ToolSpec) -> Assessment:
    """Assess a call as of now, under the changed terms. What the recorded run has done counts as not done."""
    planned = call_of(session, call, spec, said_of(session, call))
    if undecided := find_undecided(session, spec, planned.arguments):
        return refuse(planned, CODE, undecided, "tool")
    plain = assess(planned, by=session.authority, now=utc_now(), meant=lambda: meant_of(session, call, spec))
    if plain.answer is None:  # it was not looked at by whose authority: it cannot be read
        return plain
    known = replace(change_terms(plain.answer, fork.terms.get(spec.name)), seen=())
    return assess(
        planned, by=session.authority, now=utc_now(), known=known, meant=lambda: meant_of(session, call, spec)
    )


def may_be_made(fork: Fork, spec: ToolSpec, verdict: str) -> bool:
    """Return whether a call of a fork really goes out: it only reads, it was asked for, and nobody has to be asked.

    Under terms that are only tried out nothing is called, and another agent may do whatever it likes with a task.
    """
    is_read = spec.effect == "read" and spec.adapter != ADAPTER
    return fork.call_reads and is_read and verdict == "ALLOW" and spec.name not in fork.terms


def answer_calls(session: Session, fork: Fork, numbers: Sequence[int]) -> list[int]:
    """Answer calls from the recording, and note of the others that they are not made; return those that are to be."""
    taken = read_recalled(session)
    made = []
    for number in numbers:
        call = session.state.call(number)
        place = find_place(session, fork, call, taken)
        outcome = fork.recorded.outcomes.get(place) if place else None
        verdict = _verdict_of(session, call)
        if outcome is not None and outcome.kind == e.CALL_REFUSED and _is_changed(session, fork, call):
            outcome = None  # other terms refused it then
        if outcome is not None:
            taken.add(outcome.seq)
            _recall_outcome(session, call, outcome, verdict)
        elif may_be_made(fork, session.version.catalogue[call.tool], verdict):
            made.append(number)
        else:
            would = WOULD.get(verdict, "")
            note_refused(session, call, NOT_MADE, f"a fork makes no calls; {would}", recalled=0)
    return made


def _verdict_of(session: Session, call: CallState) -> str:
    """Return what policy said of a call that was let through, as this drive has noted it or the ledger has it."""
    where = where_of(session, call)
    for draft, _ in reversed(session.pending):
        if draft.kind == e.CALL_ALLOWED and where.items() <= draft.facts.items():
            return str(draft.facts["decision"])
    return session.read_decision(**where)


def _recall_outcome(session: Session, call: CallState, outcome: StoredEntry, verdict: str) -> None:
    """Note what became of a call then. What a person refused then is refused, also where none would be asked now."""
    if outcome.kind not in (e.CALL_SUCCEEDED, e.CALL_FAILED):
        _recall_refusal(session, call, outcome)
        return
    names = ("code", "size", "length", "receipt", *JUDGED)
    kept = {name: outcome.facts[name] for name in names if name in outcome.facts}
    facts = {**where_of(session, call), **kept, "latency_ms": 0, "recalled": outcome.seq}
    session.note(outcome.kind, facts, outcome.content)
