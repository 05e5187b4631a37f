"""Agents to look at, and the second factor of a person's key."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Operation, answer_once
from agentops.api.openapi import IDEMPOTENCY_KEY
from agentops.api.serializers import read_body, read_query, render_row, render_rows
from agentops.api.views import ApiView, ListView
from agentops.errors import NotFound, PolicyDenied
from identities.api.authentication import caller
from identities.api.serializers import (
    AgentQuery,
    AgentSerializer,
    CreateAgentBody,
    KeyProofBody,
    KeyProofSerializer,
    StepUpBody,
    StepUpSerializer,
)
from identities.models import AgentIdentity, ApiKey, Team, User
from identities.services import begin_key_proof, create_agent, step_up, step_up_by_key


class Agents(ListView):
    """The agents that the caller may start or govern."""

    query = AgentQuery

    @extend_schema(operation_id="listAgents", tags=["agents"], responses=AgentSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List agents, newest first."""
        filters = read_query(self.query, request)
        rows = (
            AgentIdentity.objects.visible_to(caller(request))
            .filter(**filters)
            .select_related("team", "sponsor")
        )
        return self.answer_page(request, rows, partial(render_rows, AgentSerializer))

    @extend_schema(
        operation_id="createAgent",
        tags=["agents"],
        parameters=[IDEMPOTENCY_KEY],
        request=CreateAgentBody,
        responses={201: AgentSerializer},
    )
    def post(self, request: Request) -> Response:
        """Create an agent as a draft: it has no grants and no keys, and does not act before `activateAgent`."""
        actor, body = caller(request), read_body(CreateAgentBody, request)
        team = find_team(actor, body.pop("team"))
        named = {role: find_member(team, body[role]) for role in ("owner", "sponsor") if body[role]}

        def act() -> Answer:
            made = create_agent(actor=actor, team=team, **(body | named))
            return Answer(201, render_row(AgentSerializer, made), reverse("api:agent", args=[made.pk]))

        return answer_once(request, Operation(request.path), act)


class Agent(ApiView):
    """One agent."""

    @extend_schema(operation_id="getAgent", tags=["agents"], responses=AgentSerializer)
    def get(self, request: Request, agent_id: UUID) -> Response:
        """Return an agent."""
        return Response(render_row(AgentSerializer, find_agent(caller(request), id=agent_id)))


class StepUp(ApiView):
    """The second factor of a person's key."""

    @extend_schema(operation_id="stepUp", tags=["approvals"], request=StepUpBody, responses=StepUpSerializer)
    def post(self, request: Request) -> Response:
        """Open a window of at most 60 seconds in which this key may decide about approvals.

        Give a code, or what a security key answered to `beginKeyProof`.
        """
        key, body = _key_of(request), read_body(StepUpBody, request)
        if "answer" in body:
            done = step_up_by_key(key=key, request=request._request, answer=body["answer"])
        else:
            done = step_up(key=key, otp=body["otp"])
        return Response(render_row(StepUpSerializer, done))


class KeyProof(ApiView):
    """A security key that is to prove that its person is there."""

    @extend_schema(
        operation_id="beginKeyProof",
        tags=["approvals"],
        request=KeyProofBody,
        responses=KeyProofSerializer,
    )
    def post(self, request: Request) -> Response:
        """Return what the caller's security key is to sign, within two minutes; `stepUp` takes the answer, once.

        Keys answer for the one address that they were added at, in production `PUBLIC_URL`.
        """
        key, body = _key_of(request), read_body(KeyProofBody, request)
        options = begin_key_proof(key=key, request=request._request, about=body["about"])
        return Response(render_row(KeyProofSerializer, {"options": options}))


def _key_of(request: Request) -> ApiKey:
    if not isinstance(request.auth, ApiKey):
        raise PolicyDenied("needs_api_key", "A session is verified in the console, not here.")
    return request.auth


def find_team(user: User, slug: str) -> Team:
    """Return a team of the caller's by its slug; raises NotFound."""
    found = Team.objects.visible_to(user).filter(slug=slug).first()
    if found is None:
        raise NotFound("unknown_team", "There is no such team, or you are not on it.")
    return found


def find_member(team: Team, username: str) -> User:
    """Return an active person of a team; raises NotFound."""
    people = User.objects.filter(kind=User.Kind.PERSON, is_active=True, teams=team)
    found = people.filter(username=username).first()
    if found is None:
        raise NotFound("unknown_person", "There is no such person in the agent's team.")
    return found


def find_agent(user: User, **by: object) -> AgentIdentity:
    """Return the agent if the user may see it; raises NotFound."""
    found = AgentIdentity.objects.visible_to(user).select_related("team", "sponsor").filter(**by).first()
    if found is None:
        raise NotFound("unknown_agent", "There is no such agent, or it is not for you to use.")
    return found
