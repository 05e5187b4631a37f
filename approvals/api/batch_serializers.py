"""Batches of requests, as the API shows them, and what it takes."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from agentops.api.serializers import BodySerializer, QuerySerializer, TextField, WordField
from approvals.batches.groups import MOST_ITEMS, Group, Member
from approvals.closing import REASON_LIMIT
from approvals.models import ApprovalBatch, ApprovalDecision, BatchItem
from tools.models import Effect


class OdditySerializer(serializers.Serializer[Any]):
    """One thing that is unusual about a request among its like."""

    code = serializers.ChoiceField(
        [
            ("amount", "amount"),
            ("own_amount", "own amount"),
            ("rare_target", "rare target"),
            ("new_recipient", "new recipient"),
            ("tainted", "tainted"),
        ]
    )
    leaf = serializers.CharField(help_text="Which argument, empty where it is none.")
    words = serializers.CharField()


class MemberSerializer(serializers.Serializer[Member]):
    """One request of a group."""

    id = serializers.UUIDField(source="request.pk")
    digest = serializers.CharField(source="request.digest")
    oddities = OdditySerializer(many=True)


class GroupSerializer(serializers.Serializer[Group]):
    """Requests for one tool whose arguments have the same shape, what is unusual first."""

    group = serializers.CharField(source="name", help_text="Names it, as long as something of it waits.")
    tool = serializers.CharField(source="tool.name")
    effect = serializers.ChoiceField(Effect.choices)
    constant = serializers.DictField(
        child=serializers.CharField(),
        source="template.constant",
        help_text="Arguments that are the same in all.",
    )
    varying = serializers.DictField(
        child=serializers.IntegerField(),
        source="template.varying",
        help_text="Arguments that differ, with how many values.",
    )
    approvals = MemberSerializer(many=True, source="members")


class ChosenBody(BodySerializer):
    id = serializers.UUIDField()
    digest = TextField(min_length=64, max_length=64, help_text="The digest of what you looked at.")


class BatchBody(BodySerializer):
    """Which requests are to be decided alike; each is checked by itself."""

    verdict = WordField(ApprovalDecision.Verdict.choices)
    approvals = serializers.ListField(child=ChosenBody(), min_length=1, max_length=MOST_ITEMS)


class LeaveOutBody(BodySerializer):
    """Which requests are not decided with the others."""

    approvals = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=MOST_ITEMS)


class BatchSerializer(serializers.Serializer[ApprovalBatch]):
    """Requests that one person decides about together."""

    id = serializers.UUIDField()
    state = serializers.ChoiceField(ApprovalBatch.State.choices)
    verdict = serializers.ChoiceField(ApprovalDecision.Verdict.choices)
    digest = serializers.CharField(help_text="Of the list that is ready; send it back to decide it.")
    ready = serializers.SerializerMethodField(help_text="How many may be decided together.")
    excluded = serializers.SerializerMethodField(help_text="How many may not; `items` says why of each.")
    left_out = serializers.SerializerMethodField()
    decided = serializers.SerializerMethodField()
    to_open = serializers.SerializerMethodField(
        help_text="Drawn of the groups, and to be opened one by one (`getApproval`) before the others are approved."
    )
    created_at = serializers.DateTimeField()
    checked_at = serializers.DateTimeField(
        allow_null=True, help_text="As of when `ready`, `excluded` and `digest` are, of a draft."
    )
    confirmed_at = serializers.DateTimeField(allow_null=True)
    done_at = serializers.DateTimeField(allow_null=True)

    def get_ready(self, batch: ApprovalBatch) -> int:
        return int(self.context["counts"]["ready"])

    def get_excluded(self, batch: ApprovalBatch) -> int:
        return int(self.context["counts"]["excluded"])

    def get_left_out(self, batch: ApprovalBatch) -> int:
        return int(self.context["counts"]["left_out"])

    def get_decided(self, batch: ApprovalBatch) -> int:
        return int(self.context["counts"]["decided"])

    def get_to_open(self, batch: ApprovalBatch) -> list[str]:
        return [str(item.request_id) for item in self.context["sample"] if not item.is_opened]


class ItemSerializer(serializers.Serializer[BatchItem]):
    """One request of a batch: whether it may be decided with the others, and what became of it."""

    number = serializers.IntegerField(source="id")
    approval = serializers.UUIDField(source="request_id")
    digest = serializers.CharField()
    state = serializers.ChoiceField(BatchItem.State.choices)
    code = serializers.CharField(help_text="Why it is excluded.")
    detail = serializers.CharField(help_text="The same in words.")
    outcome = serializers.CharField(
        help_text="What the request is since: approved, denied, or waiting for somebody else's yes."
    )


class ItemQuery(QuerySerializer):
    state = serializers.ChoiceField(BatchItem.State.choices, required=False)


class BatchDecisionBody(BodySerializer):
    digest = TextField(min_length=64, max_length=64, help_text="The digest of the list that you looked at.")
    reason = TextField(
        required=False,
        default="",
        allow_blank=True,
        max_length=REASON_LIMIT,
        help_text="One for all. Required to deny: the agents are told, and the record keeps it.",
    )
