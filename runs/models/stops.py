"""Stops: what somebody stopped, or tried in a drill."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.text import capfirst

from agentops.identifiers import new_id
from identities.models import Team, User
from runs.querysets import StopQuerySet


class Stop(models.Model):
    """Somebody stopped something. Which runs it concerned, and what became of them, `runs.receipts` tells."""

    class Scope(models.TextChoices):
        RUN = "run"
        AGENT = "agent"
        TOOL = "tool"
        APPLICATION = "application"
        PRINCIPAL = "principal", "end user"
        CREDENTIAL = "credential", "API key"
        PROVIDER = "provider", "model provider"
        EVERYTHING = "everything"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    scope = models.CharField(max_length=16, choices=Scope)
    target = models.CharField(max_length=64, blank=True)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, related_name="+")
    is_drill = models.BooleanField(help_text="Everything was done but the effect.")
    stopped_at = models.DateTimeField()
    stopped_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")

    objects = StopQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(scope="everything", target="") | ~Q(scope="everything") & ~Q(target=""),
                name="stop_names_its_target",
            )
        ]

    named = ""  # what is shown of the target, where it was looked up

    def __str__(self) -> str:
        what = capfirst(f"{self.get_scope_display()} {self.named or self.target}".strip())
        return f"{what} (drill)" if self.is_drill else what
