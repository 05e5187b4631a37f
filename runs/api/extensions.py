"""Runs that ask to go on beyond a limit of their own, and the decision about it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Operation, answer_once, read_key
from agentops.api.openapi import REQUIRED_IDEMPOTENCY_KEY
from agentops.api.serializers import (
    AmountField,
    BodySerializer,
    Fields,
    NumberField,
    QuerySerializer,
    TextField,
    WordField,
    read_body,
    read_query,
    render_row,
    render_rows,
)
from agentops.api.views import ApiView, ListView
from agentops.errors import NotFound
from identities.api.authentication import caller
from identities.factors import has_fresh_factor
from identities.models import User
from runs.api.words import LIMITS_REACHED
from runs.extensions import REASON_LIMIT, More, grant_extension, refuse_extension
from runs.models import Extension
from runs.querysets import ExtensionQuerySet
from runs.words import read_progress

MOST = 2**31 - 1


class AmountSerializer(serializers.Serializer[Any]):  # Any: a plain document
    steps = serializers.IntegerField()
    tokens = serializers.IntegerField()
    usd = serializers.DecimalField(12, 4)
    seconds = serializers.IntegerField()


class DecidedExtensionSerializer(serializers.Serializer[Extension]):
    """A run that asks to go on, without its words."""

    id = serializers.UUIDField()
    run = serializers.UUIDField(source="run_id")
    agent = serializers.CharField(source="identity.slug")
    state = serializers.ChoiceField(Extension.State.choices)
    limit = serializers.ChoiceField(LIMITS_REACHED, help_text="Which limit was reached.")
    most = serializers.SerializerMethodField(help_text="The most that may be granted of each unit.")
    granted = serializers.SerializerMethodField(help_text="What was granted; null unless it was.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    decided_by = serializers.CharField(source="decided_by.username", allow_null=True, default=None)

    @extend_schema_field(AmountSerializer)
    def get_most(self, asked: Extension) -> Fields:
        return _amount(asked, "most_")

    @extend_schema_field(AmountSerializer(allow_null=True))
    def get_granted(self, asked: Extension) -> Fields | None:
        return _amount(asked, "") if asked.state == Extension.State.GRANTED else None


class ExtensionSerializer(DecidedExtensionSerializer):
    """A run that asks to go on. `progress` is what it has done, and has yet to do; null once it was erased.

    `progress.said` are the model's words.
    """

    progress = serializers.SerializerMethodField()

    @extend_schema_field({"type": ["object", "null"], "additionalProperties": True})
    def get_progress(self, asked: Extension) -> dict[str, Any] | None:  # Any: JSON
        progress: dict[str, Any] | None = self.context["progress"].get(asked.pk)
        return progress


class ExtensionQuery(QuerySerializer):
    state = serializers.ChoiceField(Extension.State.choices, required=False)


class ExtensionDecisionBody(BodySerializer):
    """Grant some of each unit, at most what the question says, or refuse."""

    verdict = WordField([("grant", "grant"), ("refuse", "refuse")])
    steps = NumberField(required=False, default=0, min_value=0, max_value=MOST)
    tokens = NumberField(required=False, default=0, min_value=0, max_value=MOST)
    usd = AmountField(12, 4, required=False, default=Decimal(0), min_value=Decimal(0))
    seconds = NumberField(required=False, default=0, min_value=0, max_value=MOST)
    reason = TextField(
        required=False, default="", allow_blank=True, max_length=REASON_LIMIT,
        help_text="Needed to refuse. The model is told why it may go on.",
    )  # fmt: skip


class Extensions(ListView):
    """The questions of the runs that the caller may see."""

    query = ExtensionQuery

    @extend_schema(
        operation_id="listExtensions", tags=["extensions"], responses=ExtensionSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        """List runs that ask, or asked, to go on, newest first."""
        rows = _visible(caller(request)).filter(**read_query(self.query, request))
        return self.answer_page(request, rows, _render)


class ExtensionDetail(ApiView):
    """One question."""

    @extend_schema(operation_id="getExtension", tags=["extensions"], responses=ExtensionSerializer)
    def get(self, request: Request, extension_id: UUID) -> Response:
        """Return a question with what the run has done so far."""
        return Response(_render([_find(caller(request), extension_id)])[0])


class ExtensionDecision(ApiView):
    """The decision about a run that asks to go on."""

    @extend_schema(
        operation_id="decideExtension",
        tags=["extensions"],
        parameters=[REQUIRED_IDEMPOTENCY_KEY],
        request=ExtensionDecisionBody,
        responses=DecidedExtensionSerializer,
    )
    def post(self, request: Request, extension_id: UUID) -> Response:
        """Let the run go on with a bounded amount more, or not, as a person with a fresh second factor.

        What is granted is reserved of shared budgets at once: 409 `budget_short` where they have too little left.
        """
        read_key(request, required=True)
        actor, body = caller(request), read_body(ExtensionDecisionBody, request)
        asked = _find(actor, extension_id)

        def act() -> Answer:
            return Answer(200, render_row(DecidedExtensionSerializer, _decide(actor, asked, body)))

        return answer_once(request, Operation(f"extensions/{extension_id}/decision"), act, required=True)


def _decide(actor: User, asked: Extension, body: Fields) -> Extension:
    is_fresh = has_fresh_factor(actor)
    if body["verdict"] == "refuse":
        return refuse_extension(actor=actor, extension=asked, reason=body["reason"], second_factor=is_fresh)
    more = More(body["steps"], body["tokens"], body["usd"], body["seconds"])
    return grant_extension(
        actor=actor, extension=asked, more=more, reason=body["reason"], second_factor=is_fresh
    )


def _amount(asked: Extension, prefix: str) -> Fields:
    told = {unit: getattr(asked, f"{prefix}{unit}") for unit in ("steps", "tokens", "usd", "seconds")}
    return render_row(AmountSerializer, told)


def _visible(user: User) -> ExtensionQuerySet:
    return Extension.objects.visible_to(user).select_related("identity", "decided_by").order_by("-id")


def _find(user: User, extension_id: UUID) -> Extension:
    found = _visible(user).filter(pk=extension_id).first()
    if found is None:
        raise NotFound("unknown_extension", "There is no such question, or it is not for you to see.")
    return found


def _render(asked: list[Extension]) -> list[Fields]:
    return render_rows(ExtensionSerializer, asked, progress=read_progress(asked))
