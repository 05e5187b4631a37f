"""Runs whose drives fail again and again through faults of ours: parked until a person says what becomes of them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from agentops.identifiers import new_id
from identities.models import Team, User
from runs.models.runs import Run
from runs.querysets import DeadLetterQuerySet


class DeadLetter(models.Model):
    """A run that no driver takes any more. What it was about is in the run's stream, up to ``entry``."""

    class State(models.TextChoices):
        PARKED = "parked"
        REDRIVEN = "redriven"
        DISCARDED = "discarded"

    class Reason(models.TextChoices):
        DRIVER_FAILED = "driver_failed", "the driver failed"
        DRIVER_DIED = "driver_died", "whoever drove it died, or lost its lease"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="dead_letters")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=State, default=State.PARKED)
    reason = models.CharField(max_length=16, choices=Reason)
    error = models.CharField(
        max_length=200,
        blank=True,
        help_text="What was raised, and where; its words may be personal, and are not kept.",
    )
    attempts = models.PositiveSmallIntegerField(help_text="How many drives in a row have failed.")
    entry = models.PositiveIntegerField(
        help_text="The last entry of the run's stream, before which it did not get on."
    )
    parked_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")

    objects = DeadLetterQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["run"], condition=Q(state="parked"), name="dead_letter_one_parked"
            ),
        ]

    def __str__(self) -> str:
        return f"dead letter of run {self.run_id}"
