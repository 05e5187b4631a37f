"""Changes that wait for a second person: to look at, and to propose."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Operation, answer_once
from agentops.api.openapi import IDEMPOTENCY_KEY
from agentops.api.serializers import read_body, read_query, render_row, render_rows
from agentops.api.views import ApiView, ListView
from agentops.errors import NotFound
from identities.api.authentication import caller
from identities.api.proposals.bodies import any_body, find_proposable
from identities.api.proposals.serializers import (
    ProposalDetailSerializer,
    ProposalQuery,
    ProposalSerializer,
    ProposedSerializer,
)
from identities.changes import propose
from identities.models import ChangeProposal, User


class Proposals(ListView):
    """What was proposed in the caller's teams, and by the caller."""

    query = ProposalQuery

    @extend_schema(operation_id="listProposals", tags=["proposals"], responses=ProposalSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List proposals of changes, newest first."""
        rows = _visible(caller(request)).filter(**read_query(self.query, request))
        return self.answer_page(request, rows, partial(render_rows, ProposalSerializer))

    @extend_schema(
        operation_id="proposeChange", tags=["proposals"], parameters=[IDEMPOTENCY_KEY], request=any_body(),
        responses={201: ProposedSerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Propose a change, for somebody else to activate. The same again is the same proposal.

        Who may not do it together with a second person may not propose it either: 403. Answers 409 when all is
        so already.
        """
        actor, kind = caller(request), find_proposable(request.data)
        body = read_body(kind.body, request)

        def act() -> Answer:
            arguments = kind.read(actor, body)
            made = propose(actor=actor, verb=body["verb"], arguments=arguments, reason=body["reason"])
            return Answer(201, render_row(ProposedSerializer, made), address_of(made))

        return answer_once(request, Operation(request.path), act)


class Proposal(ApiView):
    """One proposal."""

    @extend_schema(operation_id="getProposal", tags=["proposals"], responses=ProposalDetailSerializer)
    def get(self, request: Request, proposal_id: UUID) -> Response:
        """Return a proposal with its differences, and whether you may decide about it."""
        viewer = caller(request)
        found = find_proposal(viewer, proposal_id)
        return Response(render_row(ProposalDetailSerializer, found, viewer=viewer))


def find_proposal(user: User, proposal_id: UUID) -> ChangeProposal:
    """Return a proposal; raises NotFound, also for one that is not the user's to see."""
    found = _visible(user).filter(pk=proposal_id).first()
    if found is None:
        raise NotFound("unknown_proposal", "There is no such proposal, or it is not for you to see.")
    return found


def address_of(proposal: ChangeProposal) -> str:
    """Return where a proposal is."""
    return reverse("api:proposal", args=[proposal.pk])


def _visible(user: User) -> QuerySet[ChangeProposal]:
    visible: QuerySet[ChangeProposal] = ChangeProposal.objects.visible_to(user)
    return visible.select_related("team", "maker", "checker")
