"""How somebody looked at a request before they decided: since when they had it open, and what there was to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from approvals.batches.sealed import read_asked
from approvals.considered import count_words
from approvals.models import ApprovalRequest, OpenedRequest
from identities.models import User

LONGEST_S = 86_400 * 14


@dataclass(frozen=True, slots=True)
class Attention:
    """Seconds since this person first opened just this call by itself, and the words that it has; None: unknown."""

    opened_s: int | None
    to_read: int | None


def read_attention(request: ApprovalRequest, person: User, now: datetime) -> Attention:
    """Return how this person looked at a request."""
    return read_attentions([request], person, now)[request.pk]


def read_attentions(
    requests: Sequence[ApprovalRequest], person: User, now: datetime
) -> Mapping[UUID, Attention]:
    """Return how this person looked at each of these requests, in two statements."""
    ids = [request.pk for request in requests]
    opened = OpenedRequest.objects.filter(person=person, request__in=ids)
    since = {(pk, digest): at for pk, digest, at in opened.values_list("request", "digest", "opened_at")}
    asked = read_asked(ids)
    words = {pk: count_words(each.evidence) for pk, each in asked.items() if each.evidence is not None}
    return {
        request.pk: Attention(_seconds(since.get((request.pk, request.digest)), now), words.get(request.pk))
        for request in requests
    }


def _seconds(opened_at: datetime | None, now: datetime) -> int | None:
    if opened_at is None:
        return None
    return min(LONGEST_S, max(0, int((now - opened_at).total_seconds())))
