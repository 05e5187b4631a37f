"""Withdrawing credentials in the middle of calls: those whose calls a stop concerns end with it, not with the call.

Only a right that has gone is withdrawn, whoever sent for it: an agent may be active again by then.
"""

from __future__ import annotations

from typing import LiteralString

from tools.credentials.leasing import end_leases

_OF_RUN: LiteralString = "EXISTS (SELECT 1 FROM runs_run r WHERE r.id = l.run_id AND {})"
# Which leases a stop concerns, by its scope; every condition takes the target, as text.
_CONCERNED: dict[str, LiteralString] = {
    "run": "l.run_id = %(value)s::uuid",
    "agent": """EXISTS (
        SELECT 1 FROM identities_agentidentity i WHERE i.id = %(value)s::uuid AND i.state <> 'active')
        AND (l.identity_id = %(value)s::uuid OR EXISTS (SELECT 1 FROM runs_run r WHERE r.id = l.run_id
            AND r.line @> jsonb_build_array(jsonb_build_object('identity', %(value)s::text))))""",
    "tool": """l.tool_id = %(value)s::uuid AND EXISTS (
        SELECT 1 FROM tools_tool t
        WHERE t.id = l.tool_id AND (t.state <> 'active' OR t.forced_open_at IS NOT NULL))""",
    "application": _OF_RUN.format("r.application_id = %(value)s::uuid"),
    "person": _OF_RUN.format("r.started_by_id = %(value)s::uuid"),
    "principal": _OF_RUN.format("r.principal_id = %(value)s::uuid"),
    "credential": _OF_RUN.format("r.credential_id = %(value)s::uuid"),
    "provider": """EXISTS (SELECT 1 FROM runs_run r JOIN runs_agentversion v ON v.id = r.agent_version_id
        WHERE r.id = l.run_id AND v.planner = %(value)s)""",
    "everything": "%(value)s = ''",
}


def withdraw_credentials(scope: str, target: str) -> int:
    """End the leases in force that a stop of this scope concerns; return how many have ended."""
    return end_leases(_CONCERNED[scope], target)
