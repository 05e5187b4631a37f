"""Signed webhooks: where a team or an application is told, what was sent there, and what never arrived."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Body, Operation, answer_once
from agentops.api.openapi import IDEMPOTENCY_KEY
from agentops.api.serializers import (
    BodySerializer,
    QuerySerializer,
    TextField,
    read_body,
    read_query,
    render_row,
)
from agentops.api.serializers import render_rows as render
from agentops.api.views import ApiView, ListView
from agentops.errors import NotFound, ValidationFailed
from approvals.models import NoticeChannel, NoticeDelivery
from approvals.notices import channels
from approvals.notices.channels import LONGEST_NAME, LONGEST_URL, Place, find_channel
from identities.api.authentication import caller
from identities.models import Application, Team, User

WEBHOOK = NoticeChannel.Kind.WEBHOOK


class WebhookSerializer(serializers.Serializer[NoticeChannel]):
    """A webhook. Its address is not shown again, for whoever knows it can write there."""

    id = serializers.UUIDField()
    team = serializers.CharField(source="team.slug")
    application = serializers.CharField(
        source="application.slug",
        allow_null=True,
        default=None,
        help_text="Null: told of all that is the team's.",
    )
    name = serializers.CharField()
    host = serializers.CharField(help_text="Of its address.")
    kinds = serializers.ListField(
        child=serializers.CharField(), help_text="Types of the events that are sent."
    )
    allow_private = serializers.BooleanField()
    state = serializers.ChoiceField(NoticeChannel.State.choices)
    disabled_because = serializers.CharField(allow_blank=True, help_text="`gone`, `failing` or `by hand`.")
    failures = serializers.IntegerField(help_text="Attempts since it last answered.")
    failing_since = serializers.DateTimeField(allow_null=True)
    former_until = serializers.DateTimeField(
        allow_null=True, help_text="Until when the secret before this one signs, too."
    )
    created_at = serializers.DateTimeField()


class WebhookWithSecretSerializer(WebhookSerializer):
    """A webhook and its secret."""

    secret = serializers.CharField(
        allow_null=True, default=None, help_text="Given once; null where the answer is repeated."
    )


class DeliverySerializer(serializers.Serializer[NoticeDelivery]):
    """One message. `webhook-id` is `msg_` and its id, however often it is sent."""

    id = serializers.UUIDField()
    type = serializers.CharField(source="notice.kind", default="test")
    state = serializers.ChoiceField(NoticeDelivery.State.choices)
    attempts = serializers.IntegerField()
    last_result = serializers.CharField(
        allow_blank=True, help_text="A status, or a word for what went wrong."
    )
    created_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(help_text="While it waits: when the next attempt is made.")
    ended_at = serializers.DateTimeField(allow_null=True)


class WebhookBody(BodySerializer):
    """Where, and of what."""

    team = TextField(
        required=False,
        min_length=1,
        max_length=50,
        help_text="The team's slug; not needed with an application.",
    )
    application = TextField(
        required=False,
        min_length=1,
        max_length=50,
        help_text="The slug of the one that is told, of its own runs.",
    )
    name = TextField(max_length=LONGEST_NAME)
    url = TextField(max_length=LONGEST_URL, help_text="https.")
    kinds = serializers.ListField(child=TextField(max_length=40), min_length=1, max_length=40)
    allow_private = serializers.BooleanField(
        required=False,
        default=False,
        help_text="It is in the operator's own network, who has to allow it, too.",
    )


class DeliveryQuery(QuerySerializer):
    state = serializers.ChoiceField(NoticeDelivery.State.choices, required=False)


class Webhooks(ListView):
    """The webhooks of the caller's teams; an application's own."""

    @extend_schema(operation_id="listWebhooks", tags=["webhooks"], responses=WebhookSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List webhooks, newest first."""
        rows = NoticeChannel.objects.visible_to(caller(request)).filter(kind=WEBHOOK)
        rows = rows.select_related("team", "application")
        return self.answer_page(request, rows, partial(render, WebhookSerializer))

    @extend_schema(
        operation_id="createWebhook",
        tags=["webhooks"],
        parameters=[IDEMPOTENCY_KEY],
        request=WebhookBody,
        responses={201: WebhookWithSecretSerializer},
    )
    @sensitive_variables("body", "place")
    def post(self, request: Request) -> Response:
        """Have a team or an application told there, as a person with the right to and a fresh second factor."""
        actor, body = caller(request), read_body(WebhookBody, request)
        team, application = _find_whose(actor, body)
        place = Place(
            body["name"],
            WEBHOOK,
            body["url"],
            body["kinds"],
            application,
            allow_private=body["allow_private"],
        )

        def act() -> Answer:
            made, secret = channels.create_channel(actor=actor, team=team, place=place)
            return Answer(201, _with_secret(made, secret), reverse("api:webhook", args=[made.pk]))

        return answer_once(request, Operation(request.path, conceal=_without_secret), act)


class Webhook(ApiView):
    """One webhook."""

    @extend_schema(operation_id="getWebhook", tags=["webhooks"], responses=WebhookSerializer)
    def get(self, request: Request, webhook_id: UUID) -> Response:
        """Return a webhook."""
        return Response(render_row(WebhookSerializer, _find(request, webhook_id)))


class Rotation(ApiView):
    """Another secret."""

    @extend_schema(
        operation_id="rotateWebhookSecret",
        tags=["webhooks"],
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses=WebhookWithSecretSerializer,
    )
    def post(self, request: Request, webhook_id: UUID) -> Response:
        """Give a webhook another secret; for a day the former one signs, too."""
        found = _find(request, webhook_id)

        def act() -> Answer:
            return Answer(200, _with_secret(*channels.rotate_channel(actor=caller(request), channel=found)))

        return answer_once(request, Operation(request.path, conceal=_without_secret), act)


def _switch(request: Request, webhook_id: UUID, verb: str) -> Response:
    found, act = _find(request, webhook_id), getattr(channels, verb)

    def switch() -> Answer:
        return Answer(200, render_row(WebhookSerializer, act(actor=caller(request), channel=found)))

    return answer_once(request, Operation(request.path), switch)


class Enabling(ApiView):
    """A webhook that was stopped is told again."""

    @extend_schema(
        operation_id="enableWebhook", tags=["webhooks"], parameters=[IDEMPOTENCY_KEY], request=None,
        responses=WebhookSerializer,
    )  # fmt: skip
    def post(self, request: Request, webhook_id: UUID) -> Response:
        """Tell a stopped webhook again, of what comes from now on."""
        return _switch(request, webhook_id, "enable_channel")


class Disabling(ApiView):
    """A webhook is told no more."""

    @extend_schema(
        operation_id="disableWebhook", tags=["webhooks"], parameters=[IDEMPOTENCY_KEY], request=None,
        responses=WebhookSerializer,
    )  # fmt: skip
    def post(self, request: Request, webhook_id: UUID) -> Response:
        """Stop a webhook; what waits for it is given up."""
        return _switch(request, webhook_id, "disable_channel")


class Removal(ApiView):
    """A webhook is taken away."""

    @extend_schema(
        operation_id="removeWebhook", tags=["webhooks"], parameters=[IDEMPOTENCY_KEY], request=None,
        responses=WebhookSerializer,
    )  # fmt: skip
    def post(self, request: Request, webhook_id: UUID) -> Response:
        """Remove a webhook for good, its address and secret with it."""
        return _switch(request, webhook_id, "remove_channel")


class Trial(ApiView):
    """A test message."""

    @extend_schema(
        operation_id="tryWebhook",
        tags=["webhooks"],
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses={202: DeliverySerializer},
    )
    def post(self, request: Request, webhook_id: UUID) -> Response:
        """Send a test message. An application may try its own webhooks."""
        found = _find(request, webhook_id)

        def act() -> Answer:
            made = channels.try_channel(actor=caller(request), channel=found)
            return Answer(202, render_row(DeliverySerializer, made))

        return answer_once(request, Operation(request.path), act)


class Deliveries(ListView):
    """What was sent to a webhook."""

    query = DeliveryQuery

    @extend_schema(
        operation_id="listWebhookDeliveries", tags=["webhooks"], responses=DeliverySerializer(many=True)
    )
    def get(self, request: Request, webhook_id: UUID) -> Response:
        """List the messages to a webhook, newest first; `dead` are those that were given up."""
        rows = _find(request, webhook_id).deliveries.select_related("notice")
        rows = rows.filter(**read_query(self.query, request))
        return self.answer_page(request, rows, partial(render, DeliverySerializer))


class Resending(ApiView):
    """One more attempt."""

    @extend_schema(
        operation_id="sendWebhookAgain",
        tags=["webhooks"],
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses={202: DeliverySerializer},
    )
    def post(self, request: Request, webhook_id: UUID, delivery_id: UUID) -> Response:
        """Send a message again that was given up, under the id that it had."""
        found = _find(request, webhook_id).deliveries.filter(pk=delivery_id).first()
        if found is None:
            raise NotFound("unknown_delivery", "There is no such message to this webhook.")

        def act() -> Answer:
            again = channels.send_again(actor=caller(request), delivery=found)
            return Answer(202, render_row(DeliverySerializer, again))

        return answer_once(request, Operation(request.path), act)


def _find(request: Request, webhook_id: UUID) -> NoticeChannel:
    found = find_channel(caller(request), webhook_id)
    if found.kind != WEBHOOK:
        raise NotFound("unknown_channel", "There is no such channel, or it is not for you to see.")
    return found


def _find_whose(actor: User, body: dict[str, Any]) -> tuple[Team, Application | None]:  # Any: validated
    """Return the team, and the application if one is named; names that lead nowhere that the actor sees are refused."""
    if slug := body.get("application"):
        rows = Application.objects.visible_to(actor).select_related("team")
        application = rows.filter(slug=slug).first()
        if application is None or body.get("team") not in (None, application.team.slug):
            raise _unknown("application: one of the team's that you may see")
        return application.team, application
    team = Team.objects.visible_to(actor).filter(slug=body.get("team")).first()
    if team is None:
        raise _unknown("team: one that you may see, or an application")
    return team, None


def _unknown(fault: str) -> ValidationFailed:
    return ValidationFailed("invalid_channel", fault, problems=[fault])


@sensitive_variables()
def _with_secret(channel: NoticeChannel, secret: str) -> Body:
    return {**render_row(WebhookSerializer, channel), "secret": secret}


def _without_secret(body: Body) -> Body:
    """Return an answer as it is kept: without what is given once."""
    return {**body, "secret": None}
