"""The token of a call that stays inside: for another agent of the team, or for a decision table of it.

It is minted as that of a call to a server is, and the receiver checks it in the same way: `identities.oauth.receiving`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from agentops.database import Prepared, borrowed, orm_section
from identities.oauth.receiving import Received, table_audience
from identities.oauth.signing_keys import NoSigningKey
from identities.oauth.tool_tokens import Acting, mint_tool_token
from identities.services.signing_keys import ensure_signing_key
from tools.calls import Call
from tools.delegation import ADAPTER

# Who calls, and whom: an agent's account, or a table's id. Nothing is found where either is not there.
_HOP = Prepared("""
SELECT account.username, account.token_epoch::text,
    (SELECT json_agg(u.username ORDER BY l.place) FROM unnest($3::uuid[]) WITH ORDINALITY AS l(id, place)
        JOIN identities_agentidentity p ON p.id = l.id JOIN identities_user u ON u.id = p.service_account_id)::text,
    coalesce(
        (SELECT u.username FROM identities_agentidentity a JOIN identities_user u ON u.id = a.service_account_id
            WHERE a.team_id = t.team_id AND a.slug = $4),
        (SELECT d.id::text FROM tools_decisiontable d WHERE d.team_id = t.team_id AND d.slug = $5))
FROM tools_tool t
JOIN identities_agentidentity i ON i.id = $1::uuid
JOIN identities_user account ON account.id = i.service_account_id
WHERE t.id = $2::uuid
""")


@dataclass(frozen=True, slots=True)
class Hop:
    """A call on its way inside: its token, and what is called: an agent's account or a table's id."""

    token: str
    called: str


def mint_hop(call: Call) -> Hop | None:
    """Return the call with a fresh token for whom it calls, None where the team has no such agent or table."""
    with borrowed() as connection:
        line = "{" + ",".join(map(str, call.acts_for)) + "}"
        names = [call.spec.config.get("agent"), call.spec.config.get("table")]
        rows = _HOP.rows(connection, [str(call.identity_id), str(call.spec.tool_id), line, *names])
    if not rows or rows[0][3] is None:
        return None
    account, epoch, acts_for, called = rows[0]
    return Hop(_mint(call, (account, int(epoch), tuple(orjson.loads(acts_for or "[]"))), called), called)


def arrive(call: Call, called: str) -> Received:
    """Return a call as its receiver is asked it."""
    return Received(
        _audience(call, called),
        call.spec.name,
        call.key,
        call.arguments,
        call.principal_issuer,
        call.principal_subject,
        call.run_id,
    )


def _audience(call: Call, called: str) -> str:
    return called if call.spec.adapter == ADAPTER else table_audience(UUID(called))


def _mint(call: Call, by: tuple[str, int, tuple[str, ...]], called: str) -> str:
    account, epoch, acts_for = by
    acting = Acting(
        account, epoch, call.principal_issuer, call.principal_subject, call.principal_proof, acts_for,
        call.run_id, call.spec.tool_id,
    )  # fmt: skip
    terms: dict[str, Any] = {  # Any: of different types
        "audience": _audience(call, called),
        "tool": call.spec.name,
        "key": call.key,
        "arguments": call.arguments,
    }
    try:
        return mint_tool_token(acting, **terms)
    except NoSigningKey:  # an installation's first token may be one of these
        with orm_section():
            ensure_signing_key()
        return mint_tool_token(acting, **terms)
