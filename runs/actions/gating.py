"""Calls that wait for people: putting them before people, and heeding what was decided."""

from __future__ import annotations

from uuid import UUID

from agentops.engine import events as e
from agentops.engine.state import CallState
from approvals import gate
from approvals.history import read_edit
from approvals.services import ASKED_ANEW, request_approval
from runs import admission, evidence
from runs.actions.confirming import heed_users, tell_confirmed
from runs.actions.editing import edited_from, note_edit, note_question
from runs.actions.pinning import Pinned, pin_for_people
from runs.actions.proposals import terms_of, where_of
from runs.actions.refusals import give_caps_back, note_refused
from runs.actions.subjects import subject_of
from runs.authority import heed_standing
from runs.changesets import applying
from runs.forks.plans import NOBODY, NOT_MADE
from runs.lookups.previewing import CHANGED
from runs.lookups.resolving import content_of
from runs.projection import REVIEW_CAPACITY
from runs.session import Session, utc_now
from tools.assessment import Assessment

CROWDED = (
    "a person has to decide about this, and people have more before them than they can decide in an hour;"
    " nothing was done: call again later"
)
REFUSALS = {
    "denied": "denied_by_human",
    "expired": "approval_expired",
    "unrecorded": "approval_not_recorded",
    "edited": "approval_not_recorded",
}


def ask_people(
    session: Session, call: CallState, assessment: Assessment, pinned: Pinned | None = None
) -> None:
    """Put the call before people: the request and the note that the run waits stand or fall together.

    ``pinned`` is what it changes, where that was read just now.
    """
    if session.is_dry:  # a read that went out unasked a moment ago would wait for people now
        note_refused(session, call, NOT_MADE, NOBODY)
        return
    if session.applying is not None:
        applying.adopt_approval(session, call, assessment, pinned)
        return
    session.commit()  # what has happened so far is evidence
    if session.state.unread:  # the user's last words, which the model had not read when it proposed this
        note_refused(session, call, "approval_voided", evidence.UNREAD_WORDS)
        return
    # What people have edited, or approved before its target changed, has had its place before them already.
    is_new = not call.edited and pinned is None
    if session.state.is_external and is_new and admission.is_crowded(session.context.team_id):
        note_refused(session, call, REVIEW_CAPACITY, CROWDED)
        return
    pinned = pinned or pin_for_people(session, call, assessment)
    if pinned is None:
        return
    bound, words = pinned.bound, pinned.words
    shown, edit_of = (
        evidence.collect(session, call, bound) | words | tell_confirmed(call),
        edited_from(session, call),
    )
    with session.orm_write() as write:
        request = request_approval(
            assessment=bound, subject=subject_of(session), evidence=shown, now=utc_now(), edit_of=edit_of,
            voids_as=CHANGED if pinned.has_changed else ASKED_ANEW,
        )  # fmt: skip
        facts = {**terms_of(session, call, bound), "approval": str(request.id), **pinned.facts}
        facts["expires_at"] = request.expires_at.isoformat()
        session.note(e.CALL_GATED, facts, {**(content_of(session, call.number) or {}), **words} or None)
        write([])


def heed_decisions(session: Session) -> None:
    """Note what people have decided about the calls that wait for them, and about whoever waits."""
    if session.state.waits_for_people and not session.state.has_ended:
        heed_standing(session)
    heed_users(session)
    waiting = {UUID(call.approval): call for call in session.state.calls if call.status == "waiting"}
    if not waiting or session.state.has_ended:  # its end has withdrawn them
        return
    for approval, verdict in gate.read_verdicts(list(waiting)).items():
        _heed(session, waiting[approval], approval, verdict)


def _heed(session: Session, call: CallState, approval: UUID, verdict: str) -> None:
    facts = {**where_of(session, call), "approval": str(approval), "verdict": verdict}
    if verdict == "approved":
        session.note(e.APPROVAL_GRANTED, facts)
    elif verdict == "asked":
        note_question(session, call, approval)
    elif verdict == "edited" and not session.state.unread and (edit := read_edit(approval)):
        note_edit(session, call, edit)
    else:
        # Who edited has not seen what the user wrote since.
        is_late = verdict == "edited" and session.state.unread
        code = "approval_voided" if is_late else REFUSALS.get(verdict, "approval_voided")
        detail = evidence.UNREAD_WORDS if is_late else evidence.refusal_words(approval, code)
        facts["code"] = code
        session.note(e.APPROVAL_REFUSED, facts, {"detail": detail}, give_caps_back(session, call))
