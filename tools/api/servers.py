"""Servers of tools through the API: named, asked what they have, and one tool of theirs taken over at a time."""

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
from identities.api.proposals.serializers import ProposalSerializer
from identities.api.serializers import ReasonBody
from identities.api.views import find_team
from identities.changes import do_or_propose
from identities.models import ChangeProposal, User
from tools.api.serializers import ToolSerializer
from tools.api.server_serializers import (
    CreateToolServerBody,
    ImportToolBody,
    RefreshBody,
    ServerToolSerializer,
    ToolServerQuery,
    ToolServerSerializer,
)
from tools.api.views import find_tool
from tools.models import ServerTool, ToolServer
from tools.services import create_server, import_tool, refresh_server, retire_server
from tools.services.servers import ServerDefinition, Takeover

SHOWN = ToolServerSerializer


class ToolServers(ListView):
    """What tools of the caller's teams are taken over from."""

    query = ToolServerQuery

    @extend_schema(operation_id="listToolServers", tags=["tools"], responses=SHOWN(many=True))
    def get(self, request: Request) -> Response:
        """List servers of tools, newest first."""
        rows = ToolServer.objects.visible_to(caller(request)).select_related("team")
        rows = rows.filter(**read_query(self.query, request))
        return self.answer_page(request, rows, partial(render_rows, SHOWN))

    @extend_schema(
        operation_id="createToolServer",
        tags=["tools"],
        parameters=[IDEMPOTENCY_KEY],
        request=CreateToolServerBody,
        responses={201: SHOWN},
    )
    def post(self, request: Request) -> Response:
        """Name a server of tools; nothing of it is taken over yet. Takes a fresh second factor."""
        actor, body = caller(request), read_body(CreateToolServerBody, request)
        team, slug = find_team(actor, body.pop("team")), body.pop("slug")

        def act() -> Answer:
            made = create_server(actor=actor, team=team, slug=slug, definition=ServerDefinition(**body))
            return Answer(201, render_row(SHOWN, made), reverse("api:tool-server", args=[made.pk]))

        return answer_once(request, Operation(request.path), act)


class ToolServerDetail(ApiView):
    """One server of tools."""

    @extend_schema(operation_id="getToolServer", tags=["tools"], responses=SHOWN)
    def get(self, request: Request, server_id: UUID) -> Response:
        """Return a server of tools."""
        return Response(render_row(SHOWN, find_server(caller(request), server_id)))


class RefreshToolServer(ApiView):
    """What a server has now."""

    @extend_schema(operation_id="refreshToolServer", tags=["tools"], request=RefreshBody, responses=SHOWN)
    def post(self, request: Request, server_id: UUID) -> Response:
        """Ask a server which tools it has, or read them out of the document that you bring.

        Tools that are described differently from what was accepted are quarantined. `trouble` says why nothing was
        learnt. Takes a fresh second factor; asked again, it does no more than ask again.
        """
        actor, body = caller(request), read_body(RefreshBody, request)
        found = find_server(actor, server_id)  # it is asked outside any transaction
        return Response(render_row(SHOWN, refresh_server(actor=actor, server=found, **body)))


class RetireToolServer(ApiView):
    """A server whose tools are to be called no more."""

    @extend_schema(
        operation_id="retireToolServer",
        tags=["tools"],
        parameters=[IDEMPOTENCY_KEY],
        request=ReasonBody,
        responses=SHOWN,
    )
    def post(self, request: Request, server_id: UUID) -> Response:
        """Take a server out of use for good, and all of its tools with it; takes a fresh second factor."""
        actor, body = caller(request), read_body(ReasonBody, request)
        found = find_server(actor, server_id)

        def act() -> Answer:
            retired = retire_server(actor=actor, server=found, reason=body["reason"])
            return Answer(200, render_row(SHOWN, retired))

        return answer_once(request, Operation(request.path), act)


class ServerTools(ListView):
    """What a server has said that it has."""

    @extend_schema(operation_id="listServerTools", tags=["tools"], responses=ServerToolSerializer(many=True))
    def get(self, request: Request, server_id: UUID) -> Response:
        """List the tools of a server as it was last asked, with what can and cannot be taken over."""
        rows = find_server(caller(request), server_id).listed.all()
        return self.answer_page(request, rows, partial(render_rows, ServerToolSerializer))


class ImportTool(ApiView):
    """One tool of a server, to be taken over."""

    @extend_schema(
        operation_id="importTool",
        tags=["tools"],
        parameters=[IDEMPOTENCY_KEY],
        request=ImportToolBody,
        responses={201: ToolSerializer, 202: ProposalSerializer},
    )
    def post(self, request: Request, server_id: UUID, server_tool_id: UUID) -> Response:
        """Make a tool, or its next version, of what a server describes; that accepts a changed description.

        Where it takes a second person it is proposed instead (202); once that is activated, take the same over again.
        Answers 409 when the server describes it otherwise than the digest says. Takes a fresh second factor.
        """
        actor, body = caller(request), read_body(ImportToolBody, request)
        row = _find_listed(actor, server_id, server_tool_id)
        seen = body.pop("digest")

        def act() -> Answer:
            return _take_over(actor, row, Takeover(**body), seen)

        return answer_once(request, Operation(request.path), act)


def find_server(user: User, server_id: UUID) -> ToolServer:
    """Return a server of the caller's teams; raises NotFound."""
    found = ToolServer.objects.visible_to(user).select_related("team").filter(pk=server_id).first()
    if found is None:
        raise NotFound(
            "unknown_tool_server", "There is no such server of tools, or it is not for you to see."
        )
    return found


def _find_listed(user: User, server_id: UUID, listed: UUID) -> ServerTool:
    row = find_server(user, server_id).listed.filter(pk=listed).first()
    if row is None:
        raise NotFound("unknown_server_tool", "The server has listed no such tool.")
    return row


def _take_over(actor: User, row: ServerTool, takeover: Takeover, seen: str) -> Answer:
    act = partial(import_tool, actor=actor, described=row, takeover=takeover, seen=seen)
    version = do_or_propose(actor=actor, act=act)
    if isinstance(version, ChangeProposal):
        shown: Fields = render_row(ProposalSerializer, version)
        return Answer(202, shown, reverse("api:proposal", args=[version.pk]))
    shown = render_row(ToolSerializer, find_tool(actor, version.tool_id), alone=True)
    return Answer(201, shown, reverse("api:tool", args=[version.tool_id]))
