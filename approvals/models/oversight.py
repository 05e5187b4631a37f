"""How well people decide: what a team's rule asks of them, and the second looks at what they decided."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from agentops.identifiers import new_id
from approvals.models.requests import ApprovalRequest
from approvals.querysets import OversightRuleQuerySet, PassedRequestQuerySet, SecondLookQuerySet
from identities.models import Team, User


class OversightRule(models.Model):
    """When a person of a team rests from approving, and what share of what they approve a second one looks at.

    A team without a row asks neither. A change ends the row and adds another.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="oversight_rules")
    most = models.PositiveSmallIntegerField(null=True, help_text="So many approvals of one person...")
    within_s = models.PositiveIntegerField(null=True, help_text="...within so many seconds...")
    pause_s = models.PositiveIntegerField(null=True, help_text="...and they rest from approving for so many.")
    second_percent = models.PositiveSmallIntegerField(
        help_text="Of the requests that fit, a second person sees."
    )
    second_below = models.DecimalField(
        max_digits=20, decimal_places=4, null=True, help_text="Of what moves less than this, or nothing."
    )
    currency = models.CharField(max_length=8, blank=True)
    before_effect = models.BooleanField(default=False, help_text="They look before the call goes out.")
    seed = models.CharField(max_length=32, help_text="Which ones follows from this and their ids alone.")
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, editable=False)

    objects = OversightRuleQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["team"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["team"], condition=Q(ended_at=None), name="oversight_rule_one_per_team"
            ),
            models.CheckConstraint(
                condition=Q(most=None, within_s=None, pause_s=None)
                | Q(most__gte=2, within_s__gte=1, pause_s__gte=1),
                name="oversight_pause_is_whole",
            ),
            models.CheckConstraint(condition=Q(second_percent__lte=100), name="oversight_share_is_one"),
            models.CheckConstraint(
                condition=Q(second_below=None, currency="") | (Q(second_below__gt=0) & ~Q(currency="")),
                name="oversight_amount_has_currency",
            ),
        ]

    def __str__(self) -> str:
        return f"how {self.team} is watched over"


class SecondLook(models.Model):
    """That a request was drawn for a second person, and what they say of it: once, and for good.

    ``stage`` is the stage that was added for it where they look before the effect: what they decide there is what they
    say. Else they look afterwards, and what they say changes nothing about the call.
    """

    class Verdict(models.TextChoices):
        AGREE = "agree"
        DISAGREE = "disagree"

    request = models.OneToOneField(
        ApprovalRequest, on_delete=models.PROTECT, primary_key=True, related_name="second_look"
    )
    rule = models.ForeignKey(OversightRule, on_delete=models.PROTECT, related_name="+", db_index=False)
    stage = models.PositiveSmallIntegerField(null=True)
    drawn_at = models.DateTimeField()
    verdict = models.CharField(max_length=8, choices=Verdict, blank=True)
    seen_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="second_looks")
    seen_at = models.DateTimeField(null=True)

    objects = SecondLookQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["drawn_at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(verdict="", seen_by=None, seen_at=None)
                | (Q(verdict__in=("agree", "disagree"), seen_by__isnull=False, seen_at__isnull=False)),
                name="second_look_is_somebodys",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["drawn_at"], name="second_look_open", condition=Q(seen_at=None))
        ]

    def __str__(self) -> str:
        return f"second look at {self.request_id}"


class PassedRequest(models.Model):
    """That somebody rests who could decide a request, and to whom it was left: to nobody, where nobody else may."""

    pk = models.CompositePrimaryKey("request_id", "person_id")
    request = models.ForeignKey(
        ApprovalRequest, on_delete=models.PROTECT, related_name="passed_on", db_index=False
    )
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    to = ArrayField(models.UUIDField(), default=list)
    until = models.DateTimeField(help_text="Until when they rest.")
    at = models.DateTimeField()

    objects = PassedRequestQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["at"]
        indexes: ClassVar = [
            models.Index(fields=["until"], name="passed_to_nobody", condition=Q(to=[])),
        ]

    def __str__(self) -> str:
        return f"{self.request_id} while {self.person_id} rests"
