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
from agentops.errors import NotFound, PolicyDenied, StateConflict, ValidationFailed
from agentops.identifiers import new_id
from agentops.ledger.entries import Draft
from agentops.ledger.store import read_contents_for_people, read_entries_for_people, record
from agentops.messages import send_after_commit
from agentops.text import is_blank
from approvals.models import (
    Absence,
    ApprovalDecision,
    ApprovalParent,
    ApprovalRequest,
    ApprovalRule,
    ApprovalStage,
)
from approvals.models.requests import Factor
from approvals.policies import may_decide
from approvals.rules import asked_by, find_rule, tell
from approvals.stages import STREAM_KIND, advance, open_stages
from identities.models import AgentIdentity, User
from tools.assessment import Assessment

REASON_LIMIT = 2_000


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
    *, assessment: Assessment, subject: Subject, evidence: Mapping[str, Any], now: datetime
) -> ApprovalRequest:
    """Ask for a decision about exactly this call, in the caller's transaction.

    ``evidence`` is what a person will see; it is personal and kept as erasable content.
    """
    call = assessment.call
    _void(ApprovalRequest.objects.filter(key=call.key), "asked_anew", now)
    rule = find_rule(_read_rules(subject.team_id), asked_by(assessment))
    request = ApprovalRequest.objects.create(
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
    )
    stages = open_stages(request, rule, now)
    _keep_parents(request, subject.parents)
    if rule is not None:
        evidence = {**evidence, "rule": tell(rule)}
    facts = _facts_of(request, assessment, stages)
    draft = Draft("approval.requested", now, facts, dict(evidence), call.identity_id)
    record(request.id, STREAM_KIND, draft)
    return request


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
    }


def _read_rules(team_id: UUID) -> QuerySet[ApprovalRule]:
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
) -> ApprovalRequest:
    """Record a person's decision and wake what waits for it.

    ``digest`` is what the person was shown; ``signature`` is what their key signed about it, if it was asked.
    Raises NotFound for a request that is not theirs to see,
    PolicyDenied for one they may not decide, StateConflict when it is decided, expired or has changed.
    """
    _check_words(verdict, reason)
    with transaction.atomic():
        locked = _lock_visible(actor, request.pk)
        if locked.reason_required and is_blank(reason):
            raise ValidationFailed("reason_missing", "say why: the rule for this call asks for it")
        decision = may_decide(actor, locked, second_factor=second_factor, signed=bool(signature))
        if not decision.allowed:
            raise PolicyDenied(decision.code, decision.detail)
        now = timezone.now()
        _check_open(locked, digest, now)
        ApprovalDecision.objects.create(
            request=locked, verdict=verdict, decided_by=actor, channel=channel, digest=digest, decided_at=now,
            stage=locked.stage, **_seat_of(decision.absence),
        )  # fmt: skip
        facts: dict[str, Any] = {
            "verdict": verdict,
            "channel": channel,
            "digest": digest,
            "stage": locked.stage,
            **{name.removesuffix("_id"): str(pk) for name, pk in _seat_of(decision.absence).items()},
        }
        facts |= {"signature": dict(signature)} if signature else {}
        record(locked.id, STREAM_KIND, Draft("approval.decided", now, facts, {"reason": reason}, actor.pk))
        if verdict == ApprovalDecision.Verdict.DENY:
            _close(locked, "denied", now)
        elif advance(locked, now):
            _close(locked, "approved", now)
    return locked


def _seat_of(absence: Absence | None) -> dict[str, UUID]:
    """Return the columns that say for whom somebody decided; none where it was for themselves."""
    return {} if absence is None else {"deputy_for_id": absence.absent_id, "absence_id": absence.pk}


def _check_words(verdict: str, reason: str) -> None:
    if verdict not in ApprovalDecision.Verdict.values:
        raise ValidationFailed("bad_verdict", "a verdict is approve or deny")
    if len(reason) > REASON_LIMIT:
        raise ValidationFailed("reason_too_long", f"a reason has at most {REASON_LIMIT} characters")
    if verdict == "deny" and is_blank(reason):
        raise ValidationFailed(
            "reason_missing", "say why you deny: the agent is told, and the record keeps it"
        )


def _lock_visible(actor: User, request_id: UUID) -> ApprovalRequest:
    if not ApprovalRequest.objects.visible_to(actor).filter(pk=request_id).exists():
        raise NotFound("unknown_approval", "there is no such approval request")
    locked: ApprovalRequest = ApprovalRequest.objects.select_for_update().get(pk=request_id)
    return locked


def _check_open(request: ApprovalRequest, digest: str, now: datetime) -> None:
    if request.state != ApprovalRequest.State.WAITING:
        code = "approval_expired" if request.state == ApprovalRequest.State.EXPIRED else "approval_decided"
        raise StateConflict(code, f"this request is {request.state}; nothing was changed")
    if now >= request.expires_at:
        raise StateConflict("approval_expired", "this request has expired; the agent was told so")
    if digest != request.digest:
        raise StateConflict("digest_changed", "the call has changed since you loaded it; look at it again")


def _close(request: ApprovalRequest, state: str, now: datetime) -> None:
    request.state = state
    request.decided_at = now
    request.save(update_fields=["state", "decided_at"])
    send_after_commit(request.wake_task, request.subject_ref)


def expire_requests(*, now: datetime, limit: int = 200) -> int:
    """Expire what nobody decided in time, and wake what waited for it; return how many."""
    with transaction.atomic():
        waiting = ApprovalRequest.objects.filter(state="waiting", expires_at__lte=now).order_by("expires_at")
        due = list(waiting.select_for_update(skip_locked=True)[:limit])
        for request in due:
            _close(request, "expired", now)
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
    voided = list(unused)
    for request in voided:
        ApprovalRequest.objects.filter(pk=request.pk).update(state="voided", decided_at=now)
        record(request.id, STREAM_KIND, Draft("approval.voided", now, {"code": code}))
    return len(voided)


def read_evidence(request: ApprovalRequest) -> dict[str, Any] | None:
    """Return what the person is shown, or None when it was erased."""
    with connection.cursor() as cursor:
        found = read_contents_for_people(cursor, request.id, [1])
    content: dict[str, Any] | None = found.get(1)
    return content


def read_reasons(request: ApprovalRequest) -> dict[UUID | None, str]:
    """Return the words of each who has decided, by who they are; those that were erased are absent."""
    with connection.cursor() as cursor:
        entries = read_entries_for_people(cursor, request.id, after=1, contents=True)
    decided = [entry for entry in entries if entry.kind == "approval.decided"]
    words = {entry.actor: entry.content or {} for entry in decided}
    return {actor: str(said.get("reason") or said.get("unreadable", "")) for actor, said in words.items()}
