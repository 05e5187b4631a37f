"""The rows of leases: who may have one, and how far its end has come. Each statement is a transaction of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

import orjson

from agentops.database import borrowed
from agentops.identifiers import new_id
from agentops.sealed_rows import place_of
from agentops.sealing import seal, unseal
from identities.models import Secret, SecretLease
from identities.secret_settings import parse_settings
from tools.calls import Call
from tools.credentials.providers import PROVIDER_TIMEOUT_S, CredentialTrouble, LeaseTerms, OpenSecret

# A lease outlasts its attempt by this, so that what is on its way is not cut off; a sweep comes no sooner.
MARGIN_S = 30.0
LONGEST_LEASE_S = 300.0
LONGEST_TIMEOUT_S = LONGEST_LEASE_S - MARGIN_S
FIRST_REST_S, LONGEST_REST_S = 5.0, 600.0

# The permit says that a call may be made. Whose secret it may have is looked up here, where it is handed out.
_ISSUE = """
INSERT INTO identities_secretlease (id, secret_id, identity_id, run_id, tool_id, call_key, state, sealed_handle,
    issued_at, expires_at, end_attempts, trouble)
SELECT %(id)s, s.id, %(identity)s, %(run)s, t.id, %(key)s, 'issued', '', clock_timestamp(),
    clock_timestamp() + make_interval(secs => %(life_s)s), 0, ''
FROM tools_tool t
JOIN identities_agentidentity i ON i.id = %(identity)s AND i.team_id = t.team_id
JOIN identities_secret s ON s.team_id = t.team_id AND s.slug = %(slug)s AND s.state = 'active' AND s.sealed_value <> ''
    AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())
WHERE t.id = %(tool)s AND (%(asking)s OR i.state = 'active' AND NOT EXISTS (
    SELECT 1 FROM identities_secretlease l WHERE l.identity_id = i.id AND l.tool_id = t.id AND l.state = 'revoke_failed'
) AND EXISTS (
    SELECT 1 FROM tools_toolgrant g WHERE g.identity_id = i.id AND g.tool_id = t.id AND g.state = 'active'
        AND g.decision <> 'DENY' AND (g.valid_until IS NULL OR g.valid_until > clock_timestamp())))
RETURNING secret_id, expires_at,
    (SELECT ARRAY[s.provider, s.settings::text, s.sealed_value] FROM identities_secret s WHERE s.id = secret_id)
"""
_USED = """
UPDATE identities_secret SET last_used_at = clock_timestamp()
WHERE id = %s AND (last_used_at IS NULL OR last_used_at < clock_timestamp() - interval '1 minute')
"""
_WITH_HANDLE = "UPDATE identities_secretlease SET sealed_handle = %s WHERE id = %s"
_HANDLE = "SELECT sealed_handle FROM identities_secretlease WHERE id = %s"
_REVOKING = "UPDATE identities_secretlease SET state = 'revoking' WHERE id = %s AND state = 'issued'"
_ENDED = """
UPDATE identities_secretlease SET state = 'ended', ended_at = coalesce(ended_at, clock_timestamp()), sealed_handle = '',
    trouble = ''
WHERE id = %s
"""
_FAILED = """
UPDATE identities_secretlease SET state = 'revoke_failed', ended_at = NULL, trouble = %(trouble)s,
    end_attempts = end_attempts + 1, next_attempt_at = clock_timestamp() + make_interval(
        secs => least(%(longest)s, %(first)s * 2 ^ least(end_attempts, 20)))
WHERE id = %(id)s RETURNING end_attempts
"""
# Claimed by its next attempt, so that two sweepers do not end the same one; the state stays, for it blocks the grant.
_DUE = """
UPDATE identities_secretlease l SET next_attempt_at = clock_timestamp() + make_interval(secs => %(longest)s)
FROM identities_secret s
WHERE s.id = l.secret_id AND l.id IN (
    SELECT id FROM identities_secretlease
    WHERE state <> 'ended' AND expires_at <= clock_timestamp()
        AND (next_attempt_at IS NULL OR next_attempt_at <= clock_timestamp())
       OR state = 'revoke_failed' AND next_attempt_at <= clock_timestamp()
    ORDER BY expires_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
RETURNING l.id, l.secret_id, l.expires_at, s.provider, s.settings::text, s.sealed_value, l.sealed_handle
"""
# Taken back in the middle of its call. Whoever does it may die over it, and then a sweep has to find it soon.
_TAKE_BACK = """
UPDATE identities_secretlease l SET state = 'revoking', expires_at = least(l.expires_at, clock_timestamp()),
    next_attempt_at = clock_timestamp() + make_interval(secs => %(rest_s)s)
FROM identities_secret s
WHERE s.id = l.secret_id AND l.id IN (
    SELECT l.id FROM identities_secretlease l WHERE l.state = 'issued' AND {concerned}
    ORDER BY l.id FOR UPDATE SKIP LOCKED)
RETURNING l.id, l.secret_id, l.expires_at, s.provider, s.settings::text, s.sealed_value, l.sealed_handle
"""
_IS_ISSUED = "SELECT 1 FROM identities_secretlease WHERE id = %s AND state = 'issued'"
_UNENDED = """
SELECT 1 FROM identities_secretlease WHERE identity_id = %s AND tool_id = %s AND state = 'revoke_failed' LIMIT 1
"""


@dataclass(frozen=True, slots=True, repr=False)
class Lease:
    """A lease with the secret it is of, opened; ``handle`` is what its provider ends it by, if that is known."""

    terms: LeaseTerms
    secret_id: UUID
    provider: str
    secret: OpenSecret
    handle: str = ""


def open_lease(call: Call, slug: str, *, asking: bool = False) -> Lease:
    """Record the right of one attempt to a secret. ``asking``: it makes no effect, so no grant is asked.

    Raises CredentialTrouble when nobody gave that right.
    """
    lease_id = new_id()
    parameters = {
        "id": lease_id, "identity": call.identity_id, "run": call.run_id, "tool": call.spec.tool_id, "key": call.key,
        "slug": slug, "asking": asking, "life_s": min(call.spec.timeout_s + MARGIN_S, LONGEST_LEASE_S),
    }  # fmt: skip
    with borrowed() as connection:
        row = connection.execute(_ISSUE, parameters).fetchone()
        if row is None:
            detail = f"the credential {slug} has no value in force, or this agent has no right to it"
            raise CredentialTrouble("credential_unavailable", detail)
        connection.execute(_USED, (row[0],))
    secret_id, expires_at, (provider, settings, sealed) = row
    return Lease(
        LeaseTerms(lease_id, expires_at), secret_id, provider, _open(secret_id, provider, settings, sealed)
    )


def keep_handle(lease: Lease, handle: str) -> None:
    """Keep, sealed, by what the provider ends a lease: another process may have to."""
    sealed = seal(handle.encode(), context=_handle_place(lease.terms.id))
    with borrowed() as connection:
        connection.execute(_WITH_HANDLE, (sealed, lease.terms.id))


def read_handle(lease_id: UUID) -> str:
    """Return by what the provider ends a lease, or an empty text if that was never known."""
    with borrowed() as connection:
        row = connection.execute(_HANDLE, (lease_id,)).fetchone()
    return unseal(row[0], context=_handle_place(lease_id)).decode() if row and row[0] else ""


def note_revoking(lease_id: UUID) -> None:
    """Note that the end of a lease is under way at its provider."""
    with borrowed() as connection:
        connection.execute(_REVOKING, (lease_id,))


def note_ended(lease_id: UUID) -> None:
    """Note that a lease has ended, with nothing of it left."""
    with borrowed() as connection:
        connection.execute(_ENDED, (lease_id,))


def note_failed(lease_id: UUID, trouble: str) -> int:
    """Note that an end failed and is tried again ever more rarely; return how often it has."""
    parameters = {"id": lease_id, "trouble": trouble[:200], "first": FIRST_REST_S, "longest": LONGEST_REST_S}
    with borrowed() as connection:
        row = connection.execute(_FAILED, parameters).fetchone()
    return int(row[0]) if row else 0


def claim_due(batch: int) -> list[tuple[UUID, UUID, Any]]:
    """Return leases whose time is over, or whose end is to be tried again, claimed: (lease, secret, the rest)."""
    with borrowed() as connection:
        rows = connection.execute(_DUE, {"batch": batch, "longest": LONGEST_REST_S}).fetchall()
    return [(row[0], row[1], row) for row in rows]


def take_back(concerned: LiteralString, value: str) -> list[tuple[UUID, UUID, Any]]:
    """Claim the leases in force that meet a condition on this value, as ``claim_due`` does."""
    statement = _TAKE_BACK.format(concerned=concerned)
    with borrowed() as connection:
        rows = connection.execute(statement, {"value": value, "rest_s": 2 * PROVIDER_TIMEOUT_S}).fetchall()
    return [(row[0], row[1], row) for row in rows]


def is_issued(lease_id: UUID) -> bool:
    """Return whether nobody has taken a lease back."""
    with borrowed() as connection:
        return connection.execute(_IS_ISSUED, (lease_id,)).fetchone() is not None


def read_due(row: Any) -> Lease:  # Any: a row of _DUE
    """Open a claimed lease. Raises SealRefused."""
    lease_id, secret_id, expires_at, provider, settings, sealed, sealed_handle = row
    handle = unseal(sealed_handle, context=_handle_place(lease_id)).decode() if sealed_handle else ""
    secret = _open(secret_id, provider, settings, sealed)
    return Lease(LeaseTerms(lease_id, expires_at), secret_id, provider, secret, handle)


def is_blocked(identity_id: UUID, tool_id: UUID) -> bool:
    """Return whether a credential of this agent for this tool could not be ended."""
    with borrowed() as connection:
        return connection.execute(_UNENDED, (identity_id, tool_id)).fetchone() is not None


def _open(secret_id: UUID, provider: str, settings: str, sealed: str) -> OpenSecret:
    value = unseal(sealed, context=place_of(Secret(pk=secret_id), "sealed_value")).decode()
    return OpenSecret(parse_settings(provider, orjson.loads(settings)), value)


def _handle_place(lease_id: UUID) -> str:
    return place_of(SecretLease(pk=lease_id), "sealed_handle")
