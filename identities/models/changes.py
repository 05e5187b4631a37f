"""Changes of what governs: how many people each takes, and the proposals that wait for a second one."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from agentops.identifiers import new_id
from identities.models.people import Team, User
from identities.querysets import ChangeProposalQuerySet, ChangeRuleQuerySet

ALWAYS_TWO = ("rule.set", "grant.waive")  # no rule makes these one person's


class ChangeRule(models.Model):
    """How many people one kind of change takes, everywhere or in a team. Without a rule: two for what loosens."""

    class Needs(models.TextChoices):
        ONE = "one", "one person"
        TWO_TO_LOOSEN = "two_to_loosen", "two people for what loosens, one for what tightens"
        TWO = "two", "two people"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    verb = models.CharField(max_length=40)
    team = models.ForeignKey(
        Team,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Empty: for all teams that have no rule of their own.",
    )
    needs = models.CharField(max_length=16, choices=Needs)
    changed_at = models.DateTimeField(auto_now=True)

    objects = ChangeRuleQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["verb"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["verb", "team"], name="change_rule_once_per_scope", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=Q(needs__in=["one", "two_to_loosen", "two"]), name="change_rule_needs_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verb} in {self.team}" if self.team_id else self.verb


class ChangeProposal(models.Model):
    """A change that one person proposed and another has to activate. Its id is its ledger stream.

    The database refuses a governed row unless a proposal of just this row was activated in the same transaction.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        ACTIVATED = "activated"
        REJECTED = "rejected"
        WITHDRAWN = "withdrawn"
        EXPIRED = "expired"
        OUTDATED = "outdated"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    verb = models.CharField(max_length=40)
    subject = models.CharField(max_length=200, help_text="Names what changes, alike here and in the guards.")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, related_name="+")
    permission = models.CharField(max_length=100, help_text="What both people have to hold.")
    title = models.CharField(max_length=300)
    arguments = models.JSONField()
    before = models.JSONField(
        null=True, help_text="How it stood when it was proposed; null: there was nothing."
    )
    after = models.JSONField(help_text="What the row will hold; the guards compare it.")
    loosening = models.JSONField(default=list, help_text="The fields that move a guardrail further off.")
    undo = models.JSONField(null=True, help_text="The arguments that bring back what was before.")
    reason = models.TextField(blank=True)
    maker = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    checker = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    answer = models.TextField(blank=True, help_text="Why it was rejected or withdrawn.")
    rolls_back = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+")
    # Written by the guard alone: the one transaction in which an activation counts.
    activated_in = models.BigIntegerField(null=True, editable=False)

    objects = ChangeProposalQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(checker=None) | ~Q(checker=F("maker")), name="change_maker_is_not_checker"
            ),
            models.CheckConstraint(
                condition=~Q(state="activated") | Q(checker__isnull=False, decided_at__isnull=False),
                name="change_activated_by_somebody",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["verb", "subject"], name="change_of_subject"),
            models.Index(fields=["expires_at"], name="change_waiting", condition=Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return self.title

    def is_open(self, now: datetime) -> bool:
        """Return whether somebody may still decide about it."""
        return self.state == self.State.WAITING and now < self.expires_at
