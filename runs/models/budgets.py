"""Budgets that runs share."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from agentops.identifiers import new_id
from identities.models import AgentIdentity, Team
from runs.models.runs import Run


class Budget(models.Model):
    """A ceiling shared by the runs of an agent or of a team in every window."""

    class Window(models.TextChoices):
        HOUR = "hour"
        DAY = "day"
        MONTH = "month"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="budgets")
    identity = models.ForeignKey(
        AgentIdentity,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="budgets",
        help_text="Empty: the budget is the whole team's.",
    )
    window = models.CharField(max_length=8, choices=Window)
    max_steps = models.PositiveBigIntegerField(null=True, blank=True)
    max_tokens = models.PositiveBigIntegerField(null=True, blank=True)
    max_usd = models.DecimalField(max_digits=16, decimal_places=8, null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["team", "identity", "window"], name="budget_once_per_scope", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{self.identity or self.team} per {self.window}"


class BudgetWindow(models.Model):
    """How much of a budget is committed in one window: spent, or held by runs that are still going."""

    id = models.BigAutoField(primary_key=True)
    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="windows")
    starts_at = models.DateTimeField()
    committed_steps = models.BigIntegerField(default=0)
    committed_tokens = models.BigIntegerField(default=0)
    committed_usd = models.DecimalField(max_digits=16, decimal_places=8, default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["budget", "starts_at"], name="budget_window_once"),
            models.CheckConstraint(
                condition=Q(committed_steps__gte=0, committed_tokens__gte=0, committed_usd__gte=0),
                name="budget_window_never_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.budget} from {self.starts_at}"


class Escrow(models.Model):
    """What a run has drawn of a shared budget and not yet returned."""

    id = models.BigAutoField(primary_key=True)
    window = models.ForeignKey(BudgetWindow, on_delete=models.CASCADE, related_name="escrows")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="escrows")
    drawn_steps = models.BigIntegerField(default=0)
    drawn_tokens = models.BigIntegerField(default=0)
    drawn_usd = models.DecimalField(max_digits=16, decimal_places=8, default=0)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["window", "run"], name="escrow_once_per_window")
        ]

    def __str__(self) -> str:
        return f"{self.run_id} of {self.window}"
