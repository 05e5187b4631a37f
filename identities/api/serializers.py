"""Agents and the second factor, as the API shows them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from agentops.api.serializers import BodySerializer, FlagField, QuerySerializer, TextField
from agentops.console.security_keys import LONGEST_SUBJECT
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
    exposed = serializers.BooleanField(
        help_text="Whether its card is published, and applications that may start it reach it over A2A."
    )
    created_at = serializers.DateTimeField()


class CreateAgentBody(BodySerializer):
    """Who is to act, what for, and who answers for it."""

    team = TextField(min_length=1, max_length=50, help_text="The team's slug.")
    slug = serializers.SlugField(max_length=50)
    name = TextField(max_length=120)
    purpose = TextField(max_length=2_000)
    owner = TextField(max_length=150, help_text="The username of an active person of the team.")
    sponsor = TextField(
        required=False, default=None, allow_null=True, max_length=150,
        help_text="Another one, who answers for it when the owner has left.",
    )  # fmt: skip
    expires_at = serializers.DateTimeField(required=False, default=None, allow_null=True)
    recertify_by = serializers.DateTimeField(
        required=False, default=None, allow_null=True,
        help_text="Until when somebody has to look at it again, or it is suspended.",
    )  # fmt: skip


class UpdateAgentBody(BodySerializer):
    """What is to be said of an agent; what is left out stays. Another owner is proposed (`agent.hand_over`)."""

    name = TextField(required=False, max_length=120)
    purpose = TextField(required=False, max_length=2_000)
    sponsor = TextField(
        required=False, max_length=150, help_text="The username of another active person of the team."
    )
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Null: no end of its own."
    )
    exposed = FlagField(
        required=False,
        help_text="Whether its card is published, and applications that may start it reach it over A2A.",
    )


class AgentQuery(QuerySerializer):
    slug = serializers.SlugField(required=False)
    state = serializers.ChoiceField(AgentIdentity.State.choices, required=False)


class StepUpBody(BodySerializer):
    """One of the two: a code, or what a security key answered to `beginKeyProof`."""

    otp = TextField(
        required=False, min_length=6, max_length=8, help_text="The code that the authenticator shows now."
    )
    answer = serializers.DictField(
        required=False, help_text="The key's assertion, as JSON (PublicKeyCredential.toJSON of WebAuthn)."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse neither and both."""
        if len(attrs) != 1:
            raise serializers.ValidationError("Give an otp, or an answer of a security key.", "one_of_two")
        return attrs


class ReasonBody(BodySerializer):
    """Why; the record keeps it."""

    reason = TextField(max_length=1_000)


class KeyProofBody(BodySerializer):
    """What the signature is to be about, where a decision asks for one; see `decideApproval`."""

    about = TextField(
        required=False, default="", allow_blank=True, max_length=LONGEST_SUBJECT,
        help_text="`approve:` or `deny:` and the digest, `edit:` and the edited digest; of a batch `batch-approve:` "
        "or `batch-deny:` and its digest; of a change set `changes:`, its digest, and the items: "
        "`:approve=1,3;deny=2`.",
    )  # fmt: skip


class KeyProofSerializer(serializers.Serializer[Any]):  # Any: a mapping
    """What `navigator.credentials.get` takes as `publicKey`, as JSON."""

    options = serializers.DictField()


class StepUpSerializer(serializers.Serializer[Any]):  # Any: rendered from an ApiKey
    """The window in which this key may decide."""

    verified_until = serializers.DateTimeField()
