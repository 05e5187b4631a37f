"""Asking what would be decided about a call."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.serializers import BodySerializer, TextField, read_body, render_row
from agentops.api.views import ApiView
from agentops.errors import NotFound
from identities.api.authentication import caller
from identities.models import AgentIdentity
from runs.api.bodies import PrincipalBody
from runs.what_if import foresee_call
from tools.authority import Decision


class WhatIfBody(BodySerializer):
    """A call that nobody makes."""

    tool = TextField(min_length=1, max_length=64, help_text="The tool's name.")
    arguments = serializers.JSONField(help_text="The arguments, as the agent would propose them.")
    principal = PrincipalBody(required=False)


class ReasonSerializer(serializers.Serializer[Any]):  # Any: a Reason
    """One thing that was looked at, and by whose authority."""

    source = serializers.ChoiceField(  # type: ignore[assignment]  # a field called so, as the ledger's facts do
        ["user", "agent", "parent", "run", "tool"]
    )
    code = serializers.CharField()
    detail = serializers.CharField()


class ForesightSerializer(serializers.Serializer[Decision]):
    """What would be decided about the first call of a new run; budgets are not looked at."""

    verdict = serializers.ChoiceField(["ALLOW", "REQUIRE_APPROVAL", "DENY"])
    code = serializers.CharField()
    reasons = ReasonSerializer(many=True)


class WhatIf(ApiView):
    """Could this agent make this call now?"""

    @extend_schema(
        operation_id="foreseeCall", tags=["agents"], request=WhatIfBody, responses={200: ForesightSerializer}
    )
    def post(self, request: Request, agent_id: UUID) -> Response:
        """Return what would be decided, and why. Nothing is called, and nothing is kept."""
        agent = AgentIdentity.objects.visible_to(caller(request)).filter(pk=agent_id).first()
        if agent is None:
            raise NotFound("unknown_agent", "There is no such agent, or it is not for you to see.")
        body = read_body(WhatIfBody, request)
        decision = foresee_call(agent, body["tool"], body["arguments"], **body.get("principal", {}))
        return Response(render_row(ForesightSerializer, decision))
