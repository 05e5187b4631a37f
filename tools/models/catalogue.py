"""What may be done: tools, and the versions that define them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from agentops.identifiers import new_id
from identities.models import Team, User
from tools.querysets import ToolQuerySet


class Effect(models.TextChoices):
    READ = "read"
    REVERSIBLE = "reversible"
    IRREVERSIBLE = "irreversible"


class Idempotency(models.TextChoices):
    """What a tool declares about a repeated idempotency key."""

    HONOURS_KEY = "honours_key", "same key, one effect"
    READ_BACK = "read_back", "can be asked what became of a key"
    NONE = "none", "neither"


class Tool(models.Model):
    """One thing that agents may do, whatever its version."""

    class State(models.TextChoices):
        ACTIVE = "active"
        QUARANTINED = "quarantined"
        RETIRED = "retired"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="tools")
    name = models.CharField(max_length=64, help_text="As the model sees it: letters, digits, _ and -.")
    state = models.CharField(max_length=16, choices=State, default=State.ACTIVE)
    forced_open_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )
    forced_open_at = models.DateTimeField(null=True, blank=True, editable=False)
    forced_open_reason = models.CharField(max_length=200, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ToolQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]
        permissions: ClassVar = [
            ("use_tool", "May call this tool (agents' service accounts)"),
            ("approve_calls", "May approve calls of this tool"),
            ("operate_tool", "May force this tool's breaker open and reset it"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "name"], name="tool_name_once_per_team"),
            models.CheckConstraint(
                condition=Q(name__regex=r"^[A-Za-z0-9_-]{1,64}$"), name="tool_name_is_callable"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ToolUserObjectPermission(UserObjectPermissionBase):
    content_object = models.ForeignKey(Tool, on_delete=models.CASCADE)


class ToolGroupObjectPermission(GroupObjectPermissionBase):
    content_object = models.ForeignKey(Tool, on_delete=models.CASCADE)


class ToolVersion(models.Model):
    """An immutable definition of a tool. A published agent version pins the versions it may use."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tool = models.ForeignKey(Tool, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    description = models.TextField()
    statement = models.CharField(
        max_length=300,
        blank=True,
        help_text="Plain words for people, such as: refund {amount} USD for order {order_id}.",
    )
    input_schema = models.JSONField()
    output_schema = models.JSONField(null=True, blank=True)
    effect = models.CharField(max_length=16, choices=Effect)
    idempotency = models.CharField(max_length=16, choices=Idempotency)
    adapter = models.CharField(max_length=64)
    config = models.JSONField(default=dict)
    timeout_s = models.FloatField(default=5.0)
    max_attempts = models.PositiveSmallIntegerField(default=3)
    backoff_base_s = models.FloatField(default=0.5)
    backoff_cap_s = models.FloatField(default=30.0)
    breaker = models.JSONField(default=dict, blank=True)
    on_breaker_open = models.CharField(
        max_length=8, default="halt", choices=[(w, w) for w in ("wait", "skip", "halt")]
    )
    on_unknown = models.CharField(max_length=8, default="wait", choices=[(w, w) for w in ("wait", "halt")])
    dedupe_on = models.JSONField(default=list, blank=True)
    dedupe_window_s = models.PositiveIntegerField(default=86_400)
    amount_argument = models.CharField(max_length=120, blank=True)
    currency = models.CharField(max_length=8, blank=True)
    bound = models.JSONField(
        default=dict,
        blank=True,
        help_text='Arguments that a table decides: {"amount": {"tool": …, "output": …, "inputs": {input: argument}}}.',
    )
    undo = models.JSONField(
        null=True, blank=True, help_text="By which tool, with which arguments. None: nothing undoes it."
    )
    provenance = models.JSONField(
        default=dict,
        blank=True,
        help_text="Which arguments matter, whose the results are, and how users ask for it.",
    )
    resolvers = models.JSONField(
        default=dict,
        blank=True,
        help_text='Arguments that are looked up: {"order_id": {"tool": …, "query": …, "items": …, "value": …}}.',
    )
    max_concurrency = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="Calls of all runs that may be under way at a time. None: as many as come.",
    )
    preview = models.JSONField(
        null=True,
        blank=True,
        help_text="By which tool people are shown what a call changes, and as of which state. None: by none.",
    )
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tool", "number"], name="tool_version_number_once"),
            models.CheckConstraint(
                condition=Q(effect__in=Effect.values), name="tool_version_has_effect_class"
            ),
            models.CheckConstraint(condition=Q(timeout_s__gt=0), name="tool_version_has_timeout"),
            models.CheckConstraint(
                condition=Q(idempotency__in=Idempotency.values), name="tool_version_declares_idempotency"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tool.name} v{self.number}"
