"""Clients as a form offers them: the agents and applications of a person's teams."""

from __future__ import annotations

from agentops.errors import NotFound
from identities.models import AgentIdentity, Application, User


def holder_choices(person: User) -> list[tuple[str, str]]:
    """Return what a field offers: the account's id, and whose account it is."""
    agents = AgentIdentity.objects.visible_to(person).exclude(state="revoked")
    applications = Application.objects.visible_to(person).filter(state="active")
    return [
        *((str(agent.service_account_id), f"the agent {agent.name}") for agent in agents),
        *((str(each.service_account_id), f"the application {each.name}") for each in applications),
    ]


def choose_holder(person: User, chosen: str) -> User:
    """Return the account that was chosen; raises NotFound for one that was not offered."""
    if chosen not in dict(holder_choices(person)):
        raise NotFound("unknown_client", "There is no such agent or application.")
    return User.objects.select_related("agent_identity__team", "application__team").get(pk=chosen)
