"""Approvals, as the API shows them, and the decision that it takes."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agentops.api.serializers import BodySerializer, QuerySerializer, TextField, WordField
from approvals.api.evidence_serializers import EvidenceSerializer
from approvals.closing import REASON_LIMIT
from approvals.denials import Preset
from approvals.models import ApprovalDecision, ApprovalRequest
from approvals.models.requests import Factor
from approvals.stages import StageShown
from tools.models import Effect

Verdict = ApprovalDecision.Verdict
VERDICTS = [
    (verdict.value, verdict.label) for verdict in (Verdict.APPROVE, Verdict.DENY)
]  # others have addresses
Document = dict[str, Any]  # Any: a JSON document


class StageSerializer(serializers.Serializer[StageShown]):
    """One stage: so many of those who are asked have to say yes."""

    stage = serializers.IntegerField(source="place")
    needed = serializers.IntegerField()
    given = serializers.IntegerField()
    groups = serializers.ListField(
        child=serializers.CharField(), help_text="Who is asked; empty: all who may approve the tool's calls."
    )
    asked_now = serializers.BooleanField(source="is_present")


class GivenDecisionSerializer(serializers.Serializer[ApprovalDecision]):
    """What one person has said."""

    by = serializers.CharField(source="decided_by.username")
    deputy_for = serializers.CharField(
        source="deputy_for.username",
        allow_null=True,
        default=None,
        help_text="Whose seat it took, if not their own.",
    )
    verdict = serializers.ChoiceField(ApprovalDecision.Verdict.choices)
    preset = serializers.CharField(
        allow_blank=True, help_text="Of the team's reasons to deny, if one was chosen."
    )
    by_edit = serializers.BooleanField(help_text="Given by having edited the call into this one.")
    stage = serializers.IntegerField()
    channel = serializers.ChoiceField(ApprovalDecision.Channel.choices)
    decided_at = serializers.DateTimeField()


class PresetSerializer(serializers.Serializer[Preset]):
    """One of the team's reasons to deny: the agent is told the words."""

    code = serializers.CharField()
    words = serializers.CharField()


class ApprovalSerializer(serializers.Serializer[ApprovalRequest]):
    """A question to people: may this agent make exactly this call?

    `evidence` is what a person needs to see before deciding: the statement in plain words, the arguments,
    on whose behalf, the user's words and the model's. It is null once it was erased. Where the tool declares a preview,
    `evidence.preview.changes` says what the call changes (`label`, `type`, `before`, `after`, of money its `currency`),
    and `evidence.preview.since` what people had been shown `then` and what is `now`, if they are asked anew.
    """

    id = serializers.UUIDField()
    state = serializers.ChoiceField(ApprovalRequest.State.choices)
    agent = serializers.CharField(source="identity.slug")
    tool = serializers.CharField(source="tool.name")
    tool_version = serializers.IntegerField(source="tool_version.number")
    effect = serializers.ChoiceField(Effect.choices)
    amount = serializers.DecimalField(20, 4, allow_null=True)
    currency = serializers.CharField(allow_blank=True)
    subject_ref = serializers.CharField(help_text="What waits for the decision: the id of a run.")
    digest = serializers.CharField(help_text="What a decision is bound to; send it back with the verdict.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    consumed_at = serializers.DateTimeField(allow_null=True)
    factor = serializers.ChoiceField(
        Factor.choices, help_text="`key`: only a security key counts, in the console."
    )
    reason_required = serializers.BooleanField(help_text="Also to approve it takes a reason.")
    stages = serializers.SerializerMethodField()
    decisions = GivenDecisionSerializer(many=True)
    follows = serializers.UUIDField(
        source="follows_id", allow_null=True, help_text="The request before, which was `edited` or `asked`."
    )
    edited_by = serializers.CharField(
        source="edited_by.username",
        allow_null=True,
        default=None,
        help_text="Whose edit made the call what it is.",
    )
    denial_reasons = serializers.SerializerMethodField()
    evidence = serializers.SerializerMethodField()

    @extend_schema_field(StageSerializer(many=True))
    def get_stages(self, request: ApprovalRequest) -> list[Document]:
        return list(StageSerializer(self.context["stages"].get(request.pk, []), many=True).data)

    @extend_schema_field(PresetSerializer(many=True))
    def get_denial_reasons(self, request: ApprovalRequest) -> list[Document]:
        return list(PresetSerializer(self.context["presets"][request.team_id], many=True).data)

    @extend_schema_field(EvidenceSerializer(allow_null=True))
    def get_evidence(self, request: ApprovalRequest) -> Document | None:
        evidence: Document | None = self.context["evidence"].get(request.pk)
        return evidence


class DecisionBody(BodySerializer):
    verdict = WordField(VERDICTS)
    preset = TextField(
        required=False,
        default="",
        allow_blank=True,
        max_length=40,
        help_text="The code of one of `denial_reasons`, to deny; `reason` is then what you add to it.",
    )
    reason = TextField(
        required=False,
        default="",
        allow_blank=True,
        max_length=REASON_LIMIT,
        help_text="Why. Required to deny without a `preset`: the agent is told, and the record keeps it.",
    )
    digest = TextField(min_length=64, max_length=64, help_text="The digest of what you looked at.")


class DecidedSerializer(serializers.Serializer[ApprovalRequest]):
    """What became of a request: still `waiting` where it takes somebody else's yes, too. Holds nothing personal, so it
    can be given again under the same key."""

    id = serializers.UUIDField()
    state = serializers.ChoiceField(ApprovalRequest.State.choices)
    digest = serializers.CharField()
    decided_at = serializers.DateTimeField(allow_null=True)


class ApprovalQuery(QuerySerializer):
    state = serializers.ChoiceField(ApprovalRequest.State.choices, required=False)
    agent = serializers.SlugField(required=False, source="identity__slug")
    since = serializers.DateTimeField(
        required=False, source="created_at__gte", help_text="Asked at this time or later."
    )
    decidable = serializers.BooleanField(
        required=False, help_text="True: those that you may decide now; false: the others."
    )
