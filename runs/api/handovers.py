"""Conversations that agents passed to people."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Operation, answer_once
from agentops.api.openapi import IDEMPOTENCY_KEY
from agentops.api.serializers import Fields, read_body, read_query, render_row, render_rows
from agentops.api.views import ApiView, ListView
from agentops.errors import NotFound
from identities.api.authentication import caller
from identities.models import User
from runs.api.bodies import HandoverQuery, MessageBody
from runs.api.contents import read_reasons
from runs.api.serializers import AnsweredHandoverSerializer, HandoverSerializer
from runs.models import Handover
from runs.querysets import HandoverQuerySet
from runs.services import answer_handover


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


class HandoverAnswer(ApiView):
    """A person's answer in place of the agent's."""

    @extend_schema(
        operation_id="answerHandover",
        tags=["handovers"],
        parameters=[IDEMPOTENCY_KEY],
        request=MessageBody,
        responses={202: AnsweredHandoverSerializer},
    )
    def post(self, request: Request, handover_id: UUID) -> Response:
        """Answer the conversation; the run goes on with what you say."""
        actor = caller(request)
        handover = _find(actor, handover_id)
        body = read_body(MessageBody, request)

        def act() -> Answer:
            answer_handover(actor=actor, handover=handover, text=body["text"])
            return Answer(202, render_row(AnsweredHandoverSerializer, _find(actor, handover_id)))

        return answer_once(request, Operation(request.path), act)


def _visible(user: User) -> HandoverQuerySet:
    return Handover.objects.visible_to(user).select_related("run__identity")


def _find(user: User, handover_id: UUID) -> Handover:
    found = _visible(user).filter(pk=handover_id).first()
    if found is None:
        raise NotFound("unknown_handover", "There is no such conversation, or it is not for you to see.")
    return found
