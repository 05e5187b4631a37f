"""Agents and the second factor, as the API shows them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from agentops.api.serializers import BodySerializer, QuerySerializer, TextField
from identities.models import AgentIdentity


class AgentSerializer(serializers.Serializer[AgentIdentity]):
    """An agent identity: who acts."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    purpose = serializers.CharField()
    team = serializers.CharField(source="team.slug")
    state = serializers.ChoiceField(AgentIdentity.State.choices)
    expires_at = serializers.DateTimeField(
        allow_null=True, help_text="The end that was set, or recertify_by if that comes first."
    )
    sponsor = serializers.CharField(
        source="sponsor.username", allow_null=True, default=None, help_text="Who else answers for it."
    )
    recertify_by = serializers.DateTimeField(
        allow_null=True, help_text="Until when somebody has to look at it again, or it is suspended."
    )
    created_at = serializers.DateTimeField()


class AgentQuery(QuerySerializer):
    slug = serializers.SlugField(required=False)
    state = serializers.ChoiceField(AgentIdentity.State.choices, required=False)


class StepUpBody(BodySerializer):
    otp = TextField(min_length=6, max_length=8, help_text="The code that the authenticator shows now.")


class StepUpSerializer(serializers.Serializer[Any]):  # Any: rendered from an ApiKey
    """The window in which this key may decide."""

    verified_until = serializers.DateTimeField()
