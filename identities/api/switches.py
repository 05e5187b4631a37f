"""Kill switches: what is stopped, and letting it begin again. They are thrown by `makeStop`."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Operation, answer_once
from agentops.api.openapi import IDEMPOTENCY_KEY
from agentops.api.serializers import (
    QuerySerializer,
    read_body,
    read_query,
    render_row,
    render_rows,
)
from agentops.api.views import ApiView, ListView
from agentops.errors import NotFound
from identities.api.authentication import caller
from identities.api.serializers import ReasonBody
from identities.models import KillSwitch
from identities.services import lift_switch


class SwitchSerializer(serializers.Serializer[KillSwitch]):
    """What is stopped: `target` is the id of an end user or a key, a model provider's name, or nothing."""

    id = serializers.UUIDField()
    scope = serializers.ChoiceField(KillSwitch.Scope.choices)
    target = serializers.CharField(allow_blank=True)
    thrown_at = serializers.DateTimeField()
    thrown_by = serializers.CharField(source="thrown_by.username")
    lifted_at = serializers.DateTimeField(allow_null=True)
    lifted_by = serializers.CharField(source="lifted_by.username", allow_null=True, default=None)


class SwitchQuery(QuerySerializer):
    thrown = serializers.BooleanField(
        required=False, help_text="True: those that stop something now; false: the others."
    )


class Switches(ListView):
    """The kill switches of the caller's teams, and those that concern everybody."""

    query = SwitchQuery

    @extend_schema(operation_id="listSwitches", tags=["stops"], responses=SwitchSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List kill switches, newest first. For people only."""
        rows = KillSwitch.objects.visible_to(caller(request)).select_related("thrown_by", "lifted_by")
        thrown = read_query(self.query, request).get("thrown")
        if thrown is not None:
            rows = rows.filter(lifted_at__isnull=thrown)
        return self.answer_page(request, rows, partial(render_rows, SwitchSerializer))


class LiftSwitch(ApiView):
    """A kill switch that is to stop nothing any more."""

    @extend_schema(
        operation_id="liftSwitch",
        tags=["stops"],
        parameters=[IDEMPOTENCY_KEY],
        request=ReasonBody,
        responses=SwitchSerializer,
    )
    def post(self, request: Request, switch_id: UUID) -> Response:
        """Let new work begin again; runs that were halted stay so. Takes a fresh second factor.

        409 `switch_lifted`, and `key_revoked` for that of a key.
        """
        actor, body = caller(request), read_body(ReasonBody, request)
        switch = KillSwitch.objects.visible_to(actor).filter(pk=switch_id).first()
        if switch is None:
            raise NotFound("unknown_switch", "There is no such switch, or it is not for you to see.")

        def act() -> Answer:
            lifted = lift_switch(actor=actor, switch=switch, reason=body["reason"])
            return Answer(200, render_row(SwitchSerializer, lifted))

        return answer_once(request, Operation(request.path), act)
