"""Proposing that an agent acts, and who owns it."""

from __future__ import annotations

from rest_framework import serializers

from agentops.api.serializers import BodySerializer, Fields, TextField
from identities.api.proposals.bodies import ProposalBody, let_propose
from identities.api.views import find_agent, find_member
from identities.changes.activation import ACTIVATE
from identities.changes.ownership import HAND_OVER, arguments_of, said_of
from identities.models import User


class AgentSubject(BodySerializer):
    agent = serializers.UUIDField()


class ActivationProposal(ProposalBody):
    """That an agent acts."""

    verb = ACTIVATE
    subject = AgentSubject()


def read_activation(actor: User, body: Fields) -> Fields:
    """Return the arguments of `agent.activate`."""
    return {"agent": str(find_agent(actor, id=body["subject"]["agent"]).pk)}


class OwnerValues(BodySerializer):
    owner = TextField(max_length=150, help_text="The username of an active person of the agent's team.")


class OwnerProposal(ProposalBody):
    """Who owns an agent."""

    verb = HAND_OVER
    subject = AgentSubject()
    values = OwnerValues()


def read_owner(actor: User, body: Fields) -> Fields:
    """Return the arguments of `agent.hand_over`; all else that is said of the agent stays."""
    agent = find_agent(actor, id=body["subject"]["agent"])
    owner = find_member(agent.team, body["values"]["owner"])
    return arguments_of(agent, {**said_of(agent), "owner": owner})


let_propose(ActivationProposal, read_activation)
let_propose(OwnerProposal, read_owner)
