"""Tools to look at: they are governed in the console and by ``apply``."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.serializers import read_query, render_row, render_rows
from agentops.api.views import ApiView, ListView
from agentops.errors import NotFound
from identities.api.authentication import caller
from identities.models import User
from tools.api.serializers import ToolQuery, ToolSerializer
from tools.models import Tool, ToolVersion
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
        tool = _visible_tools(caller(request)).filter(pk=tool_id).first()
        if tool is None:
            raise NotFound("unknown_tool", "There is no such tool, or it is not for you to know.")
        return Response(render_row(ToolSerializer, tool, alone=True))


def _visible_tools(user: User) -> QuerySet[Tool]:
    newest = with_previews(ToolVersion.objects.order_by("tool_id", "-number").distinct("tool_id"))
    newest = newest.prefetch_related("lint_overrides__by")
    visible: QuerySet[Tool] = Tool.objects.visible_to(user).select_related("team", "breaker_state")
    return visible.prefetch_related(Prefetch("versions", newest))
