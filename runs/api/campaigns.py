"""Campaigns of recertification, to look at."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.serializers import Fields, QuerySerializer, read_query, render_row, render_rows
from agentops.api.views import ApiView, ListView
from agentops.errors import NotFound
from identities.api.authentication import caller
from runs.models import Campaign, CampaignItem


class CampaignItemSerializer(serializers.Serializer[CampaignItem]):
    """A grant of a campaign; ``decision`` is empty while nobody has decided."""

    id = serializers.UUIDField()
    agent = serializers.CharField(source="grant.identity.slug")
    tool = serializers.CharField(source="grant.tool.name")
    grant = serializers.UUIDField(source="grant_id")
    decision = serializers.ChoiceField(CampaignItem.Decision.choices, allow_blank=True)
    reason = serializers.CharField()
    decided_by = serializers.CharField(source="decided_by.username", allow_null=True, default=None)
    decided_at = serializers.DateTimeField(allow_null=True)


class CampaignSerializer(serializers.Serializer[Campaign]):
    """A campaign of recertification."""

    id = serializers.UUIDField()
    title = serializers.CharField()
    team = serializers.CharField(source="team.slug")
    unused_days = serializers.IntegerField(allow_null=True)
    state = serializers.ChoiceField(Campaign.State.choices)
    due_at = serializers.DateTimeField()
    opened_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)


class CampaignDetailSerializer(CampaignSerializer):
    """A campaign with its grants."""

    items = serializers.SerializerMethodField()

    @extend_schema_field(CampaignItemSerializer(many=True))
    def get_items(self, campaign: Campaign) -> list[Fields]:
        rows = campaign.items.select_related("grant__identity", "grant__tool", "decided_by").order_by("id")
        return render_rows(CampaignItemSerializer, list(rows))


class CampaignQuery(QuerySerializer):
    state = serializers.ChoiceField(Campaign.State.choices, required=False)


class Campaigns(ListView):
    """The campaigns of the caller's teams."""

    query = CampaignQuery

    @extend_schema(operation_id="listCampaigns", tags=["agents"], responses=CampaignSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List campaigns, newest first."""
        filters = read_query(self.query, request)
        rows = Campaign.objects.visible_to(caller(request)).filter(**filters).select_related("team")
        return self.answer_page(request, rows, partial(render_rows, CampaignSerializer))


class CampaignDetail(ApiView):
    """One campaign."""

    @extend_schema(operation_id="getCampaign", tags=["agents"], responses=CampaignDetailSerializer)
    def get(self, request: Request, campaign_id: UUID) -> Response:
        """Return a campaign with its grants, and what became of each."""
        rows = Campaign.objects.visible_to(caller(request)).select_related("team")
        found = rows.filter(pk=campaign_id).first()
        if found is None:
            raise NotFound("unknown_campaign", "There is no such campaign, or it is not for you to see.")
        return Response(render_row(CampaignDetailSerializer, found))
