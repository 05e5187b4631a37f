"""Withdrawing credentials in the middle of calls: those whose calls a stop concerns end with it, not with the call.

Only a right that has gone is withdrawn, whoever sent for it: an agent may be active again by then.
"""

from __future__ import annotations

from typing import LiteralString

from runs.concerns import concerns
from tools.credentials.leasing import end_leases

_TARGET: LiteralString = "%(value)s"
# What else has to be so: an agent may act again and a tool be back in service, and other tools keep theirs.
_GONE: dict[str, LiteralString] = {
    "agent": """EXISTS (
        SELECT 1 FROM identities_agentidentity i WHERE i.id = %(value)s::uuid AND i.state <> 'active')""",
    "tool": """l.tool_id = %(value)s::uuid AND EXISTS (
        SELECT 1 FROM tools_tool t
        WHERE t.id = l.tool_id AND (t.state <> 'active' OR t.forced_open_at IS NOT NULL))""",
}


def withdraw_credentials(scope: str, target: str) -> int:
    """End the leases in force that a stop of this scope concerns; return how many have ended."""
    concerned = concerns(scope, run="r", target=_TARGET)
    of_run = f"EXISTS (SELECT 1 FROM runs_run r WHERE r.id = l.run_id AND {concerned})"  # noqa: S608  constants only
    return end_leases(f"{of_run} AND {_GONE.get(scope, 'true')}", target)
