"""Making the calls. Decision before effect: every attempt is committed first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from agentops.amounts import plain_decimal
from agentops.engine import events as e
from agentops.engine.breaker import Admission, Transition
from agentops.engine.state import CallState
from agentops.errors import ApprovalRequired, ConfirmationRequired, PolicyDenied, StateConflict
from agentops.ledger.store import Cursor
from approvals import gate
from approvals.confirmations.standing import consume_confirmation
from runs.actions.breakers import mirror_transitions, note_breaker_open, note_no_place
from runs.actions.confirming import ask_user
from runs.actions.gating import ask_people
from runs.actions.holding import hold_facts
from runs.actions.outcomes import note_outcome, note_replay
from runs.actions.pinning import Pinned, has_only_drifted, pin_for_attempt
from runs.actions.proposals import assess_proposal, reasons_of, where_of
from runs.actions.refusals import note_denied, note_refused
from runs.evidence import UNREAD_WORDS, USER_WROTE, words_of_void
from runs.guards import CapDemand, Guard
from runs.interruptions import GuardRefused
from runs.journal import Premise
from runs.recalls import Right, watch
from runs.session import Session, utc_now
from runs.slots import at_the_front, waiting_outside
from tools import execution
from tools.assessment import Assessment
from tools.caps import reserve_caps
from tools.dedupe import is_first_of_its_kind
from tools.execution import execute, give_back, leave_place
from tools.outcomes import Outcome
from tools.permits import Permit
from tools.places import Place
from tools.standing import Authority


@dataclass(frozen=True, slots=True)
class Ready:
    """A call that may go out now: assessed, permitted, admitted by its breaker."""

    number: int
    assessment: Assessment
    permit: Permit
    admission: Admission
    told: bool  # the reasons of this very assessment are in the entry before
    place: Place | None  # of a tool with a limit of its own


@cache
def _readers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=32, thread_name_prefix="reads")


def call_tools(session: Session, numbers: Sequence[int]) -> None:
    """Assess again, get permits, ask the breakers, commit the attempts (C2), and only then make them."""
    ready: list[Ready] = []
    try:
        for number in numbers[:1] if session.one_by_one else numbers:
            if (found := make_ready(session, number)) is not None:
                ready.append(found)
        if not ready:
            return
        with at_the_front():
            _commit_attempts(session, ready)
        not_after = session.confirm_lease()  # whoever was stopped meanwhile must not go on to the effect
    except BaseException:
        for item in ready:
            leave_place(item.place)
            give_back(item.assessment.call.spec, item.admission)
        raise
    with waiting_outside():
        outcomes = _execute_all(session, ready, not_after)
    session.read_clock()
    for item, (outcome, _) in zip(ready, outcomes, strict=True):
        note_outcome(session, session.state.call(item.number), item.assessment.call.spec, outcome)
    pairs = zip(ready, outcomes, strict=True)
    mirror_transitions(session, [(item.assessment.call.spec, moved) for item, (_, moved) in pairs if moved])


def _commit_attempts(session: Session, ready: Sequence[Ready]) -> None:
    # In the order of their tools: two runs that take caps of the same tools must not wait for each other.
    ordered = sorted(ready, key=lambda item: item.assessment.call.spec.tool_id)
    for item in ready:
        note_attempt(session, item)
    session.premises = premises_of(ready)
    try:
        session.commit([guard for item in ordered for guard in guards_of(session, item)])
    except GuardRefused:
        session.one_by_one = len(ready) > 1  # together they may ask for more than is left
        raise


def premises_of(ready: Sequence[Ready]) -> list[Premise]:
    """Return what the calls rest on, as the commit of their attempts compares it."""
    return [premise for item in ready if (premise := _premise_of(item.assessment))]


def _premise_of(assessment: Assessment) -> Premise | None:
    call, answer = assessment.call, assessment.answer
    if answer is None:
        return None
    is_unknown = call.spec.effect != "read" and answer.key != call.key
    return Premise(call.spec.tool_id, answer.text, call.key if is_unknown else None)


def make_ready(session: Session, number: int) -> Ready | None:
    """Return the call with its permit and admission, or None after noting why it may not go out."""
    call = session.state.call(number)
    spec = session.version.catalogue[call.tool]
    if call.held_since and not call.attempts and session.state.unread:  # also once it waits for its tool
        note_refused(session, call, USER_WROTE, UNREAD_WORDS)
        return None
    fresh = session.fresh.pop(number, None)
    assessment = fresh or assess_proposal(session, call, spec)
    if assessment.replay is not None:
        note_replay(session, call, assessment)
        return None
    pinned = pin_for_attempt(session, call, assessment)
    permit = _find_permit(session, call, pinned) if pinned else None
    if pinned is None or permit is None:
        return None
    assessment = pinned.bound
    if held := hold_facts(call, assessment, utc_now()):
        told = {**where_of(session, call), **held, **pinned.facts, **session.lookups.take_trail()}
        session.note(e.CALL_HELD, told, pinned.words or None)
        return None
    admission = execution.admit(spec, forced_open=assessment.forced_open)
    if not admission.allowed:
        note_breaker_open(session, call, spec, admission)
        return None
    place = execution.take_place(spec)
    if place is not None and place.retry_at is not None:
        give_back(spec, admission)
        note_no_place(session, call, place.retry_at, local=place.local)
        return None
    return Ready(number, assessment, permit, admission, told=fresh is not None, place=place)


def _find_permit(session: Session, call: CallState, pinned: Pinned) -> Permit | None:
    """Return the right to make the call, or None after noting why there is none, or asking whoever has to say yes."""
    given = UUID(call.confirmation) if call.confirmation else None
    approval = UUID(call.approval) if call.approval else None
    try:
        return gate.require(pinned.bound, approval_id=approval, now=utc_now(), confirmation_id=given)
    except PolicyDenied:
        note_denied(session, call, pinned.plain)
    except ApprovalRequired as error:
        if call.in_doubt:  # a person's denial would come too late for what may have happened
            note_refused(session, call, error.code, error.detail)
        elif isinstance(error, ConfirmationRequired):
            ask_user(session, call, pinned.plain)
        else:
            ask_people(session, call, pinned.plain, pinned if given and pinned.seen else None)
    except StateConflict as error:
        _heed_void(session, call, pinned, error)
    return None


def _heed_void(session: Session, call: CallState, pinned: Pinned, error: StateConflict) -> None:
    """Ask anew where nothing but the target's state has changed; refuse the call otherwise."""
    given = UUID(call.confirmation) if call.confirmation else None
    approval = UUID(call.approval) if call.approval else None
    if (approval or given) and has_only_drifted(pinned, approval, utc_now(), given):
        ask = ask_user if pinned.plain.confirms else ask_people
        ask(session, call, pinned.plain, pinned)
        return
    asked = approval or given
    words = words_of_void(asked) if asked else ""
    note_refused(session, call, error.code, words or error.detail)


def guards_of(session: Session, item: Ready) -> list[Guard]:
    """Return what must hold in the very transaction that commits the attempt."""
    assessment, call = item.assessment, item.assessment.call
    guards: list[Guard] = []
    if assessment.claims:
        claims = assessment.claims
        tool = call.spec.tool_id
        guards.append(CapDemand(tool, lambda cursor: reserve_caps(cursor, call.identity_id, tool, claims)))
    if assessment.dedupe_digest:
        guards.append(lambda cursor: is_first_of_its_kind(cursor, assessment, utc_now()))
    return guards + _confirmation_guard(item) + _approval_guard(item)


def _confirmation_guard(item: Ready) -> list[Guard]:
    given = item.permit.confirmation_id
    if given is None:
        return []
    key, digest = item.assessment.call.key, item.assessment.digest

    def consume(cursor: Cursor) -> bool:
        return consume_confirmation(cursor, confirmation_id=given, digest=digest, key=key, now=utc_now())

    return [consume]


def _approval_guard(item: Ready) -> list[Guard]:
    approval = item.permit.approval_id
    if approval is None:
        return []
    key, digest = item.assessment.call.key, item.assessment.digest

    def consume(cursor: Cursor) -> bool:
        return gate.consume(cursor, approval_id=approval, digest=digest, key=key, now=utc_now())

    return [consume]


def note_attempt(session: Session, item: Ready) -> None:
    """Note that a call goes out, with all that the attempt rests on."""
    call, assessment = session.state.call(item.number), item.assessment
    facts = {
        **where_of(session, call),
        "attempt": assessment.call.attempt,
        "key": assessment.call.key,
        "effect": assessment.call.spec.effect,
        "permit": item.permit.reference,
        "claims": [[claim.window, plain_decimal(claim.amount)] for claim in assessment.claims],
        "dedupe": assessment.dedupe_digest,
        "breaker": item.admission.state,
        "local_breaker": item.admission.local,
        **session.lookups.take_trail(),
    }
    if item.place is not None:
        facts["local_place"] = item.place.local
    if not item.told:
        facts |= {"decision": assessment.verdict, "reasons": reasons_of(assessment)}
    session.note(e.ATTEMPT_STARTED, facts)


def _execute_all(
    session: Session, ready: Sequence[Ready], not_after: float
) -> list[tuple[Outcome, Transition | None]]:
    by = session.authority  # may be read from the database, and readers are many
    first, *others = ready  # a write is alone
    # With the context of this thread, so that what they log is of the run's trace.
    futures = [_readers().submit(copy_context().run, _execute, item, by, math.inf) for item in others]
    # The driver's own thread would only wait, and all runs of the process share the readers: a read that queues
    # behind other runs' takes of its own run's working time.
    made = _execute(first, by, not_after)
    return [made, *(future.result() for future in futures)]


def _execute(item: Ready, by: Authority, not_after: float) -> tuple[Outcome, Transition | None]:
    """Make one attempt, which is called back if the right to it goes meanwhile."""
    call = item.assessment.call
    with watch().over(Right(call.run_id, call.identity_id, call.spec.tool_id, by)) as recall:
        return execute(
            item.assessment, item.permit, item.admission, not_after=not_after, recall=recall, place=item.place
        )
