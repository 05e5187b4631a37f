"""Runs that are parked because drive after drive has failed, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Operation, answer_once
from agentops.api.openapi import IDEMPOTENCY_KEY
from agentops.api.serializers import (
    BodySerializer,
    QuerySerializer,
    TextField,
    read_body,
    read_query,
    render_row,
)
from agentops.api.views import ApiView, ListView
from agentops.errors import NotFound
from identities.api.authentication import caller
from identities.models import User
from runs.dead_letters import REASON_LIMIT, discard_letter, redrive_letter
from runs.models import DeadLetter
from runs.querysets import DeadLetterQuerySet


class DeadLetterSerializer(serializers.Serializer[DeadLetter]):
    """A parked run. What it was about: the entries of its stream, up to `entry`."""

    id = serializers.UUIDField()
    run = serializers.UUIDField(source="run_id")
    agent = serializers.CharField(source="run.identity.slug")
    state = serializers.ChoiceField(DeadLetter.State.choices)
    reason = serializers.ChoiceField(DeadLetter.Reason.choices)
    error = serializers.CharField(help_text="What was raised, and where; empty where whoever drove it died.")
    attempts = serializers.IntegerField(help_text="How many drives in a row have failed.")
    entry = serializers.IntegerField(help_text="The last entry of the run's stream.")
    parked_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    closed_by = serializers.CharField(source="closed_by.username", allow_null=True, default=None)


class DeadLetterQuery(QuerySerializer):
    state = serializers.ChoiceField(DeadLetter.State.choices, required=False)


class RedriveBody(BodySerializer):
    """Why it is driven again, if that is worth a word."""

    reason = TextField(required=False, default="", allow_blank=True, max_length=REASON_LIMIT)


class DiscardBody(BodySerializer):
    """Why it is given up."""

    reason = TextField(min_length=1, max_length=REASON_LIMIT)


class DeadLetters(ListView):
    """The parked runs that the caller may see."""

    query = DeadLetterQuery

    @extend_schema(
        operation_id="listDeadLetters", tags=["dead-letters"], responses=DeadLetterSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        """List runs that are parked, or were, newest first."""
        rows = _visible(caller(request)).filter(**read_query(self.query, request))
        return self.answer_page(
            request, rows, lambda found: [render_row(DeadLetterSerializer, letter) for letter in found]
        )


class DeadLetterDetail(ApiView):
    """One parked run."""

    @extend_schema(operation_id="getDeadLetter", tags=["dead-letters"], responses=DeadLetterSerializer)
    def get(self, request: Request, letter_id: UUID) -> Response:
        """Return why a run was parked, after how many drives, and where its stream ends."""
        return Response(render_row(DeadLetterSerializer, _find(caller(request), letter_id)))


class Redrive(ApiView):
    """The word that has a parked run driven again."""

    @extend_schema(
        operation_id="redriveDeadLetter", tags=["dead-letters"], parameters=[IDEMPOTENCY_KEY], request=RedriveBody,
        responses=DeadLetterSerializer,
    )  # fmt: skip
    def post(self, request: Request, letter_id: UUID) -> Response:
        """Have a parked run driven again, with all its tries."""
        actor, body = caller(request), read_body(RedriveBody, request)
        letter = _find(actor, letter_id)
        return _answer(request, lambda: redrive_letter(actor=actor, letter=letter, **body))


class Discard(ApiView):
    """The word that gives a parked run up."""

    @extend_schema(
        operation_id="discardDeadLetter", tags=["dead-letters"], parameters=[IDEMPOTENCY_KEY], request=DiscardBody,
        responses=DeadLetterSerializer,
    )  # fmt: skip
    def post(self, request: Request, letter_id: UUID) -> Response:
        """Give a parked run up: it halts as `killed`, with this reason on its record."""
        actor, body = caller(request), read_body(DiscardBody, request)
        letter = _find(actor, letter_id)
        return _answer(request, lambda: discard_letter(actor=actor, letter=letter, **body))


def _answer(request: Request, close: Callable[[], DeadLetter]) -> Response:
    return answer_once(
        request, Operation(request.path), lambda: Answer(200, render_row(DeadLetterSerializer, close()))
    )


def _visible(user: User) -> DeadLetterQuerySet:
    return DeadLetter.objects.visible_to(user).select_related("run__identity", "closed_by").order_by("-id")


def _find(user: User, letter_id: UUID) -> DeadLetter:
    found = _visible(user).filter(pk=letter_id).first()
    if found is None:
        raise NotFound("unknown_dead_letter", "There is no such dead letter, or it is not for you to see.")
    return found
