"""Stopping through the API: the same verb as in the console, and its receipt."""

from __future__ import annotations

from uuid import UUID

from django.urls import reverse
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Operation, answer_once
from agentops.api.openapi import IDEMPOTENCY_KEY
from agentops.api.serializers import BodySerializer, Fields, FlagField, TextField, read_body, render_row
from agentops.api.views import ApiView
from agentops.errors import NotFound
from identities.api.authentication import caller
from identities.models import User
from runs.models import Stop
from runs.receipts import Receipt, write_receipt
from runs.stops import stop


class StopBody(BodySerializer):
    """What is to stop, and why."""

    scope = serializers.ChoiceField(Stop.Scope.choices)
    target = TextField(
        required=False, default="", allow_blank=True, max_length=64,
        help_text="The id of what is to stop; of a model provider the name; nothing for everything.",
    )  # fmt: skip
    reason = TextField(min_length=1, max_length=500)
    drill = FlagField(required=False, default=False, help_text="True: do everything but the effect.")


class ReceiptSerializer(serializers.Serializer[Receipt]):
    """What the stop met. ``prevented`` grows as runs notice."""

    going = serializers.IntegerField(help_text="Runs that were going at that moment, of those you may see.")
    now = serializers.DictField(
        child=serializers.IntegerField(), help_text="How they stand by now: state → number."
    )
    executed = serializers.IntegerField(help_text="Calls that had taken effect by then.")
    in_flight = serializers.IntegerField(help_text="Calls that were under way at that moment.")
    called_back = serializers.IntegerField(help_text="Of these, those that were cut off.")
    leases = serializers.IntegerField(help_text="Credentials that calls held at that moment.")
    leases_ended = serializers.IntegerField(help_text="Of these, those that have ended by now.")
    prevented = serializers.IntegerField(help_text="Calls that have been refused since.")
    runs = serializers.SerializerMethodField(help_text="The latest 200 of these runs.")

    def get_runs(self, receipt: Receipt) -> list[str]:
        return [str(run.pk) for run in receipt.runs]


class StopSerializer(serializers.Serializer[Stop]):
    """A stop with its receipt as of now."""

    id = serializers.UUIDField()
    scope = serializers.ChoiceField(Stop.Scope.choices)
    target = serializers.CharField()
    drill = serializers.BooleanField(source="is_drill")
    stopped_at = serializers.DateTimeField()
    receipt = serializers.SerializerMethodField()

    @extend_schema_field(ReceiptSerializer)
    def get_receipt(self, made: Stop) -> Fields:
        return render_row(ReceiptSerializer, write_receipt(made, self.context["viewer"]))


class Stops(ApiView):
    """What people stop."""

    @extend_schema(
        operation_id="makeStop", tags=["stops"], parameters=[IDEMPOTENCY_KEY], request=StopBody,
        responses={201: StopSerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Stop a run, an agent, a tool, an application, an end user, a key, a model provider, or everything."""
        actor = caller(request)
        body = read_body(StopBody, request)

        def act() -> Answer:
            made = stop(actor=actor, **body)
            return Answer(201, _show(made, actor), reverse("api:stop", args=[made.pk]))

        return answer_once(request, Operation(request.path), act)


class StopDetail(ApiView):
    """One stop and its receipt."""

    @extend_schema(operation_id="getStop", tags=["stops"], responses=StopSerializer)
    def get(self, request: Request, stop_id: UUID) -> Response:
        """Show what a stop met, and what has become of it since."""
        actor = caller(request)
        found = Stop.objects.visible_to(actor).filter(pk=stop_id).first()
        if found is None:
            raise NotFound("unknown_stop", "There is no such stop, or it is not for you to see.")
        return Response(_show(found, actor))


def _show(made: Stop, viewer: User) -> Fields:
    return render_row(StopSerializer, made, viewer=viewer)
