"""By whose authority a call of an agent outside came, and whether it was taken back since."""

from __future__ import annotations

from uuid import UUID

from agentops.database import borrowed

_REVOKED = """
SELECT 1 FROM runs_received_call r JOIN identities_delegation d ON d.id = r.delegation_id
WHERE r.run_id = %s AND r.number = %s AND d.revoked_at IS NOT NULL
"""


def is_taken_back(run_id: UUID, number: int) -> bool:
    """Return whether the delegation by which a call was received is revoked by now."""
    with borrowed() as connection:
        return connection.execute(_REVOKED, (run_id, number)).fetchone() is not None
