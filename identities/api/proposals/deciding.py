"""What people do about a proposal. Each verb is the same service that the console calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeVar
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agentops.api.idempotency import Answer, Operation, answer_once, read_key
from agentops.api.openapi import IDEMPOTENCY_KEY, REQUIRED_IDEMPOTENCY_KEY
from agentops.api.serializers import BodySerializer, Fields, read_body, render_row
from agentops.api.views import ApiView
from identities.api.authentication import caller
from identities.api.proposals.serializers import (
    EmptyBody,
    ProposedSerializer,
    RejectionBody,
    RolledBackSerializer,
    WhyBody,
)
from identities.api.proposals.views import address_of, find_proposal
from identities.changes import activate, reject, roll_back, withdraw
from identities.changes.deciding import require_state
from identities.factors import has_fresh_factor
from identities.models import ChangeProposal, User

View = TypeVar("View", bound=type[APIView])
State = ChangeProposal.State


class Deed(ApiView):
    """Something that is done about a proposal, once per key."""

    body: ClassVar[type[BodySerializer]] = EmptyBody
    needs_key: ClassVar[bool] = False

    def perform(self, actor: User, proposal: ChangeProposal, body: Fields) -> Answer:
        """Call the service; it decides who may and whether the proposal's state admits it."""
        raise NotImplementedError

    def post(self, request: Request, proposal_id: UUID) -> Response:
        """Do it."""
        read_key(request, required=self.needs_key)
        actor = caller(request)
        found, body = find_proposal(actor, proposal_id), read_body(self.body, request)
        return answer_once(
            request,
            Operation(request.path),
            lambda: self.perform(actor, found, body),
            required=self.needs_key,
        )


def described(
    operation_id: str,
    description: str,
    body: type[BodySerializer],
    responses: dict[int, type[ProposedSerializer] | type[RolledBackSerializer]],
    key: OpenApiParameter = IDEMPOTENCY_KEY,
) -> Callable[[View], View]:
    """Return a decorator that describes a deed in the OpenAPI document."""
    return extend_schema_view(
        post=extend_schema(
            operation_id=operation_id,
            description=description,
            tags=["proposals"],
            parameters=[key],
            request=body,
            responses=responses,
        )
    )


@described(
    "activateProposal",
    "Put a change into force, as the second person, with a fresh second factor. With an API key, open the window with "
    "`stepUp` first. 409 when it is decided, expired, or no longer what would be done.",
    EmptyBody,
    {200: ProposedSerializer},
    REQUIRED_IDEMPOTENCY_KEY,
)
class Activation(Deed):
    needs_key = True

    def perform(self, actor: User, proposal: ChangeProposal, body: Fields) -> Answer:
        fresh = has_fresh_factor(actor)
        return _tell(activate(actor=actor, proposal=proposal, second_factor=fresh), State.ACTIVATED)


@described(
    "rejectProposal",
    "Refuse a change, as the second person, with a fresh second factor. 409 when it is decided or expired.",
    RejectionBody,
    {200: ProposedSerializer},
    REQUIRED_IDEMPOTENCY_KEY,
)
class Rejection(Deed):
    body = RejectionBody
    needs_key = True

    def perform(self, actor: User, proposal: ChangeProposal, body: Fields) -> Answer:
        fresh = has_fresh_factor(actor)
        done = reject(actor=actor, proposal=proposal, reason=body["reason"], second_factor=fresh)
        return _tell(done, State.REJECTED)


@described(
    "withdrawProposal",
    "Take back what you proposed. 409 when it is decided or expired.",
    EmptyBody,
    {200: ProposedSerializer},
)
class Withdrawal(Deed):
    def perform(self, actor: User, proposal: ChangeProposal, body: Fields) -> Answer:
        return _tell(withdraw(actor=actor, proposal=proposal), State.WITHDRAWN)


@described(
    "rollBackProposal",
    "Bring back what was before an activated change. To tighten again is done at once, to loosen again is proposed.",
    WhyBody,
    {200: RolledBackSerializer, 201: RolledBackSerializer},
)
class RollBack(Deed):
    body = WhyBody

    def perform(self, actor: User, proposal: ChangeProposal, body: Fields) -> Answer:
        done = roll_back(actor=actor, proposal=proposal, reason=body["reason"])
        if not isinstance(done, ChangeProposal):
            return Answer(200, render_row(RolledBackSerializer, {"done": True, "proposal": None}))
        waits = render_row(RolledBackSerializer, {"done": False, "proposal": done.pk})
        return Answer(201, waits, address_of(done))


def _tell(done: ChangeProposal, asked: str) -> Answer:
    return Answer(200, render_row(ProposedSerializer, require_state(done, asked)))
