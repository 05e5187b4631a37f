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
from approvals.edits import Reassessed
from approvals.history import Edit
from approvals.models import ApprovalRequest
from approvals.services import read_evidence
from runs import lease_rows
from runs.actions.editing import note_edit
from runs.actions.pinning import pin_for_people
from runs.actions.proposals import assess_proposal
from runs.folding import read_state
from runs.guards import Guard
from runs.models import ChangeSet
from runs.session import Session

NOBODY = UUID(int=0)


class Onlooker(Session):
    """A session without a lease: it sees what a driver would, may look things up, and writes nothing."""

    def confirm_lease(self) -> float:
        """Let a lookup go out: it has no effect that a second driver could double."""
        return math.inf

    def commit(self, guards: Sequence[Guard] = ()) -> None:
        """Refuse."""
        raise NotImplementedError("who only looks writes nothing")


def reassess(request: ApprovalRequest, arguments: dict[str, Any]) -> Reassessed:  # Any: JSON
    """Return what a call that waits would be with these arguments, and what it would change.

    Raises StateConflict for a call that cannot be edited, saying what to do instead.
    """
    _refuse_staged(request)
    session = _look_in(UUID(request.subject_ref))
    call = _find_call(session, request)
    shown = (read_evidence(request) or {}).get("arguments", {})
    content = {"arguments": arguments, "before": shown, "by": "", "reason": ""}
    note_edit(session, call, Edit(request.pk, NOBODY, "", {}, content))
    edited = session.state.call(call.number)
    assessment = assess_proposal(session, edited, session.version.catalogue[call.tool])
    if assessment.verdict != "REQUIRE_APPROVAL":
        return Reassessed(assessment, lookups=session.lookups.take_trail())
    pinned = pin_for_people(session, edited, assessment)
    if pinned is None:  # that was noted, with what was asked
        return Reassessed(assessment, lookups=_asked(session), is_unseen=True)
    return Reassessed(pinned.bound, pinned.words, session.lookups.take_trail())


def _asked(session: Session) -> dict[str, Any]:  # Any: JSON
    return {"lookups": [told for draft, _ in session.pending for told in draft.facts.get("lookups", ())]}


def _refuse_staged(request: ApprovalRequest) -> None:
    """An item of a change set is changed by the agent: what depends on it is then proposed anew, too."""
    if ChangeSet.objects.filter(pk=request.subject_ref).exists():
        detail = "it is an item of a change set: approve it, deny it, or send the set back with a comment"
        raise StateConflict("is_staged", detail)


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
