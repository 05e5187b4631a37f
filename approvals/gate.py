"""From an assessment, and where needed a person's approval, to a permit."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from agentops.database import borrowed
from agentops.errors import ApprovalRequired, ConfirmationRequired, StateConflict
from agentops.ledger.faults import Fault
from agentops.ledger.store import Cursor
from approvals.confirmations.standing import check_confirmation
from tools.assessment import Assessment
from tools.permits import Permit, issue_permit

# The state alone is one UPDATE by anybody; a person's decision is a row and an entry of the request's stream.
_ON_RECORD = """d.request_id = a.id AND d.verdict = 'approve' AND d.digest = a.digest
    AND EXISTS (SELECT 1 FROM ledger_entry e WHERE e.stream = a.id AND e.seq > 1
        AND e.kind = 'approval.decided' AND e.actor = d.decided_by_id
        AND e.facts ->> 'verdict' = 'approve' AND e.facts ->> 'digest' = a.digest
        AND coalesce((e.facts ->> 'stage')::int, 1) = d.stage
        AND e.facts ->> 'deputy_for' IS NOT DISTINCT FROM d.deputy_for_id::text
        AND e.facts ->> 'absence' IS NOT DISTINCT FROM d.absence_id::text)"""
# Whether somebody has the tool's calls to approve, and is asked in the stage of the decision.
_HAS_SEAT = """EXISTS (SELECT 1 FROM approvals_stagegroup g WHERE g.request_id = a.id AND g.place = d.stage
        AND (g.group_id IS NULL OR EXISTS (SELECT 1 FROM identities_user_groups m
            WHERE m.user_id = {who}.id AND m.group_id = g.group_id)))
    AND (
        EXISTS (SELECT 1 FROM tools_tooluserobjectpermission p JOIN auth_permission c ON c.id = p.permission_id
            WHERE p.user_id = {who}.id AND p.content_object_id = a.tool_id AND c.codename = 'approve_calls')
        OR EXISTS (SELECT 1 FROM tools_toolgroupobjectpermission p
            JOIN auth_permission c ON c.id = p.permission_id
            JOIN identities_user_groups m ON m.group_id = p.group_id
            WHERE m.user_id = {who}.id AND p.content_object_id = a.tool_id AND c.codename = 'approve_calls'))"""
_AUDITS = """EXISTS (SELECT 1 FROM identities_user_groups m JOIN auth_group r ON r.id = m.group_id
        WHERE m.user_id = {who}.id AND r.name = 'auditor')"""
# A deputy counts as long as the absence is not taken back and the absent could decide themselves. That its time has
# run out since takes nothing back: it says until when the deputy may decide.
_STANDS_IN = f"""EXISTS (SELECT 1 FROM approvals_absence s JOIN identities_user h ON h.id = s.absent_id
    WHERE s.id = d.absence_id AND s.deputy_id = u.id AND s.absent_id = d.deputy_for_id AND s.ended_at IS NULL
        AND d.decided_at >= s.begins_at AND d.decided_at < s.ends_at
        AND (s.team_id IS NULL OR s.team_id = a.team_id) AND (s.tool_id IS NULL OR s.tool_id = a.tool_id)
        AND h.is_active AND h.kind = 'person' AND h.id <> i.owner_id
        AND NOT EXISTS (SELECT 1 FROM approvals_approvalparent b
            JOIN identities_agentidentity o ON o.id = b.identity_id WHERE b.request_id = a.id AND o.owner_id = h.id)
        AND {_HAS_SEAT.format(who="h")} AND NOT {_AUDITS.format(who="h")}
        AND (s.group_id IS NULL OR approvals_is_asked_in(s.group_id, h.id, a.id, d.stage))
        AND approvals_approves_in(u.id, a.team_id))"""  # noqa: S608  constants
# Whether who approved may still approve (see `approvals.seats` and `approvals.deputies`).
_MAY = f"""u.is_active AND u.kind = 'person' AND u.id <> i.owner_id AND NOT {_AUDITS.format(who="u")}
    AND NOT EXISTS (SELECT 1 FROM approvals_approvalparent b JOIN identities_agentidentity o ON o.id = b.identity_id
        WHERE b.request_id = a.id AND o.owner_id = u.id)
    AND CASE WHEN d.absence_id IS NULL AND d.deputy_for_id IS NULL THEN {_HAS_SEAT.format(who="u")}
        ELSE {_STANDS_IN} END"""  # noqa: S608  constants
# In each stage as many people as it needs, in as many seats; a request without stages has asked nobody.
_BY_ENOUGH = """EXISTS (SELECT 1 FROM approvals_approvalstage s WHERE s.request_id = a.id)
    AND NOT EXISTS (SELECT 1 FROM approvals_approvalstage s WHERE s.request_id = a.id AND s.needed > (
        SELECT least(count(DISTINCT d.decided_by_id), count(DISTINCT coalesce(d.deputy_for_id, d.decided_by_id)))
        FROM approvals_approvaldecision d
        JOIN identities_user u ON u.id = d.decided_by_id WHERE d.stage = s.place AND {}))"""
_RECORDED = f"""{_BY_ENOUGH.format(_ON_RECORD)} AND NOT EXISTS (
    SELECT 1 FROM ledger_entry e WHERE e.stream = a.id AND e.seq > 1 AND e.kind = 'approval.voided'
)"""  # noqa: S608  constants
_MAY_STILL = f"({_BY_ENOUGH.format(f'{_ON_RECORD} AND {_MAY}')})"
# What is held for a veto once it is approved does not grow old meanwhile.
_STALE = "a.decided_at + (a.expires_at - a.created_at) + make_interval(secs => a.veto_s) <= %(now)s"
_APPROVED = f"""
SELECT a.state, a.digest, a.key, a.consumed_at IS NOT NULL, {_STALE}, {_MAY_STILL}, {_RECORDED}
FROM approvals_approvalrequest a JOIN identities_agentidentity i ON i.id = a.identity_id WHERE a.id = %(approval)s
"""  # noqa: S608  constants
# Waited for in a statement of its own: what the next one looks up is then as of after the wait.
_LOCK = "SELECT FROM approvals_approvalrequest WHERE id = %s FOR NO KEY UPDATE"
# Consuming is conditional: an approval that was voided a moment ago lets nothing through. One that is consumed
# covers the retries of its call, whatever has become of the approver.
CONSUME = f"""
UPDATE approvals_approvalrequest a SET consumed_at = coalesce(consumed_at, %(now)s)
FROM identities_agentidentity i
WHERE a.id = %(approval)s AND i.id = a.identity_id AND a.state = 'approved' AND digest = %(digest)s AND key = %(key)s
    AND {_RECORDED} AND (consumed_at IS NOT NULL OR {_MAY_STILL} AND NOT {_STALE}) RETURNING 1
"""  # noqa: S608  constants
_STATES = f"""
SELECT id, CASE WHEN state <> 'approved' OR {_RECORDED} THEN state ELSE 'unrecorded' END
FROM approvals_approvalrequest a WHERE id = ANY(%s) AND state <> 'waiting'
"""  # noqa: S608  constants
_UNRECORDED = f"""
SELECT id FROM approvals_approvalrequest a WHERE state = 'approved' AND (%s::uuid[] IS NULL OR id = ANY(%s))
    AND NOT ({_RECORDED}) ORDER BY id
"""  # noqa: S608  constants


def require(
    assessment: Assessment, *, approval_id: UUID | None, now: datetime, confirmation_id: UUID | None = None
) -> Permit:
    """Return the permit for an assessed call.

    Raises PolicyDenied when policy denies, ConfirmationRequired when the end user has to be asked, ApprovalRequired
    when a person has to be, StateConflict when what was given does not cover this very call any more.
    """
    if assessment.confirms and assessment.verdict != "DENY":
        if confirmation_id is None:
            raise ConfirmationRequired("confirmation_required", "the end user has to confirm this")
        check_confirmation(assessment, confirmation_id, now)
    if assessment.verdict != "REQUIRE_APPROVAL":
        return issue_permit(assessment, confirmation_id=confirmation_id)
    if approval_id is None:
        raise ApprovalRequired(assessment.decision.code, assessment.detail)
    _check_approval(assessment, approval_id, now)
    return issue_permit(assessment, approval_id=approval_id, confirmation_id=confirmation_id)


def _check_approval(assessment: Assessment, approval_id: UUID, now: datetime) -> None:
    with borrowed() as connection:
        row = connection.execute(_APPROVED, {"now": now, "approval": approval_id}).fetchone()
    if row is None or row[0] != "approved":
        raise StateConflict("approval_voided", "there is no standing approval for this call")
    _, digest, key, consumed, stale, may_still_approve, recorded = row
    if not recorded:
        raise StateConflict("approval_not_recorded", "nobody's decision about this call is on the record")
    if digest != assessment.digest or key != assessment.call.key:
        raise StateConflict("approval_voided", "the call is not the one that was approved")
    if not (may_still_approve or consumed):
        raise StateConflict("approval_voided", "who approved the call may not approve it any more")
    if stale and not consumed:
        raise StateConflict("approval_expired", "the approval was not used in time")


def consume(cursor: Any, *, approval_id: UUID, digest: str, key: str, now: datetime) -> bool:
    """Spend an approval on its one effect, in the caller's transaction; retries under its key stay covered."""
    cursor.execute(_LOCK, (approval_id,))
    cursor.execute(CONSUME, {"approval": approval_id, "digest": digest, "key": key, "now": now})
    return cursor.fetchone() is not None


def read_verdicts(approval_ids: list[UUID]) -> dict[UUID, str]:
    """Return the states of those requests that wait no more; an approval that nobody gave is `unrecorded`."""
    with borrowed() as connection:
        return dict(connection.execute(_STATES, (approval_ids,)).fetchall())


def find_unrecorded(cursor: Cursor, streams: list[UUID] | None) -> list[Fault]:
    """Return a fault for each approval, of the named streams or of all, without a recorded decision."""
    cursor.execute(_UNRECORDED, (streams, streams))
    detail = "it stands as approved, and no decision is recorded"
    return [Fault(approval, 2, "unrecorded", detail) for (approval,) in cursor.fetchall()]
