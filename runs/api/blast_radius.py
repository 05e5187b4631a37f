"""What an agent could do at worst."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.serializers import render_row
from agentops.api.views import ApiView
from agentops.errors import NotFound
from identities.api.authentication import caller
from identities.models import AgentIdentity
from identities.querysets import is_known_person
from runs.blast_radius import read_blast_radius
from runs.worst_case import BlastRadius

NO_CEILING = "null: no ceiling"


class CountsSerializer(serializers.Serializer[Any]):  # Any: a mapping by period
    """The most calls per period."""

    call = serializers.IntegerField(allow_null=True)
    run = serializers.IntegerField(allow_null=True, help_text=NO_CEILING)
    hour = serializers.IntegerField(allow_null=True, help_text=NO_CEILING)
    day = serializers.IntegerField(allow_null=True, help_text=NO_CEILING)
    month = serializers.IntegerField(allow_null=True, help_text=NO_CEILING)


def _amount() -> serializers.DecimalField:
    return serializers.DecimalField(None, None, allow_null=True, help_text=NO_CEILING)


class AmountsSerializer(serializers.Serializer[Any]):  # Any: a mapping by period
    """The most money per period, in the tool's currency."""

    call, run, hour, day, month = (_amount() for _ in range(5))


class CeilingsSerializer(serializers.Serializer[Any]):  # Any: a Ceilings
    """What the terms leave room for."""

    calls = CountsSerializer()
    amount = AmountsSerializer()


class ReachSerializer(serializers.Serializer[Any]):  # Any: a ToolReach
    """What can be done with one tool; a tool that does not move money has amounts that mean nothing."""

    tool = serializers.CharField(source="terms.tool")
    effect = serializers.CharField(source="terms.effect")
    decision = serializers.CharField(source="terms.decision")
    asks = serializers.ChoiceField(["nobody", "beyond_caps", "every_time"])
    approvers = serializers.ListField(child=serializers.CharField(), source="terms.approvers")
    moves_money = serializers.BooleanField(source="terms.moves_money")
    currency = serializers.CharField(source="terms.currency")
    secret = serializers.CharField(source="terms.secret", help_text="The secret that its calls lease.")
    offered = serializers.BooleanField(source="terms.offered", help_text="To the model, now.")
    alone = CeilingsSerializer(help_text="Without anybody's word.")
    at_most = CeilingsSerializer(help_text="If people allow whatever they may.")


class DayTotalSerializer(serializers.Serializer[Any]):  # Any: a DayTotal
    """The most money that moves in a day in one currency."""

    currency = serializers.CharField()
    alone, at_most = _amount(), _amount()


class ModelSpendSerializer(serializers.Serializer[Any]):  # Any: a mapping by window
    """The most that may be spent on models, in USD, by the tightest of all budgets that hold."""

    run, hour, day, month = (_amount() for _ in range(4))


class BlastRadiusSerializer(serializers.Serializer[BlastRadius]):
    """What an agent could do at worst."""

    tools = ReachSerializer(many=True)
    per_day = DayTotalSerializer(many=True)
    models = ModelSpendSerializer()
    secrets = serializers.ListField(child=serializers.CharField())


class BlastRadiusDetail(ApiView):
    """What could this agent do at worst?"""

    @extend_schema(operation_id="getBlastRadius", tags=["agents"], responses=BlastRadiusSerializer)
    def get(self, request: Request, agent_id: UUID) -> Response:
        """Return the most calls and the most money that its grants leave room for. For people only."""
        user = caller(request)
        agent = AgentIdentity.objects.visible_to(user).filter(pk=agent_id).first()
        if agent is None or not is_known_person(user):
            raise NotFound("unknown_agent", "There is no such agent, or it is not for you to see.")
        return Response(render_row(BlastRadiusSerializer, read_blast_radius(agent)))
