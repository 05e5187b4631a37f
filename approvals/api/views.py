"""The inbox and the decision. The decision is the same service that the console calls."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Operation, answer_once, read_key
from agentops.api.openapi import REQUIRED_IDEMPOTENCY_KEY
from agentops.api.serializers import Fields, read_body, read_query, render_row, render_rows
from agentops.api.views import ApiView, ListView
from agentops.errors import NotFound
from approvals.api.evidence import read_many
from approvals.api.serializers import ApprovalQuery, ApprovalSerializer, DecidedSerializer, DecisionBody
from approvals.batches.opened import note_opened
from approvals.denials import read_presets
from approvals.models import ApprovalDecision, ApprovalRequest
from approvals.services import decide
from approvals.stages import read_stages
from approvals.unready import is_unready
from identities.api.authentication import caller, signature_of
from identities.factors import has_fresh_factor
from identities.models import User


class Approvals(ListView):
    """The requests that the caller may see."""

    query = ApprovalQuery

    @extend_schema(operation_id="listApprovals", tags=["approvals"], responses=ApprovalSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List requests for approval, newest first; those of a change set once that is offered."""
        filters = read_query(self.query, request)
        rows = _visible(caller(request)).exclude(is_unready())
        is_decidable = filters.pop("decidable", None)
        if is_decidable is not None:
            mine = Q(pk__in=ApprovalRequest.objects.decidable_by(caller(request)).values("pk"))
            rows = rows.filter(mine if is_decidable else ~mine)
        return self.answer_page(request, rows.filter(**filters), _render)


class Approval(ApiView):
    """One request."""

    @extend_schema(operation_id="getApproval", tags=["approvals"], responses=ApprovalSerializer)
    def get(self, request: Request, approval_id: UUID) -> Response:
        """Return a request with the evidence for its decision. For people it counts as opened, as batches ask."""
        found = find_request(caller(request), approval_id)
        note_opened(caller(request), found)
        return Response(_render([found])[0])


class Decision(ApiView):
    """The decision about a request."""

    @extend_schema(
        operation_id="decideApproval",
        tags=["approvals"],
        parameters=[REQUIRED_IDEMPOTENCY_KEY],
        request=DecisionBody,
        responses=DecidedSerializer,
    )
    def post(self, request: Request, approval_id: UUID) -> Response:
        """Approve or deny, as a person with a fresh second factor.

        With an API key, open the window with `stepUp` first; where a security key has to sign, `beginKeyProof` is told
        what about: the verdict, a colon, and the digest. Answers 409 when the request is decided or
        expired, or when the call is not the one that the digest names.
        """
        read_key(request, required=True)
        found = find_request(caller(request), approval_id)
        body = read_body(DecisionBody, request)

        def act() -> Answer:
            decided = decide(
                actor=caller(request),
                request=found,
                verdict=body["verdict"],
                reason=body["reason"],
                digest=body["digest"],
                channel=ApprovalDecision.Channel.API,
                second_factor=has_fresh_factor(caller(request)),
                signature=signature_of(request, f"{body['verdict']}:{body['digest']}"),
                preset=body["preset"],
            )
            return Answer(200, render_row(DecidedSerializer, decided))

        return answer_once(request, Operation(f"approvals/{approval_id}/decision"), act, required=True)


def _visible(user: User) -> QuerySet[ApprovalRequest]:
    visible: QuerySet[ApprovalRequest] = ApprovalRequest.objects.visible_to(user)
    return visible.select_related("identity", "tool", "tool_version", "edited_by").prefetch_related(
        "decisions__decided_by", "decisions__deputy_for"
    )


def find_request(user: User, approval_id: UUID) -> ApprovalRequest:
    """Return a request that the caller may see; raises NotFound."""
    found = _visible(user).filter(pk=approval_id).first()
    if found is None:
        raise NotFound("unknown_approval", "There is no such request, or it is not for you to see.")
    return found


def _render(requests: list[ApprovalRequest]) -> list[Fields]:
    evidence, stages = read_many(each.pk for each in requests), read_stages(requests)
    presets = read_presets(each.team_id for each in requests)
    return render_rows(ApprovalSerializer, requests, evidence=evidence, stages=stages, presets=presets)
