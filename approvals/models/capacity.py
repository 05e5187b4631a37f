"""How much of a team's people can be asked: a budget like those of steps and tokens, but of attention."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from approvals.querysets import ReviewCapacityQuerySet
from identities.models import Team, User


class ReviewCapacity(models.Model):
    """How many decisions an hour each of a team's approvers is good for; a team without a row is not bounded."""

    team = models.OneToOneField(
        Team, on_delete=models.PROTECT, primary_key=True, related_name="review_capacity"
    )
    per_approver_hour = models.PositiveSmallIntegerField(
        help_text="Decisions that one person can answer for in an hour."
    )
    set_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", editable=False)
    set_at = models.DateTimeField(editable=False)
    full_since = models.DateTimeField(
        null=True, editable=False, help_text="Since when runs have been held back, as far as that was told."
    )

    objects = ReviewCapacityQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["team"]
        verbose_name = "review capacity"
        verbose_name_plural = "review capacities"
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(per_approver_hour__gte=1), name="review_capacity_is_some")
        ]

    def __str__(self) -> str:
        return f"{self.per_approver_hour} decisions an hour by each approver of {self.team}"
