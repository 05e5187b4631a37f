"""What end users are asked to confirm: fetched, shown and answered by the application through which they are served."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Operation, answer_once, read_key
from agentops.api.openapi import REQUIRED_IDEMPOTENCY_KEY
from agentops.api.serializers import (
    BodySerializer,
    Fields,
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
from approvals.api.evidence import read_many
from approvals.closing import REASON_LIMIT
from approvals.confirmations.answering import answer_confirmation
from approvals.models import Confirmation
from identities.api.authentication import caller
from identities.models import User
from runs.api.bodies import PrincipalBody
from runs.api.principals import read_proof
from tools.models import Effect

TOKEN_LIMIT = 16_384


class ConfirmationQuery(QuerySerializer):
    state = serializers.ChoiceField(Confirmation.State.choices, required=False)
    run = serializers.UUIDField(required=False, source="subject_ref")


class ConfirmationAnswerBody(BodySerializer):
    """The user's answer, with what proves that it is theirs.

    That is `subject_token`; or `principal`, if the application is trusted to name users.
    """

    verdict = WordField([("confirm", "confirm"), ("refuse", "refuse")])
    digest = TextField(min_length=64, max_length=64, help_text="Of what the user was shown.")
    subject_token = TextField(
        required=False,
        min_length=1,
        max_length=TOKEN_LIMIT,
        help_text="A token of the user's, of an issuer that is configured for the application; verified, not kept.",
    )
    principal = PrincipalBody(required=False)
    reason = TextField(
        required=False, default="", allow_blank=True, max_length=REASON_LIMIT,
        help_text="Why not, in the user's words; the agent is told.",
    )  # fmt: skip


class AnsweredConfirmationSerializer(serializers.Serializer[Confirmation]):
    """A question to an end user, without its words."""

    id = serializers.UUIDField()
    state = serializers.ChoiceField(Confirmation.State.choices)
    run = serializers.UUIDField(source="subject_ref")
    agent = serializers.CharField(source="identity.slug")
    tool = serializers.CharField(source="tool.name")
    tool_version = serializers.IntegerField(source="tool_version.number")
    effect = serializers.ChoiceField(Effect.choices)
    amount = serializers.DecimalField(20, 4, allow_null=True)
    currency = serializers.CharField(allow_blank=True)
    digest = serializers.CharField(help_text="What the answer is bound to; send it back.")
    proof = serializers.ChoiceField(
        Confirmation.Proof.choices, allow_blank=True, help_text="How it is known that the user has answered."
    )
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    consumed_at = serializers.DateTimeField(allow_null=True)


class ConfirmationSerializer(AnsweredConfirmationSerializer):
    """A question to an end user: shall exactly this be done? `shown` is what to show them, null once it was erased.

    It holds the `statement` in plain words, `arguments`, and where the tool declares one the `preview` of what changes.
    Its words may be a model's: show them as text.
    """

    principal = serializers.SerializerMethodField()
    shown = serializers.SerializerMethodField()

    @extend_schema_field(PrincipalBody)
    def get_principal(self, asked: Confirmation) -> dict[str, str]:
        return {"issuer": asked.principal.issuer, "subject": asked.principal.subject}

    @extend_schema_field({"type": ["object", "null"], "additionalProperties": True})
    def get_shown(self, asked: Confirmation) -> dict[str, Any] | None:  # Any: JSON
        shown: dict[str, Any] | None = self.context["shown"].get(asked.pk)
        return shown


class Confirmations(ListView):
    """What the users of the calling application are asked, or for people those of their teams."""

    query = ConfirmationQuery

    @extend_schema(
        operation_id="listConfirmations", tags=["confirmations"], responses=ConfirmationSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        """List what end users are asked, newest first."""
        rows = _visible(caller(request)).filter(**read_query(self.query, request))
        return self.answer_page(request, rows, _render)


class ConfirmationDetail(ApiView):
    """One question to an end user."""

    @extend_schema(operation_id="getConfirmation", tags=["confirmations"], responses=ConfirmationSerializer)
    def get(self, request: Request, confirmation_id: UUID) -> Response:
        """Return a question with what to show the user."""
        return Response(_render([_find(caller(request), confirmation_id)])[0])


class ConfirmationAnswer(ApiView):
    """The end user's answer."""

    @extend_schema(
        operation_id="answerConfirmation",
        tags=["confirmations"],
        parameters=[REQUIRED_IDEMPOTENCY_KEY],
        request=ConfirmationAnswerBody,
        responses=AnsweredConfirmationSerializer,
    )
    def post(self, request: Request, confirmation_id: UUID) -> Response:
        """Say, as the application, that the user confirms or refuses exactly this.

        403 `not_the_application` for anybody else, people included; 403 `principal_not_proven` or `not_the_user`
        without proof that it is the run's user. 409 when it was answered, has expired or is void, or the digest is
        of another call.
        """
        read_key(request, required=True)
        actor, body = caller(request), read_body(ConfirmationAnswerBody, request)
        asked, named = _find(actor, confirmation_id), body.get("principal")
        proven = read_proof(request, actor, body.get("subject_token"))

        def act() -> Answer:
            answered = answer_confirmation(
                actor=actor, confirmation=asked, verdict=body["verdict"], digest=body["digest"], proven=proven,
                named=(named["issuer"], named["subject"]) if named else None, reason=body["reason"],
            )  # fmt: skip
            return Answer(200, render_row(AnsweredConfirmationSerializer, answered))

        operation = Operation(f"confirmations/{confirmation_id}/answer", unmarked=("subject_token",))
        return answer_once(request, operation, act, required=True)


def _visible(user: User) -> QuerySet[Confirmation]:
    related = "identity", "tool", "tool_version", "principal", "application"
    return Confirmation.objects.visible_to(user).select_related(*related)


def _find(user: User, confirmation_id: UUID) -> Confirmation:
    found = _visible(user).filter(pk=confirmation_id).first()
    if found is None:
        raise NotFound("unknown_confirmation", "There is no such confirmation, or it is not for you to see.")
    return found


def _render(asked: list[Confirmation]) -> list[Fields]:
    return render_rows(ConfirmationSerializer, asked, shown=read_many(each.pk for each in asked))
