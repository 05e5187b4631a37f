"""What became of a tool's calls, and how long they took."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.serializers import render_row
from agentops.api.views import ApiView
from agentops.errors import NotFound
from identities.api.authentication import caller
from identities.querysets import is_known_person
from runs.tool_use import OUTCOMES, ToolUse, read_use
from tools.models import Tool


class CallCountsSerializer(serializers.Serializer[Any]):  # Any: a Counted
    """Numbers of calls by when they were proposed."""

    hour = serializers.IntegerField(help_text="In the last hour.")
    day = serializers.IntegerField(help_text="In the last 24 hours.")
    week = serializers.IntegerField(help_text="In the last 7 days.")


class OutcomeCountsSerializer(CallCountsSerializer):
    """How many calls became one thing; `under_way` is what has neither ended nor waits for people."""

    outcome = serializers.ChoiceField(OUTCOMES, source="name")


class CodeCountsSerializer(CallCountsSerializer):
    """How many calls ended for one reason."""

    code = serializers.CharField(source="name", allow_blank=True)


class LatencySerializer(serializers.Serializer[Any]):  # Any: a Latency
    """How long the last attempt of each call took the tool, waiting not counted; null: nobody knows."""

    version = serializers.IntegerField()
    attempts = serializers.IntegerField(help_text="How many attempts were measured.")
    p50_ms = serializers.IntegerField(allow_null=True)
    p95_ms = serializers.IntegerField(allow_null=True)
    p99_ms = serializers.IntegerField(allow_null=True)


class ToolMetricsSerializer(serializers.Serializer[ToolUse]):
    """A tool's last week, from the newest 10,000 calls of each of its newest 5 versions.

    `complete_since` is null if that was all; otherwise not every call before that moment was counted.
    """

    total = CallCountsSerializer()
    outcomes = OutcomeCountsSerializer(many=True)
    refusals = CodeCountsSerializer(
        many=True, help_text="Why calls were refused or denied, the commonest first."
    )
    failures = CodeCountsSerializer(many=True, help_text="How calls failed or were left in doubt.")
    latency = LatencySerializer(many=True, source="latencies")
    complete_since = serializers.DateTimeField(allow_null=True)


class ToolMetrics(ApiView):
    """What became of a tool's calls?"""

    @extend_schema(operation_id="getToolMetrics", tags=["tools"], responses=ToolMetricsSerializer)
    def get(self, request: Request, tool_id: UUID) -> Response:
        """Return counts by outcome, reasons, and latencies by version. For people only: it is of all runs."""
        user = caller(request)
        tool = Tool.objects.visible_to(user).filter(pk=tool_id).first()
        if tool is None or not is_known_person(user):
            raise NotFound("unknown_tool", "There is no such tool, or it is not for you to know.")
        return Response(render_row(ToolMetricsSerializer, read_use(tool, timezone.now())))
