"""Calling off what is not needed any more: the others of its group have settled what it is for.

Nobody is asked about it any longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from agentops.database import orm_section
from agentops.engine import events as e
from agentops.engine.state import CallState
from agentops.errors import StateConflict
from approvals.confirmations.asking import void_confirmation
from approvals.services import void_request
from identities.models import AgentIdentity
from runs.actions.proposals import where_of
from runs.actions.refusals import note_refused
from runs.models import Run
from runs.services import append_to_run
from runs.session import Session, utc_now
from runs.slots import waiting_outside

NOT_NEEDED = "not_needed"
WHY = "not needed any more: the others of its step have settled it, or too few are left for a quorum"


def call_off(session: Session, numbers: Sequence[int]) -> None:
    """Tell the children to stop, and note so; what has not begun is refused.

    A child is told before that is noted: a driver that dies between the two tells it once more, which changes nothing.
    """
    for number in numbers:
        call = session.state.call(number)
        if call.status != "delegated":
            _withdraw(session, call)
            continue
        with waiting_outside(), orm_section():
            _cancel(session.context.identity_id, UUID(call.child))
        session.note(e.CALLED_OFF, {**where_of(session, call), "child": call.child})
    session.commit()


def _withdraw(session: Session, call: CallState) -> None:
    """Refuse what has not begun; that, and that nobody is asked about it any more, stand or fall together."""
    if not call.approval and not call.confirmation:
        note_refused(session, call, NOT_NEEDED, WHY)
        return
    session.commit()
    with session.orm_write() as write:
        now = utc_now()
        if call.approval:
            void_request(UUID(call.approval), code=NOT_NEEDED, now=now)
        if call.confirmation:
            void_confirmation(UUID(call.confirmation), code=NOT_NEEDED, now=now)
        note_refused(session, call, NOT_NEEDED, WHY)
        write([])


def _cancel(by: UUID, child_id: UUID) -> None:
    child = Run.objects.get(pk=child_id)
    if child.has_ended or child.state == "cancelling":
        return
    try:
        actor = AgentIdentity.objects.get(pk=by)
        append_to_run(actor, child, e.CANCEL_REQUESTED, {}, {"reason": WHY})
    except StateConflict:  # it has just ended by itself, and is heeded as it is
        return
