"""Letting an agent act, as a change that a team may have two people sign."""

from __future__ import annotations

from identities.changes.change import Change, Fields
from identities.models import AgentIdentity, User

ACTIVATE = "agent.activate"
OPERATE = "identities.operate_agent"


def describe_activation(agent: AgentIdentity) -> Change:
    """Describe it. It loosens nothing: all that the agent may do was signed when that was granted."""
    return Change(
        verb=ACTIVATE,
        subject=str(agent.id),
        team=agent.team,
        permission=OPERATE,
        title=f"Let {agent} act",
        arguments={"agent": str(agent.id)},
        before={"state": agent.state},
        after={"state": AgentIdentity.State.ACTIVE.value},
    )


def carry_out_activation(actor: User, arguments: Fields) -> object:
    """Activate the agent that a proposal names."""
    from identities.services import activate_agent  # which describes itself here

    return activate_agent(actor=actor, agent=AgentIdentity.objects.get(pk=arguments["agent"]))
