"""What runs ask of people beside approvals: to take a conversation over, and to go on beyond a limit."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from agentops.identifiers import new_id
from identities.models import AgentIdentity, Team, User
from runs.models.runs import Run
from runs.querysets import ExtensionQuerySet, HandoverQuerySet


class Handover(models.Model):
    """A conversation that an agent passed to a person. Its words are content of the run's stream."""

    class Outcome(models.TextChoices):
        GIVEN_BACK = "given_back", "given back to the agent"
        RESOLVED = "resolved", "resolved"
        DECLINED = "declined", "declined"
        ELSEWHERE = "elsewhere", "taken care of elsewhere"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="handovers")
    step = models.PositiveIntegerField()
    call = models.PositiveSmallIntegerField()
    opened_at = models.DateTimeField()
    claimed_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, db_index=False, related_name="+",
        help_text="Who is answering it.",
    )  # fmt: skip
    claimed_at = models.DateTimeField(null=True, help_text="Since when; a claim lapses by itself.")
    answered_at = models.DateTimeField(null=True)
    answered_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    outcome = models.CharField(max_length=10, choices=Outcome, blank=True, db_default="")

    objects = HandoverQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["opened_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "step", "call"], name="handover_once_per_call"),
            models.CheckConstraint(
                condition=Q(claimed_by=None, claimed_at=None)
                | Q(claimed_by__isnull=False, claimed_at__isnull=False),
                name="handover_claimed_since_when",
            ),
        ]

    def __str__(self) -> str:
        return f"handover of {self.run_id}"


class Extension(models.Model):
    """A run at a limit of its own asks to go on. What it says about itself is content of the run's stream."""

    class State(models.TextChoices):
        WAITING = "waiting"
        GRANTED = "granted"
        REFUSED = "refused"
        EXPIRED = "expired"
        VOIDED = "voided"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="extensions")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    identity = models.ForeignKey(AgentIdentity, on_delete=models.PROTECT, related_name="+")
    owner = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
        help_text="Who owned the agent when it asked; a change of owner since frees nobody to decide.",
    )
    limit = models.CharField(max_length=16, help_text="Which limit was reached.")
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    # The most that may be granted, and what was.
    most_steps = models.PositiveIntegerField()
    most_tokens = models.PositiveIntegerField()
    most_usd = models.DecimalField(max_digits=12, decimal_places=4)
    most_seconds = models.PositiveIntegerField()
    steps = models.PositiveIntegerField(null=True)
    tokens = models.PositiveIntegerField(null=True)
    usd = models.DecimalField(max_digits=12, decimal_places=4, null=True)
    seconds = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, db_index=False, related_name="+"
    )

    objects = ExtensionQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["created_at"]
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["run"], condition=Q(state="waiting"), name="extension_one_open_per_run"
            ),
            models.CheckConstraint(
                condition=~Q(state="granted")
                | Q(decided_by__isnull=False, steps__isnull=False, tokens__isnull=False)
                & Q(usd__isnull=False, seconds__isnull=False),
                name="extension_granted_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(steps=None)
                | Q(steps__lte=models.F("most_steps"), tokens__lte=models.F("most_tokens"))
                & Q(usd__lte=models.F("most_usd"), seconds__lte=models.F("most_seconds")),
                name="extension_within_its_bound",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["expires_at"], name="extension_waiting", condition=Q(state="waiting"))
        ]

    def __str__(self) -> str:
        return f"more {self.limit} for {self.run_id}"
