"""Whether an end user has confirmed a call: for its permit, and once more as the attempt is written."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from agentops.database import borrowed
from agentops.errors import StateConflict
from agentops.ledger.faults import Fault
from agentops.ledger.store import Cursor
from tools.assessment import Assessment

# The state alone is one UPDATE by anybody; the user's word is an entry of the confirmation's stream as well.
_ON_RECORD = """EXISTS (SELECT 1 FROM ledger_entry e WHERE e.stream = c.id AND e.seq > 1
        AND e.kind = 'confirmation.given' AND e.actor = ap.service_account_id
        AND e.facts ->> 'digest' = c.digest AND e.facts ->> 'proof' = c.proof)
    AND NOT EXISTS (SELECT 1 FROM ledger_entry e WHERE e.stream = c.id AND e.seq > 1
        AND e.kind IN ('confirmation.refused', 'confirmation.expired', 'confirmation.voided'))"""
# Whether whoever told us may still tell us: an application that is trusted, or an issuer that is believed.
_MAY_STILL = """ap.state = 'active' AND CASE c.proof WHEN 'asserted' THEN ap.may_assert_users
    ELSE EXISTS (SELECT 1 FROM identities_tokenissuer t JOIN identities_principal p ON p.issuer = t.issuer
        WHERE t.client_id = ap.service_account_id AND p.id = c.principal_id AND t.disabled_at IS NULL) END"""
_STALE = "c.decided_at + make_interval(secs => c.good_for_s) <= %(now)s"
_CONFIRMED = f"""
SELECT c.state, c.digest, c.key, c.consumed_at IS NOT NULL, {_STALE}, {_MAY_STILL}, {_ON_RECORD}
FROM approvals_confirmation c JOIN identities_application ap ON ap.id = c.application_id
WHERE c.id = %(confirmation)s
"""  # noqa: S608  constants
# Waited for in a statement of its own: what the next one looks up is then as of after the wait.
_LOCK = "SELECT FROM approvals_confirmation WHERE id = %s FOR NO KEY UPDATE"
CONSUME = f"""
UPDATE approvals_confirmation c SET consumed_at = coalesce(consumed_at, %(now)s)
FROM identities_application ap
WHERE c.id = %(confirmation)s AND ap.id = c.application_id AND c.state = 'confirmed'
    AND c.digest = %(digest)s AND c.key = %(key)s
    AND {_ON_RECORD} AND (c.consumed_at IS NOT NULL OR {_MAY_STILL} AND NOT {_STALE}) RETURNING 1
"""  # noqa: S608  constants
_STATES = f"""
SELECT c.id, CASE WHEN c.state <> 'confirmed' OR {_ON_RECORD} THEN c.state ELSE 'unrecorded' END
FROM approvals_confirmation c JOIN identities_application ap ON ap.id = c.application_id
WHERE c.id = ANY(%s) AND c.state <> 'waiting'
"""  # noqa: S608  constants
_UNRECORDED = f"""
SELECT c.id FROM approvals_confirmation c JOIN identities_application ap ON ap.id = c.application_id
WHERE c.state = 'confirmed' AND (%s::uuid[] IS NULL OR c.id = ANY(%s)) AND NOT ({_ON_RECORD}) ORDER BY c.id
"""  # noqa: S608  constants


def check_confirmation(assessment: Assessment, confirmation_id: UUID, now: datetime) -> None:
    """Raise StateConflict unless the end user has confirmed this very call, and that still counts."""
    with borrowed() as connection:
        asked = {"now": now, "confirmation": confirmation_id}
        row = connection.execute(_CONFIRMED, asked).fetchone()
    if row is None or row[0] != "confirmed":
        raise StateConflict("confirmation_voided", "there is no standing confirmation of this call")
    _, digest, key, consumed, stale, may_still, recorded = row
    if not recorded:
        raise StateConflict(
            "confirmation_not_recorded", "nobody's confirmation of this call is on the record"
        )
    if digest != assessment.digest or key != assessment.call.key:
        raise StateConflict("confirmation_voided", "the call is not the one that the user has confirmed")
    if not (may_still or consumed):
        raise StateConflict(
            "confirmation_voided", "who said that the user has confirmed it may not say so any more"
        )
    if stale and not consumed:
        raise StateConflict("confirmation_expired", "the user's confirmation was not used in time")


def consume_confirmation(cursor: Any, *, confirmation_id: UUID, digest: str, key: str, now: datetime) -> bool:
    """Spend a confirmation on its one effect, in the caller's transaction; retries under its key stay covered."""
    cursor.execute(_LOCK, (confirmation_id,))
    given = {"confirmation": confirmation_id, "digest": digest, "key": key, "now": now}
    cursor.execute(CONSUME, given)
    return cursor.fetchone() is not None


def read_answers(confirmation_ids: list[UUID]) -> dict[UUID, str]:
    """Return the states of those that wait no more; a confirmation that nobody gave is `unrecorded`."""
    with borrowed() as connection:
        return dict(connection.execute(_STATES, (confirmation_ids,)).fetchall())


def find_unrecorded_confirmations(cursor: Cursor, streams: list[UUID] | None) -> list[Fault]:
    """Return a fault for each confirmation, of the named streams or of all, without a recorded word of the user."""
    cursor.execute(_UNRECORDED, (streams, streams))
    detail = "it stands as confirmed, and nobody's word is recorded"
    return [Fault(confirmation, 2, "unrecorded", detail) for (confirmation,) in cursor.fetchall()]
