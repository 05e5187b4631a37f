"""As whom a call goes to a resource of the team: looked up when the call is assessed, for tools that name an audience.

One statement for each attempt of such a call, so that the account's epoch is of the moment; nothing for other calls.
A token with an epoch that has ended since counts nowhere, for epochs only grow.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from agentops.database import Prepared, borrowed
from tools.authority import Reason
from tools.calls import AUDIENCE, Call

UNSERVED = "audience_unserved"
# Whether the agent may act is the policy's to say; a read-back asks for one that may no longer.
_ACTING = Prepared("""
SELECT account.username, account.token_epoch::text,
    (SELECT json_agg(u.username ORDER BY l.place) FROM unnest($4::uuid[]) WITH ORDINALITY AS l(id, place)
        JOIN identities_agentidentity p ON p.id = l.id JOIN identities_user u ON u.id = p.service_account_id)::text
FROM tools_tool t
JOIN identities_agentidentity i ON i.id = $1::uuid AND i.team_id = t.team_id
JOIN identities_user account ON account.id = i.service_account_id
JOIN identities_application a ON a.audience = $3 AND a.team_id = t.team_id AND a.state = 'active'
WHERE t.id = $2::uuid
""")


@dataclass(frozen=True, slots=True)
class Acting:
    """The agent's account and its epoch, and the accounts of the agents on whose behalf it acts, the nearest first."""

    client_id: str
    epoch: int
    acts_for: tuple[str, ...] = ()


def find_acting(call: Call) -> Acting | None:
    """Return as whom the call's token is to be minted, None where there is to be none."""
    audience = call.spec.config.get(AUDIENCE)
    if audience is None:
        return None
    with borrowed() as connection:
        line = "{" + ",".join(map(str, call.acts_for)) + "}"
        rows = _ACTING.rows(connection, [str(call.identity_id), str(call.spec.tool_id), audience, line])
    return Acting(rows[0][0], int(rows[0][1]), tuple(orjson.loads(rows[0][2] or "[]"))) if rows else None


def find_unserved(call: Call, acting: Acting | None) -> Reason | None:
    """Return why a call has to wait for its token's reader: nobody of the team serves the audience any more."""
    audience = call.spec.config.get(AUDIENCE)
    if audience is None or acting is not None:
        return None
    detail = f"no active application of the tool's team serves {audience}: no token is minted for it"
    return Reason("tool", UNSERVED, detail)
