"""Second looks: what was drawn of what people approved, and what somebody else says of it."""

from __future__ import annotations

from functools import partial
from typing import ClassVar
from uuid import UUID

from django.db.models import Exists, OuterRef, Q
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Operation, answer_once
from agentops.api.openapi import IDEMPOTENCY_KEY
from agentops.api.pagination import CursorPage
from agentops.api.serializers import (
    BodySerializer,
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
from approvals.models import SecondLook
from approvals.querysets import SecondLookQuerySet
from approvals.second_looks import REASON_LIMIT, take_second_look
from identities.api.authentication import caller
from identities.models import User

Verdict = SecondLook.Verdict
STATES = [("open", "open"), ("taken", "taken")]


class SecondLookSerializer(serializers.Serializer[SecondLook]):
    """That a second person looks at a request, and what they say of it."""

    approval = serializers.UUIDField(source="pk")
    team = serializers.CharField(source="request.team.slug")
    agent = serializers.CharField(source="request.identity.slug")
    tool = serializers.CharField(source="request.tool.name")
    before_effect = serializers.SerializerMethodField(
        help_text="They look before the call goes out, by deciding in the stage that was added for it."
    )
    drawn_at = serializers.DateTimeField()
    verdict = serializers.SerializerMethodField(help_text="Null as long as nobody has looked.")
    seen_by = serializers.CharField(source="seen_by.username", allow_null=True, default=None)
    seen_at = serializers.DateTimeField(allow_null=True)
    is_yours = serializers.BooleanField(help_text="Whether you may take it (`takeSecondLook`).")

    def get_before_effect(self, look: SecondLook) -> bool:
        return look.stage is not None

    @extend_schema_field(serializers.ChoiceField(Verdict.choices, allow_null=True))
    def get_verdict(self, look: SecondLook) -> str | None:
        return look.verdict or None


class SecondLookQuery(QuerySerializer):
    state = serializers.ChoiceField(STATES, required=False)
    is_yours = serializers.BooleanField(required=False, help_text="True: those that you may take.")


class SecondLookBody(BodySerializer):
    """What you say of what was approved."""

    verdict = WordField(Verdict.choices)
    reason = TextField(
        required=False,
        default="",
        allow_blank=True,
        max_length=REASON_LIMIT,
        help_text="Required to disagree: the record keeps it.",
    )


class ByRequest(CursorPage):
    """Newest request first."""

    field = "pk"


class SecondLooks(ListView):
    """What was drawn, of the requests that the caller may see."""

    query = SecondLookQuery
    pagination_class: ClassVar[type[CursorPage]] = ByRequest

    @extend_schema(
        operation_id="listSecondLooks", tags=["approvals"], responses=SecondLookSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        """List second looks, of the newest requests first."""
        filters = read_query(self.query, request)
        rows = _visible_to(caller(request))
        if "state" in filters:
            rows = rows.filter(seen_at__isnull=filters["state"] == "open")
        if "is_yours" in filters:
            mine = Q(pk__in=SecondLook.objects.open_to(caller(request)).values("pk"))
            rows = rows.filter(mine if filters["is_yours"] else ~mine)
        return self.answer_page(request, rows, partial(render_rows, SecondLookSerializer))


class SecondLookTaking(ApiView):
    """What a second person says."""

    @extend_schema(
        operation_id="takeSecondLook",
        tags=["approvals"],
        parameters=[IDEMPOTENCY_KEY],
        request=SecondLookBody,
        responses=SecondLookSerializer,
    )
    def post(self, request: Request, approval_id: UUID) -> Response:
        """Say whether you would have approved it, too; it changes nothing about the call, and is kept for good.

        For people who may approve such calls and have no part in this one, neither by deciding nor otherwise. What is
        looked at before its effect is decided as every approval is (`decideApproval`).
        """
        person, body = caller(request), read_body(SecondLookBody, request)
        look = _visible_to(person).filter(pk=approval_id).first()
        if look is None:
            raise NotFound("unknown_second_look", "There is no such second look, or it is not yours to see.")

        def act() -> Answer:
            agrees = body["verdict"] == Verdict.AGREE
            take_second_look(actor=person, look=look, agrees=agrees, reason=body["reason"])
            return Answer(200, render_row(SecondLookSerializer, _visible_to(person).get(pk=approval_id)))

        return answer_once(request, Operation(f"second-looks/{approval_id}"), act)


def _visible_to(user: User) -> SecondLookQuerySet:
    mine = SecondLook.objects.open_to(user).filter(pk=OuterRef("pk"))
    rows = SecondLook.objects.visible_to(user).annotate(is_yours=Exists(mine))
    return rows.select_related("request__team", "request__identity", "request__tool", "seen_by")
