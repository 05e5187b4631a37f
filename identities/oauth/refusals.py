"""Refused requests on the record: one entry per client, address and cool-off, with their number.

Whoever knows a client's name, or none, could fill the ledger otherwise.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from identities.clients import stream_of
from identities.models import RefusedTokenRequests
from identities.oauth.errors import OAuthError
from identities.signins import cool_off, digest_address, tell_due

# What nobody known asked for is told here: a stream of the installation.
STRANGERS = UUID("00000000-0000-7000-8000-6f617574680a")


def record_refusal(refusal: OAuthError, request: HttpRequest) -> None:
    """Count a refused request, and tell of it unless the same client and address were told of lately."""
    stream, kind = stream_of(refusal.account) if refusal.account else (STRANGERS, "token_endpoint")
    now = timezone.now()
    with transaction.atomic():
        row, is_new = RefusedTokenRequests.objects.select_for_update().get_or_create(
            stream=stream,
            address=digest_address(request),
            defaults={"stream_kind": kind, "told_at": now},
        )
        row.untold += 1
        row.error, row.reason = refusal.error, refusal.reason[:48]
        if is_new or row.told_at <= now - cool_off():
            _tell(row, now)
        row.save()


def tell_refused_requests(*, now: datetime, limit: int = 200) -> int:
    """Tell what was counted in cool-offs that are over, and forget those in which nothing was; return how many."""
    return tell_due(RefusedTokenRequests, _tell, now, limit)


def _tell(row: RefusedTokenRequests, now: datetime) -> None:
    facts = {"times": row.untold, "address": row.address, "error": row.error, "reason": row.reason}
    record(row.stream, row.stream_kind, Draft("token.refused", now, facts))
    row.told_at, row.untold = now, 0
