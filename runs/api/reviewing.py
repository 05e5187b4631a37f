"""How much the people of teams have to decide, and which runs wait for them."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.serializers import render_row
from agentops.api.views import ApiView
from approvals.models import ReviewCapacity
from identities.api.authentication import caller
from runs.reviewing import Reviewing, read_reviewing


class HeldBackSerializer(serializers.Serializer[dict[str, int]]):
    high = serializers.IntegerField()
    normal = serializers.IntegerField()
    low = serializers.IntegerField()


class TeamReviewSerializer(serializers.Serializer[Reviewing]):
    """What a team's approvers can decide in an hour, and what there is."""

    team = serializers.CharField(source="team.slug")
    per_approver_hour = serializers.IntegerField(
        source="crowd.load.per_approver_hour",
        help_text="Decisions that one approver can answer for in an hour.",
    )
    approvers = serializers.IntegerField(source="crowd.load.approvers")
    capacity = serializers.IntegerField(
        source="crowd.load.capacity", help_text="Decisions of all in an hour."
    )
    waiting = serializers.IntegerField(
        source="crowd.load.waiting", help_text="Requests that nobody has decided."
    )
    under_way = serializers.IntegerField(source="crowd.under_way", help_text="Runs that may ask people yet.")
    held_back = HeldBackSerializer(help_text="Runs that wait to begin, by priority.")


class ReviewLoadSerializer(serializers.Serializer[dict[str, list[Reviewing]]]):
    data = TeamReviewSerializer(many=True)  # type: ignore[assignment]  # the envelope of every list has it so


class ReviewLoads(ApiView):
    """The teams whose people are bounded."""

    @extend_schema(operation_id="getReviewCapacity", tags=["approvals"], responses=ReviewLoadSerializer)
    def get(self, request: Request) -> Response:
        """Return how the reviewers of your teams are loaded, the fullest first; teams without a bound are absent."""
        teams = read_reviewing(ReviewCapacity.objects.visible_to(caller(request)))
        return Response(render_row(ReviewLoadSerializer, {"data": teams}))
