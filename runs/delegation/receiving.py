"""How a child takes its task: by a token that was minted for it and for this call, as an agent elsewhere would.

Checked is what the child's side knows: who it is, and of the run that calls whose run it is, for whom, in which call.
What stays of the token, which is used up, is a receipt in the child's first entry, bound to that of its parent's hop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from agentops.engine import events as e
from agentops.errors import PolicyDenied
from identities.models import AgentIdentity
from identities.oauth.compact import TokenRefused
from identities.oauth.receipts import write_call_receipt
from identities.oauth.receiving import Received, receive
from identities.oauth.tokens import AccessToken, nest_actors
from runs.models import Run

REFUSED = "hop_refused"
# Facts, which outlive an erasure.
_RECEIPT = (
    "SELECT facts->'hop'->>'receipt' FROM ledger_entry WHERE stream = %s AND kind = %s ORDER BY seq LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Brought:
    """What arrives with a task: the call's token, the tool's name to its caller, the call's key."""

    token: str
    tool: str
    key: str


def take_task(
    parent: Run, agent: AgentIdentity, brought: Brought, arguments: Mapping[str, Any]
) -> dict[str, str]:  # Any: JSON
    """Use the token of a task up, in the transaction that starts its child; return, as facts, the hop.

    Raises PolicyDenied for a token of another call, agent, user or run, or one that counts no more.
    """
    call = Received(
        agent.service_account.username,
        brought.tool,
        brought.key,
        arguments,
        parent.principal.issuer,
        parent.principal.subject,
        parent.pk,
    )
    try:
        token = receive(brought.token, call)
        _check_caller(token, parent)
    except TokenRefused as refusal:
        raise PolicyDenied(
            REFUSED, f"the token of this call is not accepted by {agent.slug}: {refusal.reason}"
        ) from None
    return {"jti": token.jti, "receipt": write_call_receipt(token, arguments, find_receipt(parent.pk))}


def find_receipt(run: UUID) -> str:
    """Return by what receipt a run took its task, "" for one that no call has started."""
    with connection.cursor() as cursor:
        cursor.execute(_RECEIPT, [run, e.RUN_STARTED])
        row = cursor.fetchone()
    return (row[0] if row else None) or ""


def _check_caller(token: AccessToken, parent: Run) -> None:
    """Raise TokenRefused unless the agent of that run calls, on behalf of those that it acts for."""
    line = [parent.identity_id, *(UUID(link["identity"]) for link in parent.line)]
    named = AgentIdentity.objects.filter(pk__in=line).values_list("pk", "service_account__username")
    by_id = dict(named)
    if token.act != nest_actors([by_id[agent] for agent in line]) or token.client_id != by_id[line[0]]:
        raise TokenRefused("caller")
