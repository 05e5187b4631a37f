"""Identifiers that count once, across all processes: the database's unique constraint is the judge."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from django.db import connection

from agentops.canonical import canonical_json
from identities.models import UsedIdentifier

Purpose = UsedIdentifier.Purpose

SPEND = """
INSERT INTO identities_usedidentifier (purpose, digest, expires_at) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
"""


def spend(purpose: Purpose, *parts: str, until_s: int) -> bool:
    """Return whether this identifier is seen for the first time; from now on it is not.

    `until_s`: the second in which what carries it has surely ended.
    """
    with connection.cursor() as cursor:
        cursor.execute(SPEND, (purpose, _digest(parts), datetime.fromtimestamp(until_s, UTC)))
        # Of two that insert at once, one waits for the other and then adds nothing.
        return bool(cursor.rowcount)


def is_spent(purpose: Purpose, *parts: str) -> bool:
    """Return whether this identifier was spent."""
    return UsedIdentifier.objects.filter(purpose=purpose, digest=_digest(parts)).exists()


def drop_ended(now: datetime) -> int:
    """Forget what is refused as expired anyway; return how many."""
    return UsedIdentifier.objects.filter(expires_at__lt=now).delete()[0]


def _digest(parts: tuple[str, ...]) -> str:
    return hashlib.sha256(canonical_json(list(parts))).hexdigest()
