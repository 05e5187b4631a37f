"""What credentials have to do with whether a call may be made at all."""

from __future__ import annotations

from tools.authority import Reason
from tools.calls import CREDENTIAL, Call
from tools.credentials.leases import is_blocked

NOT_ENDED = "credential_not_ended"


def find_unended(call: Call) -> Reason | None:
    """Return why the grant is blocked: a credential of this agent for this tool may still work somewhere."""
    if CREDENTIAL not in call.spec.config or not is_blocked(call.identity_id, call.spec.tool_id):
        return None
    return Reason("agent", NOT_ENDED, f"an earlier credential for {call.spec.name} could not be ended yet")
