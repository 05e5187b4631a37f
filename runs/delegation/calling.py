"""Making the calls of a step, those that give another agent a task among them: each child is started with its attempt.

The attempt, the child and the note that the call waits for it are one transaction. So a driver that dies leaves a
child that its parent knows, or none; and another driver finds the call still to be made.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from agentops.database import is_unreachable
from agentops.engine import events as e
from agentops.engine.decide import LOST_AUTHORITY
from agentops.engine.state import Limits
from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from runs.actions import executing
from runs.actions.executing import Ready
from runs.actions.proposals import where_of
from runs.actions.refusals import note_refused
from runs.delegation.receiving import Brought
from runs.delegation.starting import Handed, start_child
from runs.delegation.tasks import write_evidence
from runs.models import Run
from runs.session import Session
from runs.telemetry.places import TOOL
from tools.calls import Call
from tools.credentials.inside import mint_hop
from tools.delegation import ADAPTER, read_terms
from tools.execution import give_back, leave_place
from tools.permits import check_permit, use_permit

logger = logging.getLogger(__name__)

OUTSIDE = "an agent outside gives no tasks to agents of the house; start a run of that agent instead"


def call_tools(session: Session, numbers: Sequence[int]) -> None:
    """Give the first task of a step to another agent; or, where there is none, make its calls.

    One at a time: what becomes of it may settle what the others are for.
    """
    task = next((number for number in numbers if _is_task(session, number)), None)
    if task is None:
        executing.call_tools(session, numbers)
    else:
        _delegate(session, task)


def _is_task(session: Session, number: int) -> bool:
    return session.version.catalogue[session.state.call(number).tool].adapter == ADAPTER


def _delegate(session: Session, number: int) -> None:
    ready = executing.make_ready(session, number)
    if ready is None:
        return
    try:
        _start(session, ready)
    finally:  # the breaker is asked, for an operator may have forced it open; no child says anything about it
        leave_place(ready.place)
        give_back(ready.assessment.call.spec, ready.admission)


def _start(session: Session, ready: Ready) -> None:
    call, planned = session.state.call(ready.number), ready.assessment.call
    if session.state.is_external:
        note_refused(session, call, "outside_agent", OUTSIDE)
        return
    check_permit(ready.permit, ready.assessment)
    terms = read_terms(planned.spec.name, planned.spec.config)
    evidence = write_evidence(session, planned.arguments)
    place = where_of(session, call)
    token = _mint(planned)
    if token is None:
        note_refused(session, call, "token_unavailable", "the call's token could not be signed")
        return
    brought = Brought(token, planned.spec.name, planned.key)
    trace = session.context.traceparent_of(TOOL, planned.key, planned.attempt)
    handed = Handed(place["step"], place["call"], terms, brought, planned.arguments, evidence, trace)
    try:
        with session.orm_write() as write:
            child, share = start_child(session.context.run_id, session.state, handed)
            _note_child(session, ready, child, share)
            session.premises = executing.premises_of([ready])
            write(executing.guards_of(session, ready))
        # Only now: what was undone may be tried again. That a call has one child is the database's to see.
        use_permit(ready.permit, ready.assessment)
    except (PolicyDenied, StateConflict, ValidationFailed) as refusal:
        # Of the agent that was to be called; words that mean the run's own would end the run.
        code = "agent_stopped" if refusal.code in LOST_AUTHORITY else refusal.code
        note_refused(session, call, code, refusal.detail)


def _mint(call: Call) -> str | None:
    """Return the token of this call for the agent that it calls, None where none could be signed.

    An empty one where there is no such agent: nobody takes that.
    """
    try:
        hop = mint_hop(call)
    except Exception as error:  # a key that cannot be unsealed will not come back by trying again
        if is_unreachable(error):
            raise
        logger.error("no token for %s: %s", call.spec.name, type(error).__name__)
        return None
    return "" if hop is None else hop.token


def _note_child(session: Session, ready: Ready, child: Run, share: Limits) -> None:
    executing.note_attempt(session, ready)
    session.note(
        e.CALL_DELEGATED,
        {
            **where_of(session, session.state.call(ready.number)),
            "child": str(child.pk),
            "identity": str(child.identity_id),
            "share": {**share._asdict(), "usd": str(share.usd)},
        },
    )
