"""What runs propose: change sets with their items, which people review and a run of its own carries out."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from approvals.models import ApprovalRequest
from identities.models import AgentIdentity, Team, User
from runs.models.runs import Run
from runs.querysets import ChangeSetQuerySet
from tools.models import Tool


class ChangeSet(models.Model):
    """The staged effects of a run. Its id is that of the run which applies it, should there come to be one."""

    class State(models.TextChoices):
        DRAFT = "draft", "the agent is at work on it"
        OFFERED = "offered", "waits for review"
        APPLIED = "applied", "accepted, whole or in part, and carried out by a run of its own"
        DECLINED = "declined", "nothing of it was accepted"
        SUPERSEDED = "superseded", "sent back: a later version takes its place"
        VOIDED = "voided", "its run has ended before it was reviewed"

    id = models.UUIDField(primary_key=True, editable=False)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="change_sets")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+", db_index=False)
    identity = models.ForeignKey(AgentIdentity, on_delete=models.PROTECT, related_name="+", db_index=False)
    version = models.PositiveSmallIntegerField(help_text="The first is 1; each that is sent back has a next.")
    state = models.CharField(max_length=12, choices=State, default=State.DRAFT)
    size = models.PositiveSmallIntegerField(default=0, help_text="How many items it has.")
    worst_effect = models.CharField(max_length=16, blank=True)
    digest = models.CharField(max_length=64, blank=True, help_text="Of all items, as they were offered.")
    created_at = models.DateTimeField()
    offered_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    settled_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, db_index=False, related_name="+"
    )

    objects = ChangeSetQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["offered_at", "id"]
        default_permissions: ClassVar = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "version"], name="change_set_version"),
            models.UniqueConstraint(
                fields=["run"], condition=Q(state__in=["draft", "offered"]), name="change_set_one_open"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["team", "offered_at"], name="change_set_queue", condition=Q(state="offered"))
        ]

    def __str__(self) -> str:
        return f"change set {self.id}"


class ChangeItem(models.Model):
    """One staged call. What it says is content of the proposing run's stream, at ``seq``."""

    pk = models.CompositePrimaryKey("change_set_id", "number")
    change_set = models.ForeignKey(
        ChangeSet, on_delete=models.PROTECT, related_name="item_rows", db_index=False
    )
    number = models.PositiveSmallIntegerField()
    step = models.PositiveIntegerField()
    call = models.PositiveSmallIntegerField()
    seq = models.PositiveIntegerField()
    tool = models.ForeignKey(Tool, on_delete=models.PROTECT, db_index=False, related_name="+")
    effect = models.CharField(max_length=16)
    depends_on = models.JSONField(
        default=list, help_text="The numbers of the items that have to come before."
    )
    targets = models.JSONField(default=list, help_text="Keyed digests of what it is about.")
    request = models.OneToOneField(ApprovalRequest, on_delete=models.PROTECT, related_name="+")

    class Meta:
        db_table = "runs_change_item"
        ordering: ClassVar = ["number"]

    def __str__(self) -> str:
        return f"item {self.number} of {self.change_set_id}"
