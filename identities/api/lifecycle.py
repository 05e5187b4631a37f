"""What operators do to an agent, besides stopping it: let it act again, look at it again, end it for good."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Operation, answer_once
from agentops.api.openapi import IDEMPOTENCY_KEY
from agentops.api.serializers import BodySerializer, Fields, TextField, read_body, render_row
from agentops.api.views import ApiView
from identities.api.authentication import caller
from identities.api.proposals.serializers import EmptyBody
from identities.api.serializers import AgentSerializer, ReasonBody, UpdateAgentBody
from identities.api.views import find_agent, find_member
from identities.models import AgentIdentity
from identities.services import activate_agent, recertify_agent, revoke_agent, update_agent


class RecertifyAgentBody(BodySerializer):
    """What was looked at, and when somebody has to look again."""

    recertify_by = serializers.DateTimeField(help_text="Within a year.")
    looked_at = TextField(max_length=2_000, help_text="The record keeps it.")


class UpdateAgent(ApiView):
    """What is said about an agent."""

    @extend_schema(
        operation_id="updateAgent",
        tags=["agents"],
        parameters=[IDEMPOTENCY_KEY],
        request=UpdateAgentBody,
        responses=AgentSerializer,
    )
    def post(self, request: Request, agent_id: UUID) -> Response:
        """Change an agent's name, purpose, sponsor or end, or whether it is exposed; takes a fresh second factor."""
        actor, body = caller(request), read_body(UpdateAgentBody, request)
        agent = find_agent(actor, pk=agent_id)
        stays: Fields = {
            "name": agent.name,
            "purpose": agent.purpose,
            "owner": agent.owner,
            "expires_at": agent.ends_at,
        }
        if "sponsor" in body:
            body["sponsor"] = find_member(agent.team, body["sponsor"])

        def act() -> AgentIdentity:
            update_agent(actor=actor, agent=agent, **(stays | body))
            return agent

        return _answer(request, act)


class ActivateAgent(ApiView):
    """An agent that is to act, for the first time or again."""

    @extend_schema(
        operation_id="activateAgent",
        tags=["agents"],
        parameters=[IDEMPOTENCY_KEY],
        request=EmptyBody,
        responses=AgentSerializer,
    )
    def post(self, request: Request, agent_id: UUID) -> Response:
        """Let an agent act; takes a fresh second factor, and where a rule says so a proposal (`agent.activate`)."""
        actor, _ = caller(request), read_body(EmptyBody, request)
        agent = find_agent(actor, pk=agent_id)
        return _answer(request, lambda: activate_agent(actor=actor, agent=agent))


class RevokeAgent(ApiView):
    """An agent that is to act no more."""

    @extend_schema(
        operation_id="revokeAgent",
        tags=["agents"],
        parameters=[IDEMPOTENCY_KEY],
        request=ReasonBody,
        responses=AgentSerializer,
    )
    def post(self, request: Request, agent_id: UUID) -> Response:
        """End an agent for good, its account, keys and leases with it; takes a fresh second factor."""
        actor, body = caller(request), read_body(ReasonBody, request)
        agent = find_agent(actor, pk=agent_id)
        return _answer(request, lambda: revoke_agent(actor=actor, agent=agent, reason=body["reason"]))


class RecertifyAgent(ApiView):
    """An agent that somebody has looked at again."""

    @extend_schema(
        operation_id="recertifyAgent",
        tags=["agents"],
        parameters=[IDEMPOTENCY_KEY],
        request=RecertifyAgentBody,
        responses=AgentSerializer,
    )
    def post(self, request: Request, agent_id: UUID) -> Response:
        """Say that an agent is still wanted; its owner cannot, and one that is suspended stays so."""
        actor, body = caller(request), read_body(RecertifyAgentBody, request)
        agent = find_agent(actor, pk=agent_id)
        return _answer(request, lambda: recertify_agent(actor=actor, agent=agent, **body))


def _answer(request: Request, act: Callable[[], AgentIdentity]) -> Response:
    def shown() -> Answer:
        changed = act()
        return Answer(200, render_row(AgentSerializer, find_agent(caller(request), pk=changed.pk)))

    return answer_once(request, Operation(request.path), shown)
