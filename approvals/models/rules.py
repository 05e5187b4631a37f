"""Whose yes a call takes: a team's rules, and what a rule asked of one request."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q

from agentops.identifiers import new_id
from approvals.models.requests import ApprovalRequest, Factor
from approvals.querysets import ApprovalRuleQuerySet, DenialReasonsQuerySet
from identities.models import AgentIdentity, Team, User
from tools.models import Effect, Tool


class ApprovalRule(models.Model):
    """Which calls take whose yes, and how many. Of a team's rules the first that fits a call counts.

    What is left empty fits every call. A change ends the row and adds another.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="approval_rules")
    place = models.PositiveSmallIntegerField(help_text="The rules are asked in this order, from 1.")
    name = models.CharField(max_length=80)
    tool = models.ForeignKey(Tool, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    effect = models.CharField(max_length=16, choices=Effect, blank=True)
    identity = models.ForeignKey(
        AgentIdentity, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    min_amount = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)
    currency = models.CharField(max_length=8, blank=True, help_text="Of the least amount.")
    doubtful = models.BooleanField(
        default=False, help_text="Only calls with a value that nobody whom we trust has vouched for."
    )
    stages = models.JSONField(
        help_text='In order: [{"needed": 2, "group": "finance", "escalate": [{"after_s": 300, "group": "heads"}]}].'
    )
    reason_required = models.BooleanField(default=False, help_text="Also who approves has to say why.")
    factor = models.CharField(max_length=8, choices=Factor, default=Factor.ANY)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, editable=False)

    objects = ApprovalRuleQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["team", "place"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["team", "place"], condition=Q(ended_at=None), name="approval_rule_one_per_place"
            ),
            models.CheckConstraint(
                condition=Q(min_amount=None, currency="") | (Q(min_amount__gt=0) & ~Q(currency="")),
                name="approval_rule_amount_has_currency",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.place}. {self.name}"


class DenialReasons(models.Model):
    """A team's ready-made reasons to deny, as a whole; a team without a row has those that are shipped."""

    team = models.OneToOneField(
        Team, on_delete=models.PROTECT, primary_key=True, related_name="denial_reasons"
    )
    reasons = models.JSONField(
        help_text='In order: [{"code": "wrong_amount", "words": "The amount is wrong."}].'
    )
    set_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", editable=False)
    set_at = models.DateTimeField()

    objects = DenialReasonsQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "denial reasons"

    def __str__(self) -> str:
        return f"why calls of {self.team} are denied"


class ApprovalStage(models.Model):
    """How many people have to say yes to a request, one stage after another. What a rule asked is kept here:
    a rule that changes later asks nothing else of a request that waits.

    ``ladder`` is who may decide after how long: [[seconds, a group's id, or None for all who may approve at all]].
    """

    pk = models.CompositePrimaryKey("request_id", "place")
    request = models.ForeignKey(
        ApprovalRequest, on_delete=models.PROTECT, related_name="stages", db_index=False
    )
    place = models.PositiveSmallIntegerField()
    needed = models.PositiveSmallIntegerField()
    ladder = models.JSONField(default=list)

    class Meta:
        ordering: ClassVar = ["place"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(needed__gte=1), name="approval_stage_needs_somebody")
        ]

    def __str__(self) -> str:
        return f"stage {self.place} of {self.request_id}"


class StageGroup(models.Model):
    """Who may decide in a stage, beside having the tool's calls to approve: a group, or (None) all who have."""

    request = models.ForeignKey(
        ApprovalRequest, on_delete=models.PROTECT, related_name="stage_groups", db_index=False
    )
    place = models.PositiveSmallIntegerField()
    # A group that is gone has no members: nobody decides in its place.
    group = models.ForeignKey(
        Group, on_delete=models.DO_NOTHING, db_constraint=False, null=True, related_name="+"
    )
    opened_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["request", "place", "group"], nulls_distinct=False, name="stage_group_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.group or 'everybody who may'} in stage {self.place} of {self.request_id}"
