"""Conversations that agents passed to people."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeVar
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agentops.api.idempotency import Answer, Operation, answer_once
from agentops.api.openapi import IDEMPOTENCY_KEY
from agentops.api.serializers import BodySerializer, Fields, read_body, read_query, render_row, render_rows
from agentops.api.views import ApiView, ListView
from agentops.errors import NotFound
from identities.api.authentication import caller
from identities.models import User
from runs.answering import answer_handover, claim_handover, close_handover, release_handover
from runs.api.bodies import ClosingBody, HandoverQuery, MessageBody
from runs.api.contents import read_reasons
from runs.api.serializers import AnsweredHandoverSerializer, ConversationSerializer, HandoverSerializer
from runs.models import Handover
from runs.querysets import HandoverQuerySet

View = TypeVar("View", bound=type[APIView])


class Handovers(ListView):
    """The conversations of the runs that the caller may see."""

    query = HandoverQuery

    @extend_schema(operation_id="listHandovers", tags=["handovers"], responses=HandoverSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List conversations that were handed over, newest first."""
        rows = _visible(caller(request))
        is_open = read_query(self.query, request).get("open")
        if is_open is not None:
            rows = rows.open() if is_open else rows.closed()

        def render(page: list[Handover]) -> list[Fields]:
            return render_rows(HandoverSerializer, page, reasons=read_reasons(page))

        return self.answer_page(request, rows, render)


def _described(
    operation_id: str, description: str, body: type[BodySerializer] | None = None
) -> Callable[[View], View]:
    return extend_schema_view(
        post=extend_schema(
            operation_id=operation_id, description=description, tags=["handovers"], parameters=[IDEMPOTENCY_KEY],
            request=body, responses={202: AnsweredHandoverSerializer},
        )
    )  # fmt: skip


class HandoverDetail(ApiView):
    """One conversation."""

    @extend_schema(operation_id="getHandover", tags=["handovers"], responses=ConversationSerializer)
    def get(self, request: Request, handover_id: UUID) -> Response:
        """Return the conversation in full, with who said what."""
        return Response(render_row(ConversationSerializer, _find(caller(request), handover_id)))


class HandoverVerb(ApiView):
    """What a person does about a conversation; the answer shows it as it then stands."""

    body: ClassVar[type[BodySerializer] | None] = None

    def perform(self, actor: User, handover: Handover, body: Fields) -> None:
        """Call the service; it decides who may."""
        raise NotImplementedError

    def post(self, request: Request, handover_id: UUID) -> Response:
        """Tell the conversation."""
        actor = caller(request)
        handover = _find(actor, handover_id)
        body = read_body(self.body, request) if self.body else {}

        def act() -> Answer:
            self.perform(actor, handover, body)
            return Answer(202, render_row(AnsweredHandoverSerializer, _find(actor, handover_id)))

        return answer_once(request, Operation(request.path), act)


@_described(
    "claimHandover",
    "Take the conversation upon yourself: others are kept from answering it for half an hour.",
)
class HandoverClaim(HandoverVerb):
    def perform(self, actor: User, handover: Handover, body: Fields) -> None:
        claim_handover(actor=actor, handover=handover)


@_described("releaseHandover", "Let others have a conversation that you have claimed.")
class HandoverRelease(HandoverVerb):
    def perform(self, actor: User, handover: Handover, body: Fields) -> None:
        release_handover(actor=actor, handover=handover)


@_described("answerHandover", "Answer the conversation; the run goes on with what you say.", MessageBody)
class HandoverAnswer(HandoverVerb):
    body = MessageBody

    def perform(self, actor: User, handover: Handover, body: Fields) -> None:
        answer_handover(actor=actor, handover=handover, text=body["text"])


@_described(
    "closeHandover",
    "End the conversation with your answer to the user; the run completes with it.",
    ClosingBody,
)
class HandoverClosing(HandoverVerb):
    body = ClosingBody

    def perform(self, actor: User, handover: Handover, body: Fields) -> None:
        close_handover(actor=actor, handover=handover, outcome=body["outcome"], text=body["text"])


def _visible(user: User) -> HandoverQuerySet:
    return Handover.objects.visible_to(user).select_related("run__identity", "claimed_by")


def _find(user: User, handover_id: UUID) -> Handover:
    found = _visible(user).filter(pk=handover_id).first()
    if found is None:
        raise NotFound("unknown_handover", "There is no such conversation, or it is not for you to see.")
    return found
