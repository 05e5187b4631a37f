"""From an assessment, and where needed a person's approval, to a permit."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from agentops.database import borrowed
from agentops.errors import ApprovalRequired, StateConflict
from tools.assessment import Assessment
from tools.permits import Permit, issue_permit

# The last column: whether who approved is still somebody who may. See `approvals.querysets.may_approve`.
_APPROVED = """
SELECT a.state, a.digest, a.key, a.consumed_at IS NOT NULL, a.decided_at + (a.expires_at - a.created_at) <= %s,
    EXISTS (SELECT 1 FROM approvals_approvaldecision d
        JOIN identities_user u ON u.id = d.decided_by_id AND u.is_active AND u.kind = 'person'
        WHERE d.request_id = a.id AND d.verdict = 'approve' AND u.id <> i.owner_id AND (
            EXISTS (SELECT 1 FROM tools_tooluserobjectpermission p JOIN auth_permission c ON c.id = p.permission_id
                WHERE p.user_id = u.id AND p.content_object_id = a.tool_id AND c.codename = 'approve_calls')
            OR EXISTS (SELECT 1 FROM tools_toolgroupobjectpermission p
                JOIN auth_permission c ON c.id = p.permission_id
                JOIN identities_user_groups m ON m.group_id = p.group_id
                WHERE m.user_id = u.id AND p.content_object_id = a.tool_id AND c.codename = 'approve_calls')))
FROM approvals_approvalrequest a JOIN identities_agentidentity i ON i.id = a.identity_id WHERE a.id = %s
"""
# Consuming is conditional: an approval that was voided a moment ago lets nothing through.
CONSUME = """
UPDATE approvals_approvalrequest SET consumed_at = coalesce(consumed_at, %(now)s)
WHERE id = %(approval)s AND state = 'approved' AND digest = %(digest)s AND key = %(key)s RETURNING 1
"""
_STATES = "SELECT id, state FROM approvals_approvalrequest WHERE id = ANY(%s) AND state <> 'waiting'"


def require(assessment: Assessment, *, approval_id: UUID | None, now: datetime) -> Permit:
    """Return the permit for an assessed call.

    Raises PolicyDenied when policy denies, ApprovalRequired when a person has to be asked, StateConflict
    when the given approval does not cover this very call any more.
    """
    if assessment.verdict != "REQUIRE_APPROVAL":
        return issue_permit(assessment)
    if approval_id is None:
        raise ApprovalRequired(assessment.decision.code, assessment.detail)
    _check_approval(assessment, approval_id, now)
    return issue_permit(assessment, approval_id=approval_id)


def _check_approval(assessment: Assessment, approval_id: UUID, now: datetime) -> None:
    with borrowed() as connection:
        row = connection.execute(_APPROVED, (now, approval_id)).fetchone()
    if row is None or row[0] != "approved":
        raise StateConflict("approval_voided", "there is no standing approval for this call")
    _, digest, key, consumed, stale, may_still_approve = row
    if digest != assessment.digest or key != assessment.call.key:
        raise StateConflict("approval_voided", "the call is not the one that was approved")
    if not (may_still_approve or consumed):
        raise StateConflict("approval_voided", "who approved the call may not approve it any more")
    if stale and not consumed:
        raise StateConflict("approval_expired", "the approval was not used in time")


def consume(cursor: Any, *, approval_id: UUID, digest: str, key: str, now: datetime) -> bool:
    """Spend an approval on its one effect, in the caller's transaction; retries under its key stay covered."""
    cursor.execute(CONSUME, {"approval": approval_id, "digest": digest, "key": key, "now": now})
    return cursor.fetchone() is not None


def read_verdicts(approval_ids: list[UUID]) -> dict[UUID, str]:
    """Return the states of those requests that wait no more."""
    with borrowed() as connection:
        return dict(connection.execute(_STATES, (approval_ids,)).fetchall())
