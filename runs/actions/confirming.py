"""Calls that the end user has to confirm: asking them through the application, and heeding what they said."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone

from agentops.engine import events as e
from agentops.engine.state import CallState
from approvals.confirmations.answering import read_refusal
from approvals.confirmations.asking import request_confirmation
from approvals.confirmations.standing import read_answers
from approvals.models import Confirmation
from approvals.services import void_request
from runs import evidence
from runs.actions.pinning import Pinned, pin_for_people
from runs.actions.proposals import terms_of, where_of
from runs.actions.refusals import give_caps_back, note_refused
from runs.actions.subjects import subject_of
from runs.lookups.previewing import CHANGED
from runs.lookups.resolving import content_of
from runs.session import Session, utc_now
from tools.assessment import Assessment

NOBODY_TO_CONFIRM = (
    "the user has to confirm this through the application that they use, and this run was started by none;"
    " it does not run"
)
CODES = {
    "refused": "denied_by_user",
    "expired": "confirmation_expired",
    "unrecorded": "confirmation_not_recorded",
}
DETAILS = {
    "confirmation_expired": "the user did not confirm this in time",
    "confirmation_not_recorded": "nobody's confirmation of this is on the record",
    "confirmation_voided": evidence.UNREAD_WORDS,
}


def ask_user(session: Session, call: CallState, assessment: Assessment, pinned: Pinned | None = None) -> None:
    """Ask the end user: the question and the note that the run waits stand or fall together.

    ``pinned`` is what it changes, where that was read just now. Whatever people had approved of it is void.
    """
    session.commit()
    if session.state.unread:  # the user's last words, which the model had not read when it proposed this
        note_refused(session, call, "confirmation_voided", evidence.UNREAD_WORDS)
        return
    if session.context.application_id is None:
        note_refused(session, call, "nobody_to_confirm", NOBODY_TO_CONFIRM)
        return
    pinned = pinned or pin_for_people(session, call, assessment)
    if pinned is None:
        return
    bound, words = pinned.bound, pinned.words
    with session.orm_write() as write:
        now = utc_now()
        if call.approval:
            void_request(UUID(call.approval), code=CHANGED, now=now)
        asked = request_confirmation(
            assessment=bound, subject=subject_of(session), shown=_show(session, bound, words), now=now
        )
        facts = {**terms_of(session, call, bound), "confirmation": str(asked.pk), **pinned.facts}
        facts["expires_at"] = asked.expires_at.isoformat()
        content = {**(content_of(session, call.number) or {}), **words} or None
        session.note(e.CONFIRMATION_REQUESTED, facts, content)
        write([])


def _show(session: Session, assessment: Assessment, words: dict[str, Any]) -> dict[str, Any]:  # Any: JSON
    """Return what the application shows its user: the action in plain words, exactly, and what it changes."""
    spec, arguments = assessment.call.spec, assessment.call.arguments
    return {
        "agent": session.context.identity_name,
        "statement": evidence.describe_call(spec.statement, spec.name, arguments),
        "tool": spec.name,
        "arguments": arguments,
        **words,
    }


def heed_users(session: Session) -> None:
    """Note what end users have said about the calls that wait for them."""
    waiting = {UUID(call.confirmation): call for call in session.state.calls if call.status == "confirming"}
    if not waiting or session.state.has_ended:  # its end has withdrawn them
        return
    for asked, state in read_answers(list(waiting)).items():
        _heed(session, waiting[asked], asked, state)


def _heed(session: Session, call: CallState, asked: UUID, state: str) -> None:
    facts = {**where_of(session, call), "confirmation": str(asked)}
    if state == "confirmed":
        proof = Confirmation.objects.values_list("proof", flat=True).get(pk=asked)
        session.note(e.CONFIRMATION_GIVEN, {**facts, "proof": proof})
        return
    code = CODES.get(state, "confirmation_voided")
    detail = DETAILS.get(code) or _tell_refusal(asked)
    told = {**facts, "code": code}
    session.note(e.CONFIRMATION_REFUSED, told, {"detail": detail}, give_caps_back(session, call))


def _tell_refusal(asked: UUID) -> str:
    words = read_refusal(asked)
    return f"the user does not want this: {words}" if words else "the user does not want this"


def tell_confirmed(call: CallState) -> dict[str, Any]:  # Any: JSON
    """Return, for those who approve, that the end user has confirmed this very call, and how that is known."""
    if not call.confirmation:
        return {}
    given = Confirmation.objects.get(pk=UUID(call.confirmation))
    at = given.decided_at or timezone.now()
    return {"confirmed": {"at": at.isoformat(), "proof": given.proof, "how": given.get_proof_display()}}
