"""What a call that waits for people would be with other arguments: asked beside its driver, and nothing is written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from agentops.database import borrowed
from agentops.engine.state import CallState
from agentops.errors import StateConflict
from agentops.ledger.store import read_head
from approvals.history import Edit
from approvals.models import ApprovalRequest
from approvals.services import read_evidence
from runs import lease_rows
from runs.actions.editing import note_edit
from runs.actions.proposals import assess_proposal
from runs.session import Guard, Session, read_state
from tools.assessment import Assessment

NOBODY = UUID(int=0)


class Onlooker(Session):
    """A session without a lease: it sees what a driver would, may look things up, and writes nothing."""

    def confirm_lease(self) -> float:
        """Let a lookup go out: it has no effect that a second driver could double."""
        return math.inf

    def commit(self, guards: Sequence[Guard] = ()) -> None:
        """Refuse."""
        raise NotImplementedError("who only looks writes nothing")


def reassess(request: ApprovalRequest, arguments: dict[str, Any]) -> Assessment:  # Any: JSON
    """Return the assessment of a call that waits, as it would be with these arguments.

    Raises StateConflict for a call that cannot be edited, saying what to do instead.
    """
    session = _look_in(UUID(request.subject_ref))
    call = _find_call(session, request)
    shown = (read_evidence(request) or {}).get("arguments", {})
    content = {"arguments": arguments, "before": shown, "by": "", "reason": ""}
    note_edit(session, call, Edit(request.pk, NOBODY, "", {}, content))
    return assess_proposal(session, session.state.call(call.number), session.version.catalogue[call.tool])


def _look_in(run: UUID) -> Onlooker:
    with borrowed() as connection, connection.cursor() as cursor:
        context = lease_rows.read_context(cursor, run)
        head, state = read_head(cursor, run), read_state(cursor, run)
    if state.seq != head.seq:
        raise StateConflict("stream_busy", "the run is being written to this moment: look again")
    return Onlooker(context, 0, state, head)


def _find_call(session: Session, request: ApprovalRequest) -> CallState:
    found = [call for call in session.state.waiting_calls if call.approval == str(request.pk)]
    if not found or session.state.has_ended:
        raise StateConflict("not_awaited", "the run waits for this no more: look at it again")
    if session.context.undoes_id is not None:
        raise StateConflict(
            "is_an_undo", "an undo puts back what was there, nothing else: approve it or deny it"
        )
    if found[0].attempts:
        raise StateConflict("tried_already", "it was tried once with these arguments: approve it or deny it")
    return found[0]
