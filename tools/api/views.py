"""Tools to look at; they are taken over from servers (`tools.api.servers`), and defined by ``apply``."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Operation, answer_once
from agentops.api.openapi import IDEMPOTENCY_KEY
from agentops.api.serializers import read_body, read_query, render_row, render_rows
from agentops.api.views import ApiView, ListView
from agentops.errors import NotFound
from identities.api.authentication import caller
from identities.models import User
from tools.api.serializers import AcceptToolBody, ToolQuery, ToolSerializer
from tools.models import Tool, ToolVersion
from tools.services import accept_tool
from tools.services.linting import with_previews


class Tools(ListView):
    """The tools that the caller may know of."""

    query = ToolQuery

    @extend_schema(operation_id="listTools", tags=["tools"], responses=ToolSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List tools, newest first."""
        rows = _visible_tools(caller(request)).filter(**read_query(self.query, request))
        return self.answer_page(request, rows, partial(render_rows, ToolSerializer))


class ToolDetail(ApiView):
    """One tool."""

    @extend_schema(operation_id="getTool", tags=["tools"], responses=ToolSerializer)
    def get(self, request: Request, tool_id: UUID) -> Response:
        """Return a tool."""
        return Response(render_row(ToolSerializer, find_tool(caller(request), tool_id), alone=True))


class AcceptTool(ApiView):
    """A quarantined tool that is to be called again."""

    @extend_schema(
        operation_id="acceptTool",
        tags=["tools"],
        parameters=[IDEMPOTENCY_KEY],
        request=AcceptToolBody,
        responses=ToolSerializer,
    )
    def post(self, request: Request, tool_id: UUID) -> Response:
        """Put a tool back into service that was stopped; a description that has changed is accepted by `importTool`."""
        actor, body = caller(request), read_body(AcceptToolBody, request)
        tool = find_tool(actor, tool_id)

        def act() -> Answer:
            accept_tool(actor=actor, tool=tool, reason=body["reason"])
            return Answer(200, render_row(ToolSerializer, find_tool(actor, tool_id), alone=True))

        return answer_once(request, Operation(request.path), act)


def find_tool(user: User, tool_id: UUID) -> Tool:
    """Return a tool that the caller may know of, with its newest version; raises NotFound."""
    tool = _visible_tools(user).filter(pk=tool_id).first()
    if tool is None:
        raise NotFound("unknown_tool", "There is no such tool, or it is not for you to know.")
    return tool


def _visible_tools(user: User) -> QuerySet[Tool]:
    newest = with_previews(ToolVersion.objects.order_by("tool_id", "-number").distinct("tool_id"))
    newest = newest.prefetch_related("lint_overrides__by")
    visible: QuerySet[Tool] = Tool.objects.visible_to(user).select_related("team", "breaker_state")
    return visible.prefetch_related(Prefetch("versions", newest))
