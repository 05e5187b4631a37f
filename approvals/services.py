"""The gate: asking people, deciding, expiring, and the permit that a decision yields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from agentops.amounts import plain_decimal
from agentops.errors import ValidationFailed
from agentops.identifiers import new_id
from agentops.ledger.entries import Draft
from agentops.ledger.store import read_entries_for_people, record
from agentops.text import is_blank
from approvals.carrying import count_edit
from approvals.closing import check_open, check_words, close, lock_visible, note_decision, require_decider
from approvals.denials import find_preset
from approvals.history import Edit, find_asked, read_edit, read_evidence_of, read_question, tell_edit
from approvals.models import ApprovalDecision, ApprovalParent, ApprovalRequest, ApprovalRule, ApprovalStage
from approvals.models.requests import Factor
from approvals.notices.approving import REQUESTED, VOIDED
from approvals.notices.outbox import announce
from approvals.pace import require_rested
from approvals.passing_on import pass_on
from approvals.rules import asked_by, find_rule, tell
from approvals.second_looks import draw_before, keep_before
from approvals.stages import STREAM_KIND, advance, open_stages
from identities.models import AgentIdentity, User
from tools.assessment import Assessment
from tools.calls import Call

ASKED_ANEW = "asked_anew"  # why an open request of the same call is void


@dataclass(frozen=True, slots=True)
class Parent:
    """On whose behalf it is done: an opaque reference to a run further up the line, and whose work that is."""

    ref: str
    identity_id: UUID
    principal_id: UUID
    started_by_id: UUID | None
    key_issuer_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """For what a decision is asked: an opaque reference, whom to wake, and whose work it is.

    ``parents`` are the runs that it is done for, the nearest first.
    """

    ref: str
    wake_task: str
    team_id: UUID
    principal_id: UUID
    application_id: UUID | None
    started_by_id: UUID | None
    parents: tuple[Parent, ...] = ()
    key_issuer_id: UUID | None = None


def request_approval(
    *,
    assessment: Assessment,
    subject: Subject,
    evidence: Mapping[str, Any],
    now: datetime,
    voids_as: str = ASKED_ANEW,
    edit_of: UUID | None = None,
    is_draft: bool = False,
) -> ApprovalRequest:
    """Ask for a decision about exactly this call, in the caller's transaction.

    ``evidence`` is what a person will see; it is personal and kept as erasable content. ``voids_as`` is why an open
    request of the same call is void, ``edit_of`` the request that somebody edited into this one: that was their yes.
    ``is_draft``: people are told of it later, by ``tell_requested``.
    """
    call = assessment.call
    edit = _find_edit(edit_of)
    before = [edit.request] if edit else _find_before(subject, call, evidence)
    _void(ApprovalRequest.objects.filter(key=call.key), voids_as, now)
    rule = find_rule(read_rules(subject.team_id), asked_by(assessment))
    request = _write_request(assessment, subject, rule, before, edit, now)
    drawn_by = draw_before(request, [reason.code for reason in assessment.decision.reasons])
    stages = open_stages(request, rule, now, is_looked_at_twice=drawn_by is not None)
    if drawn_by is not None:
        keep_before(request, drawn_by, stages[-1].place, now)
    _keep_parents(request, subject.parents)
    if rule is not None:
        evidence = {**evidence, "rule": tell(rule)}
    evidence = {**evidence, **_tell_before(edit, before, evidence)}
    facts = _facts_of(request, assessment, stages)
    draft = Draft("approval.requested", now, facts, dict(evidence), call.identity_id)
    record(request.id, STREAM_KIND, draft)
    if not is_draft:
        announce([request], REQUESTED, now)
    count_edit(request, now)
    return request


def tell_requested(requests: Sequence[ApprovalRequest], now: datetime) -> None:
    """Tell people of requests that were written as drafts, in the caller's transaction."""
    announce(requests, REQUESTED, now)


def _write_request(
    assessment: Assessment, subject: Subject, rule: ApprovalRule | None, before: Sequence[UUID], edit: Edit | None,
    now: datetime,
) -> ApprovalRequest:  # fmt: skip
    call = assessment.call
    made: ApprovalRequest = ApprovalRequest.objects.create(
        id=new_id(),
        team_id=subject.team_id,
        tool_id=call.spec.tool_id,
        tool_version_id=call.spec.id,
        identity_id=call.identity_id,
        principal_id=subject.principal_id,
        application_id=subject.application_id,
        requested_by_id=subject.started_by_id,
        key_issuer_id=subject.key_issuer_id,
        owner_id=AgentIdentity.objects.values_list("owner_id", flat=True).get(pk=call.identity_id),
        subject_ref=subject.ref,
        wake_task=subject.wake_task,
        key=call.key,
        digest=assessment.digest,
        effect=call.spec.effect,
        amount=assessment.amount,
        currency=call.spec.currency,
        created_at=now,
        expires_at=now + timedelta(seconds=assessment.approval_ttl_s),
        veto_s=assessment.veto_s,
        rule=rule,
        reason_required=rule is not None and rule.reason_required,
        factor=rule.factor if rule is not None else Factor.ANY,
        follows_id=before[-1] if before else None,
        edited_by_id=edit.editor if edit else None,
    )
    return made


def _find_edit(edit_of: UUID | None) -> Edit | None:
    """Return the edit that made the call what it is; whether it still counts as a yes is ``count_edit``'s to say."""
    return None if edit_of is None else read_edit(edit_of)


def _find_before(subject: Subject, call: Call, evidence: Mapping[str, Any]) -> list[UUID]:
    return find_asked(subject.ref, call.spec.tool_id, call.key, evidence.get("arguments", {}))


def _tell_before(edit: Edit | None, before: Sequence[UUID], evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Return what people see of what came before: the edit, or each question with the agent's answer to it."""
    if edit:
        earlier = (read_evidence_of(edit.request) or {}).get("asked")
        return {"edited": tell_edit(edit), **({"asked": earlier} if earlier else {})}
    answer = str(evidence.get("said") or evidence.get("why", ""))  # it was told to answer in its text
    rounds: dict[str, dict[str, str]] = {}
    for request in before:
        question, by = read_question(request)
        rounds |= {each["request"]: each for each in (read_evidence_of(request) or {}).get("asked", [])}
        rounds[str(request)] = {"question": question, "by": by, "request": str(request), "answer": answer}
    return {"asked": list(rounds.values())} if rounds else {}


def _facts_of(
    request: ApprovalRequest, assessment: Assessment, stages: Sequence[ApprovalStage]
) -> dict[str, Any]:  # Any: JSON
    call = assessment.call
    return {
        "tool": str(call.spec.tool_id),
        "tool_version": str(call.spec.id),
        "digest": request.digest,
        "effect": request.effect,
        "amount": None if request.amount is None else plain_decimal(request.amount),
        "currency": request.currency,
        "expires_at": request.expires_at.isoformat(),
        "key": request.key,
        "decision": assessment.verdict,
        "reasons": [reason.code for reason in assessment.decision.reasons],
        "rule": None if request.rule_id is None else str(request.rule_id),
        "stages": [stage.needed for stage in stages],
        **({"follows": str(request.follows_id)} if request.follows_id else {}),
        **({"edited_by": str(request.edited_by_id)} if request.edited_by_id else {}),
    }


def read_rules(team_id: UUID) -> QuerySet[ApprovalRule]:
    """Return the rules of a team that stand."""
    rules: QuerySet[ApprovalRule] = ApprovalRule.objects.standing().filter(team=team_id)
    return rules.select_related("tool", "identity")


def _keep_parents(request: ApprovalRequest, parents: Sequence[Parent]) -> None:
    if not parents:
        return
    agents = AgentIdentity.objects.filter(pk__in=[parent.identity_id for parent in parents])
    owners = dict(agents.values_list("pk", "owner_id"))
    ApprovalParent.objects.bulk_create(
        ApprovalParent(
            request=request, place=place, subject_ref=parent.ref, identity_id=parent.identity_id,
            principal_id=parent.principal_id, requested_by_id=parent.started_by_id,
            owner_id=owners[parent.identity_id], key_issuer_id=parent.key_issuer_id,
        )
        for place, parent in enumerate(parents)
    )  # fmt: skip


def decide(
    *,
    actor: User,
    request: ApprovalRequest,
    verdict: str,
    reason: str,
    digest: str,
    channel: str,
    second_factor: bool,
    signature: Mapping[str, str] | None = None,
    preset: str = "",
    unfolded: int | None = None,
) -> ApprovalRequest:
    """Record that a person approves or denies, and wake what waits for it.

    ``digest`` is what the person was shown; ``signature`` is what their key signed about it, if it was asked;
    ``preset`` the code of one of the team's reasons to deny, whose words the agent is told before ``reason``;
    ``unfolded`` how many parts of the page they opened, where a browser says so.
    Raises NotFound for a request that is not theirs to see,
    PolicyDenied for one they may not decide, StateConflict when it is decided, expired or has changed.
    """
    _check_verdict(verdict, reason, preset)
    with transaction.atomic():
        locked = lock_visible(actor, request.pk)
        if locked.reason_required and not preset and is_blank(reason):
            raise ValidationFailed("reason_missing", "say why: the rule for this call asks for it")
        chosen = find_preset(locked.team_id, preset) if preset else None
        seat = require_decider(actor, locked, second_factor=second_factor, signed=bool(signature))
        if verdict == ApprovalDecision.Verdict.APPROVE:
            require_rested(actor, locked.team_id)
        now = timezone.now()
        check_open(locked, digest, now)
        facts: dict[str, Any] = {"verdict": verdict, "channel": channel, "digest": digest}
        facts |= {"preset": chosen.code} if chosen else {}
        facts |= {"signature": dict(signature)} if signature else {}
        said = " ".join(filter(None, (chosen.words if chosen else "", reason)))
        note_decision(locked, actor, now, facts, {"reason": said}, seat, unfolded=unfolded)
        if verdict == ApprovalDecision.Verdict.DENY:
            close(locked, "denied", now)
        elif advance(locked, now):
            close(locked, "approved", now)
        else:
            count_edit(locked, now)  # its editor may be asked in the next stage
        if verdict == ApprovalDecision.Verdict.APPROVE:
            pass_on(actor, now)
    return locked


def _check_verdict(verdict: str, reason: str, preset: str) -> None:
    if verdict not in ("approve", "deny"):
        raise ValidationFailed("bad_verdict", "a verdict is approve or deny")
    check_words(reason)
    if preset and verdict != "deny":
        raise ValidationFailed("bad_preset", "ready-made reasons are for denials")
    if verdict == "deny" and not preset and is_blank(reason):
        raise ValidationFailed(
            "reason_missing", "say why you deny: the agent is told, and the record keeps it"
        )


def expire_requests(*, now: datetime, limit: int = 200) -> int:
    """Expire what nobody decided in time, and wake what waited for it; return how many."""
    with transaction.atomic():
        waiting = ApprovalRequest.objects.filter(state="waiting", expires_at__lte=now).order_by("expires_at")
        due = list(waiting.select_for_update(skip_locked=True)[:limit])
        for request in due:
            close(request, "expired", now)
            record(request.id, STREAM_KIND, Draft("approval.expired", now))
    return len(due)


def void_requests(*, subject_ref: str, code: str, now: datetime) -> int:
    """Close the open requests of a subject that no longer asks, in the caller's transaction."""
    return _void(ApprovalRequest.objects.filter(subject_ref=subject_ref), code, now)


def void_request(request: UUID, *, code: str, now: datetime) -> bool:
    """Close one open request whose subject asks no longer, in the caller's transaction; return whether it was open."""
    return _void(ApprovalRequest.objects.filter(pk=request), code, now) > 0


def _void(requests: QuerySet[ApprovalRequest], code: str, now: datetime) -> int:
    unused = requests.select_for_update().filter(state__in=("waiting", "approved"), consumed_at=None)
    voided = list(
        unused.order_by("pk")
    )  # as whoever decides many: two who lock them cannot wait for one another
    for request in voided:
        ApprovalRequest.objects.filter(pk=request.pk).update(state="voided", decided_at=now)
        record(request.id, STREAM_KIND, Draft("approval.voided", now, {"code": code}))
        request.state = ApprovalRequest.State.VOIDED
    announce(voided, VOIDED, now)
    return len(voided)


def read_evidence(request: ApprovalRequest) -> dict[str, Any] | None:
    """Return what the person is shown, or None when it was erased."""
    return read_evidence_of(request.pk)


_SAID = ("reason", "question", "unreadable")


def read_reasons(request: ApprovalRequest) -> dict[UUID | None, str]:
    """Return the words of each who has decided, by who they are; those that were erased are absent."""
    with connection.cursor() as cursor:
        entries = read_entries_for_people(cursor, request.id, after=1, contents=True)
    decided = [entry for entry in entries if entry.kind == "approval.decided"]
    words = {entry.actor: entry.content or {} for entry in decided}
    return {
        actor: str(next((said[name] for name in _SAID if said.get(name)), ""))
        for actor, said in words.items()
    }
