"""Asking an end user about exactly one call, and no longer than their answer is awaited."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from agentops.amounts import plain_decimal
from agentops.errors import StateConflict
from agentops.identifiers import new_id
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.messages import send_after_commit
from approvals.models import Confirmation
from approvals.notices.kinds import Kind
from approvals.notices.outbox import tell_application
from approvals.services import ASKED_ANEW, Subject
from tools.assessment import Assessment

STREAM_KIND = "confirmation"
REQUESTED = "confirmation.requested"
# Where people decide after the user: their time to answer, and as long again until it goes out.
WAITS_OF_PEOPLE = 2
# Ids only: what the user is asked is fetched with the application's own key.
NOTICE = Kind(
    REQUESTED, "a user is asked to confirm a call",
    lambda _: "A user of the application is asked to confirm a call.", for_applications_only=True,
)  # fmt: skip


def request_confirmation(
    *, assessment: Assessment, subject: Subject, shown: Mapping[str, Any], now: datetime
) -> Confirmation:  # Any: JSON
    """Ask the end user about exactly this call, in the caller's transaction; one that was asked before is void.

    ``shown`` is what the application shows them; it is personal and kept as erasable content.
    """
    call = assessment.call
    if subject.application_id is None:
        raise StateConflict("nobody_to_confirm", "no application can ask the end user")
    _void(Confirmation.objects.filter(key=call.key), ASKED_ANEW, now)
    asked: Confirmation = Confirmation.objects.create(
        id=new_id(), team_id=subject.team_id, tool_id=call.spec.tool_id, tool_version_id=call.spec.id,
        identity_id=call.identity_id, principal_id=subject.principal_id, application_id=subject.application_id,
        subject_ref=subject.ref, wake_task=subject.wake_task, key=call.key, digest=assessment.digest,
        effect=call.spec.effect, amount=assessment.amount, currency=call.spec.currency, created_at=now,
        expires_at=now + timedelta(seconds=assessment.approval_ttl_s), good_for_s=_count_good_for(assessment),
    )  # fmt: skip
    draft = Draft(REQUESTED, now, _facts_of(asked), dict(shown), call.identity_id)
    record(asked.pk, STREAM_KIND, draft)
    told = {
        "confirmation": str(asked.pk),
        "run": asked.subject_ref,
        "digest": asked.digest,
        "expires_at": asked.expires_at.isoformat(),
    }
    tell_application(asked.application, REQUESTED, told, key=str(asked.pk))
    return asked


def _count_good_for(assessment: Assessment) -> int:
    waits = 1 + (WAITS_OF_PEOPLE if assessment.verdict == "REQUIRE_APPROVAL" else 0)
    return waits * assessment.approval_ttl_s + assessment.veto_s


def _facts_of(asked: Confirmation) -> dict[str, Any]:  # Any: JSON
    return {
        "tool": str(asked.tool_id),
        "tool_version": str(asked.tool_version_id),
        "application": str(asked.application_id),
        "digest": asked.digest,
        "effect": asked.effect,
        "amount": None if asked.amount is None else plain_decimal(asked.amount),
        "currency": asked.currency,
        "expires_at": asked.expires_at.isoformat(),
    }


def close_confirmation(asked: Confirmation, state: str, now: datetime) -> None:
    """Close what waits, and wake what waits for it once that is committed."""
    asked.state, asked.decided_at = state, now
    asked.save(update_fields=["state", "proof", "decided_at"])
    send_after_commit(asked.wake_task, asked.subject_ref, queue="critical")


def expire_confirmations(*, now: datetime, limit: int = 200) -> int:
    """Expire what no user has answered in time, and wake what waited for it; return how many."""
    with transaction.atomic():
        waiting = Confirmation.objects.filter(state="waiting", expires_at__lte=now).order_by("expires_at")
        due = list(waiting.select_for_update(skip_locked=True)[:limit])
        for asked in due:
            close_confirmation(asked, "expired", now)
            record(asked.pk, STREAM_KIND, Draft("confirmation.expired", now))
    return len(due)


def void_confirmations(*, subject_ref: str, code: str, now: datetime) -> int:
    """Close what a subject asks no longer, given and not used included, in the caller's transaction."""
    return _void(Confirmation.objects.filter(subject_ref=subject_ref), code, now)


def void_confirmation(asked: UUID, *, code: str, now: datetime) -> bool:
    """Close one that does not count any more, in the caller's transaction; return whether it did."""
    return _void(Confirmation.objects.filter(pk=asked), code, now) > 0


def _void(asked: QuerySet[Confirmation], code: str, now: datetime) -> int:
    unused = asked.select_for_update().filter(state__in=("waiting", "confirmed"), consumed_at=None)
    voided = list(unused.order_by("pk"))
    for each in voided:
        Confirmation.objects.filter(pk=each.pk).update(state="voided", decided_at=now)
        record(each.pk, STREAM_KIND, Draft("confirmation.voided", now, {"code": code}))
    return len(voided)
