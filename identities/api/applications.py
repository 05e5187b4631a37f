"""Applications through the API: made, given keys and agents to start, and closed, by the verbs of the console."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Operation, answer_once
from agentops.api.openapi import IDEMPOTENCY_KEY
from agentops.api.serializers import Fields, read_body, read_query, render_row, render_rows
from agentops.api.views import ApiView, ListView
from agentops.errors import NotFound
from identities.api.authentication import caller
from identities.api.client_serializers import (
    ApplicationQuery,
    ApplicationSerializer,
    CreateApplicationBody,
    StartBody,
    StartRightSerializer,
    UpdateApplicationBody,
)
from identities.api.serializers import ReasonBody
from identities.api.views import find_agent, find_team
from identities.models import Application, User
from identities.services import (
    allow_start,
    create_application,
    forbid_start,
    revoke_application,
    update_application,
)

SHOWN = ApplicationSerializer


class Applications(ListView):
    """The applications of the caller's teams."""

    query = ApplicationQuery

    @extend_schema(operation_id="listApplications", tags=["applications"], responses=SHOWN(many=True))
    def get(self, request: Request) -> Response:
        """List applications, newest first."""
        rows = Application.objects.visible_to(caller(request)).select_related("team")
        rows = rows.filter(**read_query(self.query, request))
        return self.answer_page(request, rows, partial(render_rows, SHOWN))

    @extend_schema(
        operation_id="createApplication",
        tags=["applications"],
        parameters=[IDEMPOTENCY_KEY],
        request=CreateApplicationBody,
        responses={201: SHOWN},
    )
    def post(self, request: Request) -> Response:
        """Make an application with its account; it has no key yet, and may start nothing."""
        actor, body = caller(request), read_body(CreateApplicationBody, request)
        team = find_team(actor, body.pop("team"))

        def act() -> Answer:
            made = create_application(actor=actor, team=team, **body)
            return Answer(201, render_row(SHOWN, made), reverse("api:application", args=[made.pk]))

        return answer_once(request, Operation(request.path), act)


class ApplicationDetail(ApiView):
    """One application."""

    @extend_schema(operation_id="getApplication", tags=["applications"], responses=SHOWN)
    def get(self, request: Request, application_id: UUID) -> Response:
        """Return an application."""
        return Response(render_row(SHOWN, find_application(caller(request), application_id)))


class UpdateApplication(ApiView):
    """What is said about an application."""

    @extend_schema(
        operation_id="updateApplication",
        tags=["applications"],
        parameters=[IDEMPOTENCY_KEY],
        request=UpdateApplicationBody,
        responses=SHOWN,
    )
    def post(self, request: Request, application_id: UUID) -> Response:
        """Change an application's name, or whether it is trusted to say for whom it acts; takes a fresh factor."""
        actor, body = caller(request), read_body(UpdateApplicationBody, request)
        found = find_application(actor, application_id)
        stays: Fields = {"name": found.name, "may_assert_users": found.may_assert_users}

        def act() -> Answer:
            update_application(actor=actor, application=found, **(stays | body))
            return Answer(200, render_row(SHOWN, find_application(actor, application_id)))

        return answer_once(request, Operation(request.path), act)


class RevokeApplication(ApiView):
    """An application that is to act no more."""

    @extend_schema(
        operation_id="revokeApplication",
        tags=["applications"],
        parameters=[IDEMPOTENCY_KEY],
        request=ReasonBody,
        responses=SHOWN,
    )
    def post(self, request: Request, application_id: UUID) -> Response:
        """Close an application for good, its keys and tokens with it; takes a fresh second factor."""
        actor, body = caller(request), read_body(ReasonBody, request)
        found = find_application(actor, application_id)

        def act() -> Answer:
            closed = revoke_application(actor=actor, application=found, reason=body["reason"])
            return Answer(200, render_row(SHOWN, closed))

        return answer_once(request, Operation(request.path), act)


class AllowStart(ApiView):
    """An agent that an application may start."""

    @extend_schema(
        operation_id="allowStart",
        tags=["applications"],
        parameters=[IDEMPOTENCY_KEY],
        request=StartBody,
        responses=StartRightSerializer,
    )
    def post(self, request: Request, application_id: UUID) -> Response:
        """Let an application start runs of an agent of its team; takes a fresh second factor."""
        return _set_right(request, application_id, may_start=True)


class ForbidStart(ApiView):
    """An agent that an application may start no more."""

    @extend_schema(
        operation_id="forbidStart",
        tags=["applications"],
        parameters=[IDEMPOTENCY_KEY],
        request=StartBody,
        responses=StartRightSerializer,
    )
    def post(self, request: Request, application_id: UUID) -> Response:
        """Take the right to start an agent's runs back; takes a fresh second factor."""
        return _set_right(request, application_id, may_start=False)


def _set_right(request: Request, application_id: UUID, *, may_start: bool) -> Response:
    actor, body = caller(request), read_body(StartBody, request)
    application, agent = find_application(actor, application_id), find_agent(actor, pk=body["agent"])
    verb = allow_start if may_start else forbid_start

    def act() -> Answer:
        verb(actor=actor, application=application, agent=agent)
        return Answer(200, render_row(StartRightSerializer, {"agent": agent.pk, "may_start": may_start}))

    return answer_once(request, Operation(request.path), act)


def find_application(user: User, application_id: UUID) -> Application:
    """Return an application of the caller's teams; raises NotFound."""
    rows = Application.objects.visible_to(user).select_related("team", "service_account")
    found = rows.filter(pk=application_id).first()
    if found is None:
        raise NotFound("unknown_application", "There is no such application, or it is not for you to see.")
    return found
