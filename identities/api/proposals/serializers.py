"""Proposals, as the API shows them."""

from __future__ import annotations

from dataclasses import asdict

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agentops.api.serializers import (
    BodySerializer,
    Fields,
    QuerySerializer,
    TextField,
    render_rows,
)
from identities.changes.deciding import MayCheck, may_check
from identities.changes.differences import Line, find_differences
from identities.changes.proposing import REASON_LIMIT
from identities.factors import has_fresh_factor
from identities.models import ChangeProposal

State = ChangeProposal.State


class DifferenceSerializer(serializers.Serializer[Line]):
    """One field that will be another."""

    field = serializers.CharField()
    before = serializers.JSONField(help_text="Null: there was nothing.")
    after = serializers.JSONField()
    loosens = serializers.BooleanField(help_text="Whether it moves a guardrail further off.")


class ProposedSerializer(serializers.Serializer[ChangeProposal]):
    """Where a proposal stands. Holds nothing personal, so it can be given again under the same key."""

    id = serializers.UUIDField()
    verb = serializers.CharField()
    state = serializers.ChoiceField(State.choices)
    expires_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)


class ProposalSerializer(ProposedSerializer):
    """A change that somebody proposed: who, what, why, as it stood and as it will stand."""

    title = serializers.CharField(help_text="What changes, in plain words.")
    subject = serializers.CharField(help_text="Names what changes: ids, joined by colons.")
    team = serializers.CharField(
        source="team.slug", allow_null=True, default=None, help_text="Null: it is the whole installation's."
    )
    permission = serializers.CharField(help_text="What both people have to hold.")
    reason = serializers.CharField()
    maker = serializers.CharField(source="maker.username")
    checker = serializers.CharField(
        source="checker.username", allow_null=True, default=None, help_text="Who activated or rejected it."
    )
    answer = serializers.CharField(help_text="Why it was rejected.")
    created_at = serializers.DateTimeField()
    before = serializers.DictField(allow_null=True, help_text="Null: there was nothing.")
    after = serializers.DictField()
    loosening = serializers.ListField(child=serializers.CharField(), help_text="The fields that loosen.")
    differences = serializers.SerializerMethodField()
    rolls_back = serializers.UUIDField(
        source="rolls_back_id", allow_null=True, help_text="The change that this one goes back on."
    )

    @extend_schema_field(DifferenceSerializer(many=True))
    def get_differences(self, proposal: ChangeProposal) -> list[Fields]:
        return render_rows(DifferenceSerializer, find_differences(proposal))


class MayDecideSerializer(serializers.Serializer[MayCheck]):
    """Whether you may activate or reject it now, and if not, why and what to do."""

    allowed = serializers.BooleanField()
    code = serializers.CharField(help_text="Empty where you may.")
    detail = serializers.CharField()


class ProposalDetailSerializer(ProposalSerializer):
    """A proposal, and whether the caller may decide about it."""

    may_decide = serializers.SerializerMethodField()

    @extend_schema_field(MayDecideSerializer)
    def get_may_decide(self, proposal: ChangeProposal) -> Fields:
        viewer = self.context["viewer"]
        if not proposal.is_open(timezone.now()):
            return asdict(MayCheck(False, "change_decided", "nobody decides about this any more"))
        return asdict(may_check(viewer, proposal, second_factor=has_fresh_factor(viewer)))


class RolledBackSerializer(serializers.Serializer[Fields]):
    """What became of going back: done at once, or proposed."""

    done = serializers.BooleanField(help_text="False: it waits for a second person.")
    proposal = serializers.UUIDField(allow_null=True, help_text="What waits.")


class ProposalQuery(QuerySerializer):
    state = serializers.ChoiceField(State.choices, required=False)
    verb = serializers.CharField(required=False, max_length=40)
    team = serializers.SlugField(required=False, source="team__slug", help_text="The team's slug.")


class EmptyBody(BodySerializer):
    """Nothing more to say."""


class WhyBody(BodySerializer):
    reason = TextField(
        required=False, default="", allow_blank=True, max_length=REASON_LIMIT, help_text="Why."
    )


class RejectionBody(BodySerializer):
    reason = TextField(min_length=1, max_length=REASON_LIMIT, help_text="Why. The maker reads it.")
