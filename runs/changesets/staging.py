"""Staging: a call with an effect becomes an item of the run's change set, and a request to people. Nothing is done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db.models import CharField, QuerySet
from django.db.models.functions import Cast

from agentops.canonical import keyed_digest
from agentops.engine import events as e
from agentops.engine.state import CallState
from agentops.identifiers import new_id, text_of
from approvals.models import ApprovalRequest
from approvals.services import request_approval, tell_requested
from runs import evidence
from runs.actions.pinning import Pinned, pin_for_people
from runs.actions.proposals import proposal, said_of, terms_of
from runs.actions.refusals import note_refused
from runs.actions.subjects import subject_of
from runs.changesets.depending import MOST, find_same, find_targets, read_said
from runs.lookups.resolving import content_of
from runs.models import ChangeItem, ChangeSet
from runs.session import Session, utc_now
from tools.assessment import Assessment

NO_SUCH_ITEM = "depends_on names numbers of items that were staged before this one"
FULL = f"the change set has {MOST} items, and takes no more: give your final answer"
WORSE = ("", "read", "reversible", "irreversible")


def is_staged(session: Session, assessment: Assessment) -> bool:
    """Return whether a call is staged instead of made: all that has an effect, in a run that proposes."""
    return session.state.proposes and assessment.call.spec.effect != "read"


def stage_call(session: Session, call: CallState, assessment: Assessment) -> None:
    """Make the call an item of the change set, with its request to people, or note why it is none."""
    session.commit()  # what has happened so far is evidence
    state = session.state
    spec, said = assessment.call.spec, proposal(session, call.number)["arguments"]
    named = read_said(spec, said, state.staged)
    if state.unread:
        note_refused(session, call, "approval_voided", evidence.UNREAD_WORDS)
    elif state.staged >= MOST:
        note_refused(session, call, "change_set_full", FULL)
    elif named is None:
        note_refused(session, call, "invalid_arguments", NO_SUCH_ITEM)
    elif (pinned := pin_for_people(session, call, assessment)) is not None:
        _stage(session, call, pinned, named)


def _stage(session: Session, call: CallState, pinned: Pinned, named: tuple[int, ...]) -> None:
    bound, number = pinned.bound, session.state.staged + 1
    shown = evidence.collect(session, call, bound) | pinned.words | {"item": number}
    content = {
        **(content_of(session, call.number) or {}),
        **pinned.words,
        "arguments": said_of(session, call),
    }
    targets = find_targets(bound.call.spec, bound.call.arguments)
    with session.orm_write() as write:
        change_set = _open(session)
        depends_on = sorted({*named, *find_same(targets, _read_targets(change_set))})
        subject = replace(subject_of(session), ref=str(change_set.pk))
        request = request_approval(
            assessment=bound, subject=subject, evidence=shown, now=utc_now(), is_draft=True
        )
        facts = {**terms_of(session, call, bound), **pinned.facts, **session.lookups.take_trail()}
        facts |= {"item": number, "change_set": str(change_set.pk), "approval": str(request.pk)}
        facts |= {"depends_on": depends_on, "size": len(str(content["arguments"]))}
        session.note(e.CALL_STAGED, facts, content)
        _keep(session, change_set, call, request, depends_on, targets)
        write([])
    session.drafted = text_of(new_id())  # should this set be sent back, the next has another id


def _open(session: Session) -> ChangeSet:
    context = session.context
    version = ChangeSet.objects.filter(run=context.run_id).exclude(pk=session.change_set).count() + 1
    found, _ = ChangeSet.objects.get_or_create(
        pk=session.change_set,
        defaults={
            "run_id": context.run_id, "team_id": context.team_id, "identity_id": context.identity_id,
            "version": version, "created_at": session.now,
        },
    )  # fmt: skip
    return found


def _read_targets(change_set: ChangeSet) -> dict[int, list[str]]:
    return dict(change_set.item_rows.values_list("number", "targets"))


def _keep(
    session: Session, change_set: ChangeSet, call: CallState, request: ApprovalRequest, depends_on: list[int],
    targets: list[str],
) -> None:  # fmt: skip
    """Write the rows of the item, whose entry was just noted."""
    number = session.state.staged
    ChangeItem.objects.create(
        change_set=change_set, number=number, step=session.state.step_of(call.number), call=call.number,
        seq=session.state.seq, tool_id=request.tool_id, effect=request.effect, depends_on=depends_on,
        targets=targets, request=request,
    )  # fmt: skip
    worst = max(change_set.worst_effect, request.effect, key=WORSE.index)
    ChangeSet.objects.filter(pk=change_set.pk).update(size=number, worst_effect=worst)


def offer_changes(session: Session, items: int) -> None:
    """Put the change set before those who review it: from now on it stays as it is."""
    session.commit()
    found = ChangeSet.objects.filter(pk=session.state.change_set)
    with session.orm_write() as write:
        digest = digest_items(UUID(session.state.change_set))
        facts: dict[str, Any] = {"items": items, "change_set": session.state.change_set, "digest": digest}
        session.note(e.CHANGES_OFFERED, facts)
        found.update(state=ChangeSet.State.OFFERED, offered_at=session.now, digest=digest)
        waiting = ApprovalRequest.objects.filter(subject_ref=session.state.change_set, state="waiting")
        tell_requested(list(waiting), session.now)
        write([])


def find_drafts() -> QuerySet[ChangeSet, Any]:
    """Return the references of the change sets that agents are still at work on, as requests name them."""
    drafts = ChangeSet.objects.filter(state=ChangeSet.State.DRAFT)
    return drafts.annotate(ref=Cast("pk", CharField())).values("ref")


def digest_items(change_set: UUID) -> str:
    """Return the digest of all items of a change set: what a reviewer's page was made of."""
    items = ChangeItem.objects.filter(change_set=change_set).order_by("number")
    return keyed_digest([list(row) for row in items.values_list("number", "request__digest")])
