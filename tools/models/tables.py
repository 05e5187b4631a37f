"""Decision tables, and the versions of their rules."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from agentops.identifiers import new_id
from identities.models import Team, User
from tools.querysets import DecisionTableQuerySet, DecisionTableVersionQuerySet


class DecisionTable(models.Model):
    """A decision that a team makes by rules, whatever the version of these."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="decision_tables")
    slug = models.SlugField(max_length=64)
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DecisionTableQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["slug"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "slug"], name="decision_table_slug_once_per_team"),
        ]

    def __str__(self) -> str:
        return self.slug


class DecisionTableVersion(models.Model):
    """The rules as they stood: changed as a draft, immutable once published."""

    class State(models.TextChoices):
        DRAFT = "draft"
        PUBLISHED = "published"
        RETIRED = "retired"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    table = models.ForeignKey(DecisionTable, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    source = models.TextField(blank=True, help_text="The DMN document that it was imported from.")
    cases = models.JSONField(default=list, blank=True)
    digest = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=State, default=State.DRAFT)
    effective_from = models.DateTimeField(null=True, blank=True, help_text="Empty: from its publication.")
    effective_until = models.DateTimeField(null=True, blank=True)
    acknowledgement = models.CharField(max_length=300, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    published_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    published_at = models.DateTimeField(null=True, editable=False)
    retired_at = models.DateTimeField(null=True, editable=False)

    objects = DecisionTableVersionQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["table", "number"], name="decision_table_version_number_once"),
            models.UniqueConstraint(
                fields=["table"], condition=Q(state="draft"), name="decision_table_has_one_draft"
            ),
            models.CheckConstraint(
                condition=Q(effective_until=None)
                | Q(effective_from=None)
                | Q(effective_until__gt=models.F("effective_from")),
                name="decision_table_version_ends_after_it_begins",
            ),
            models.CheckConstraint(
                condition=Q(state="draft") | Q(published_at__isnull=False),
                name="decision_table_version_was_published",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.table} v{self.number}"
