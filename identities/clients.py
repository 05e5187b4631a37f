"""Service accounts and what they are of: an agent, or an application."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models import Q

from identities.models import AgentIdentity, Application, User


def owner_of(account: User) -> AgentIdentity | Application:
    """Return the agent or application that a service account is of."""
    return account.agent_identity if account.kind == User.Kind.AGENT else account.application


def stream_of(account: User) -> tuple[UUID, str]:
    """Return the ledger stream of a client, and that stream's kind."""
    return owner_of(account).pk, "identity" if account.kind == User.Kind.AGENT else "application"


def find_client(client_id: str) -> User | None:
    """Return the service account by its name, with what it is of."""
    # An account that is of nobody, as a row of a half-made one would be, is no client.
    machines = User.objects.filter(Q(agent_identity__isnull=False) | Q(application__isnull=False))
    return machines.select_related("agent_identity", "application").filter(username=client_id).first()


def may_act(account: User, now: datetime) -> bool:
    """Return whether the agent or application behind the account may do anything now."""
    if not account.is_active:
        return False
    if account.kind == User.Kind.AGENT:
        return account.agent_identity.may_act(now)
    return account.application.state == Application.State.ACTIVE
