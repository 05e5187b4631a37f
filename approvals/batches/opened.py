"""Who has looked at which request by itself."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import connection
from django.utils import timezone

from approvals.models import ApprovalRequest, OpenedRequest
from identities.models import User

# One statement, without the transaction that the ORM puts around it: the page asks for enough of them.
_NOTE = """
INSERT INTO approvals_openedrequest (person_id, request_id, digest, opened_at) VALUES (%s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""


def note_opened(person: User, request: ApprovalRequest) -> None:
    """Keep that somebody was shown this request as it is now, once."""
    if request.state == ApprovalRequest.State.WAITING and person.kind == User.Kind.PERSON:
        with connection.cursor() as cursor:
            cursor.execute(_NOTE, [person.pk, request.pk, request.digest, timezone.now()])


def read_opened(person: User, requests: Iterable[UUID]) -> set[tuple[UUID, str]]:
    """Return which requests somebody has opened, each with the digest that it had."""
    rows = OpenedRequest.objects.filter(person=person, request__in=list(requests))
    return set(rows.values_list("request", "digest"))
