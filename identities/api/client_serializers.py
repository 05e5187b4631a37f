"""Applications, API keys and key sets, as the API shows them, and what it takes."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework import serializers

from agentops.api.serializers import BodySerializer, FlagField, QuerySerializer, TextField
from identities.models import ApiKey, Application, Credential

ONCE = "Given once; null where the answer is repeated."
ENDS = "Within 366 days; 90 days from now unless said."


class ApplicationSerializer(serializers.Serializer[Application]):
    """A client of the API: the product that starts runs for its users."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    team = serializers.CharField(source="team.slug")
    state = serializers.ChoiceField(Application.State.choices)
    may_assert_users = serializers.BooleanField(help_text="Trusted to say for which end user it acts.")
    audience = serializers.CharField(allow_null=True, help_text="The resource that it serves.")
    created_at = serializers.DateTimeField()


class ApplicationQuery(QuerySerializer):
    slug = serializers.SlugField(required=False)
    state = serializers.ChoiceField(Application.State.choices, required=False)


class CreateApplicationBody(BodySerializer):
    team = TextField(min_length=1, max_length=50, help_text="The team's slug.")
    slug = serializers.SlugField(max_length=50)
    name = TextField(max_length=120)
    may_assert_users = FlagField(
        required=False, default=False, help_text="Trusted to say for which end user it acts, without a token."
    )


class UpdateApplicationBody(BodySerializer):
    """What is to be said of an application; what is left out stays."""

    name = TextField(required=False, max_length=120)
    may_assert_users = FlagField(required=False)


class StartBody(BodySerializer):
    """Which agent's runs."""

    agent = serializers.UUIDField()


class StartRightSerializer(serializers.Serializer[Any]):  # Any: a mapping
    """Whether an application may start an agent's runs."""

    agent = serializers.UUIDField()
    may_start = serializers.BooleanField()


class ApiKeySerializer(serializers.Serializer[ApiKey]):
    """A key of an application. Its text is not shown again: only a hash is kept."""

    id = serializers.UUIDField()
    key_id = serializers.CharField(help_text="The part of its text that may be told: `aok_<key_id>_…`.")
    label = serializers.CharField()  # type: ignore[assignment]  # a member, not what a form calls the serializer
    state = serializers.SerializerMethodField(help_text="active, expired or revoked")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)

    def get_state(self, key: ApiKey) -> str:
        return key.state(timezone.now())


class IssuedApiKeySerializer(ApiKeySerializer):
    """A key and its text."""

    key = serializers.CharField(allow_null=True, default=None, help_text=ONCE)


class IssueKeyBody(BodySerializer):
    label = TextField(  # type: ignore[assignment]  # as above
        max_length=120, help_text="What for, so that others know what stops with it."
    )
    expires_at = serializers.DateTimeField(required=False, default=None, allow_null=True, help_text=ENDS)


class KeySetSerializer(serializers.Serializer[Credential]):
    """One generation of the key set of an agent or an application, for the token endpoint."""

    id = serializers.UUIDField()
    client_id = serializers.CharField(source="owner.username", help_text="Whose: as it names itself.")
    generation = serializers.IntegerField()
    state = serializers.SerializerMethodField(help_text="current, replaced, old, expired or revoked")
    method = serializers.ChoiceField(Credential.Method.choices)
    key_id = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    first_used_at = serializers.DateTimeField(allow_null=True)
    misused_at = serializers.DateTimeField(
        allow_null=True, help_text="When it came back after its end: whoever has it, its owner is locked."
    )

    def get_state(self, credential: Credential) -> str:
        return credential.state(self.context.get("now") or timezone.now())


class IssuedKeySetSerializer(KeySetSerializer):
    """A generation, and its secret where one was made."""

    secret = serializers.CharField(allow_null=True, default=None, help_text=ONCE)


class KeySetQuery(QuerySerializer):
    agent = serializers.UUIDField(required=False, source="owner__agent_identity")
    application = serializers.UUIDField(required=False, source="owner__application")


class IssueKeySetBody(BodySerializer):
    """Whose, and by what it is to prove itself."""

    agent = serializers.UUIDField(required=False)
    application = serializers.UUIDField(required=False)
    public_key = serializers.DictField(
        required=False, default=None, allow_null=True,
        help_text="A public JWK of the client's own, for private_key_jwt. Left out: a secret is made.",
    )  # fmt: skip
    expires_at = serializers.DateTimeField(required=False, default=None, allow_null=True, help_text=ENDS)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse neither and both."""
        if len({"agent", "application"} & attrs.keys()) != 1:
            raise serializers.ValidationError("Give an agent, or an application.", "one_of_two")
        return attrs
