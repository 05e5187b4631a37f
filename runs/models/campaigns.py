"""Campaigns of recertification: people look at the grants of a team again, one by one, until a day."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from agentops.identifiers import new_id
from identities.models import Team, User
from runs.querysets import CampaignQuerySet
from tools.models import ToolGrant


class Campaign(models.Model):
    """Which grants are looked at, by whom, until when. What nobody decides until then is taken away."""

    class State(models.TextChoices):
        OPEN = "open"
        CLOSED = "closed"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="campaigns")
    title = models.CharField(max_length=120)
    unused_days = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Only grants that were unused for so many days; empty: all."
    )
    due_at = models.DateTimeField()
    reviewers = models.ManyToManyField(User, related_name="+")
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    opened_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    opened_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, editable=False)

    objects = CampaignQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state="open", closed_at=None) | Q(state="closed", closed_at__isnull=False),
                name="campaign_closed_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return self.title


class CampaignItem(models.Model):
    """One grant of a campaign, as it stood then, and what became of it."""

    class Decision(models.TextChoices):
        KEPT = "kept"
        SHRUNK = "shrunk"
        REVOKED = "revoked"
        EXPIRED = "expired", "nobody decided, so it was taken away"
        GONE = "gone", "it had been taken away before"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="items")
    grant = models.ForeignKey(ToolGrant, on_delete=models.PROTECT, related_name="+")
    decision = models.CharField(max_length=8, choices=Decision, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["campaign", "grant"], name="campaign_item_once"),
            models.CheckConstraint(
                condition=Q(decision="", decided_by=None, decided_at=None)
                | Q(decision__in=["expired", "gone"], decided_by=None, decided_at__isnull=False)
                | Q(
                    decision__in=["kept", "shrunk", "revoked"],
                    decided_by__isnull=False,
                    decided_at__isnull=False,
                ),
                name="campaign_item_decided_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign}: {self.grant}"
