"""Who has looked at which request by itself."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.utils import timezone

from approvals.models import ApprovalRequest, OpenedRequest
from identities.models import User


def note_opened(person: User, request: ApprovalRequest) -> None:
    """Keep that somebody was shown this request as it is now, once."""
    if request.state == ApprovalRequest.State.WAITING and person.kind == User.Kind.PERSON:
        seen = OpenedRequest(person=person, request=request, digest=request.digest, opened_at=timezone.now())
        OpenedRequest.objects.bulk_create([seen], ignore_conflicts=True)


def read_opened(person: User, requests: Iterable[UUID]) -> set[tuple[UUID, str]]:
    """Return which requests somebody has opened, each with the digest that it had."""
    rows = OpenedRequest.objects.filter(person=person, request__in=list(requests))
    return set(rows.values_list("request", "digest"))
