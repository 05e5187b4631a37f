"""What has been spent of terms, what has been done, and how breakers stand."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from agentops.identifiers import new_id
from identities.models import AgentIdentity
from tools.models.catalogue import Tool, ToolVersion


class CapUsage(models.Model):
    """What has been reserved of one cap in one window. Counters are only moved by conditional updates."""

    id = models.BigAutoField(primary_key=True)
    identity = models.ForeignKey(AgentIdentity, on_delete=models.PROTECT)
    tool = models.ForeignKey(Tool, on_delete=models.PROTECT)
    window = models.CharField(
        max_length=64, help_text="run:<id>, hour:<start>, day:<start>; of one end user: day:<start>@<id>"
    )
    used_count = models.PositiveIntegerField(default=0)
    used_amount = models.DecimalField(max_digits=20, decimal_places=4, default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["identity", "tool", "window"], name="cap_usage_once_per_window")
        ]

    def __str__(self) -> str:
        return f"{self.tool} {self.window}: {self.used_count}, {self.used_amount}"


class EffectRecord(models.Model):
    """The idempotency ledger: one row per key under which an effect was attempted, and what became of it."""

    class State(models.TextChoices):
        STARTED = "started"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        UNKNOWN = "unknown"

    # Every effect writes here, and rows are only ever looked up by key or by what they have in common.
    key = models.CharField(primary_key=True, max_length=120)
    identity = models.ForeignKey(AgentIdentity, on_delete=models.PROTECT, db_constraint=False, db_index=False)
    tool_version = models.ForeignKey(
        ToolVersion, on_delete=models.PROTECT, db_constraint=False, db_index=False
    )
    args_digest = models.CharField(max_length=64)
    dedupe_digest = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=16, choices=State, default=State.STARTED)
    stream_id = models.UUIDField(help_text="The ledger stream that holds the outcome.")
    outcome_seq = models.PositiveIntegerField(null=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["dedupe_digest", "started_at"], name="effect_dedupe", condition=~Q(dedupe_digest="")
            )
        ]

    def __str__(self) -> str:
        return self.key


class BreakerTransition(models.Model):
    """A move of a tool's breaker, kept for people: the breaker itself remembers its latest only.

    Whoever sees a move writes it down, so several may; when and where to names it.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tool = models.ForeignKey(
        Tool, on_delete=models.CASCADE, related_name="breaker_transitions", db_index=False
    )
    at = models.DateTimeField()
    before = models.CharField(max_length=16)
    after = models.CharField(max_length=16)
    reason = models.CharField(max_length=48)
    retry_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tool", "at", "after"], name="breaker_transition_once")
        ]
        indexes: ClassVar = [models.Index(fields=["at"], name="breaker_transition_by_time")]

    def __str__(self) -> str:
        return f"{self.tool}: {self.before} to {self.after}"


class BreakerState(models.Model):
    """The breaker of a tool as people see it: the last transition, mirrored from Redis."""

    tool = models.OneToOneField(
        Tool, on_delete=models.CASCADE, primary_key=True, related_name="breaker_state"
    )
    state = models.CharField(max_length=16, default="closed")
    changed_at = models.DateTimeField()
    retry_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return f"{self.tool}: {self.state}"
