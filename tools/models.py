"""What may be done: the catalogue, who may use it on which terms, and what has been spent of those terms."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from agentops.identifiers import new_id
from identities.models import AgentIdentity, Principal, Team, User
from tools.querysets import (
    DecisionTableQuerySet,
    DecisionTableVersionQuerySet,
    ServerToolQuerySet,
    ToolGrantQuerySet,
    ToolQuerySet,
    ToolServerQuerySet,
    UserTermsQuerySet,
)


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


class ToolGrant(models.Model):
    """What an identity may do with a tool. Versioned: a change supersedes the row, it does not edit it."""

    class Decision(models.TextChoices):
        ALLOW = "ALLOW"
        ALLOW_WITH_CAPS = "ALLOW_WITH_CAPS"
        REQUIRE_APPROVAL = "REQUIRE_APPROVAL"
        DENY = "DENY"

    class State(models.TextChoices):
        ACTIVE = "active"
        SUPERSEDED = "superseded"
        REVOKED = "revoked"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    identity = models.ForeignKey(AgentIdentity, on_delete=models.PROTECT, related_name="grants")
    tool = models.ForeignKey(Tool, on_delete=models.PROTECT, related_name="grants")
    version = models.PositiveIntegerField()
    decision = models.CharField(max_length=20, choices=Decision)
    caps = models.JSONField(
        default=list,
        blank=True,
        help_text='List of {"per": call|run|hour|day, "count": n, "amount": "0.00"}.',
    )
    over_caps = models.CharField(
        max_length=20, default="DENY", choices=[("DENY", "deny"), ("REQUIRE_APPROVAL", "ask a person")]
    )
    approval_ttl_s = models.PositiveIntegerField(default=600)
    valid_until = models.DateTimeField(null=True, blank=True)
    policy_table = models.ForeignKey(
        "tools.DecisionTable",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="grants",
        help_text="A decision table that is asked about every call; the stricter of it and these terms counts.",
    )
    state = models.CharField(max_length=16, choices=State, default=State.ACTIVE)
    # A waiver lets an irreversible tool run without a human: two named people, one version of it, an end, caps.
    waived_version_digest = models.CharField(max_length=64, blank=True, editable=False)
    waiver_reason = models.CharField(max_length=300, blank=True)
    waived_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    countersigned_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    waiver_expires_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ToolGrantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["identity", "tool"], condition=Q(state="active"), name="grant_one_active_per_tool"
            ),
            models.UniqueConstraint(fields=["identity", "tool", "version"], name="grant_version_once"),
            models.CheckConstraint(
                condition=Q(waived_by=None, countersigned_by=None)
                | (
                    Q(
                        waived_by__isnull=False,
                        countersigned_by__isnull=False,
                        waiver_expires_at__isnull=False,
                    )
                    & ~Q(waived_by=models.F("countersigned_by"))
                    & ~Q(waiver_reason="")
                ),
                name="grant_waiver_has_two_people_and_an_end",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.identity} · {self.tool} · {self.decision}"


class UserTerms(models.Model):
    """What agents may do with a tool on behalf of one end user, or of each of them. It takes away, and gives nothing.

    A change ends the row and adds another.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tool = models.ForeignKey(Tool, on_delete=models.PROTECT, related_name="user_terms")
    principal = models.ForeignKey(
        Principal,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="None: every end user.",
    )
    decision = models.CharField(max_length=20, choices=ToolGrant.Decision)
    caps = models.JSONField(
        default=list,
        blank=True,
        help_text='List of {"per": call|hour|day|month, "count": n, "amount": "0.00"}, for each of them.',
    )
    over_caps = models.CharField(
        max_length=20, default="DENY", choices=[("DENY", "deny"), ("REQUIRE_APPROVAL", "ask a person")]
    )
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, editable=False)

    objects = UserTermsQuerySet.as_manager()

    class Meta:
        verbose_name = "terms of an end user"
        verbose_name_plural = "terms of end users"
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tool", "principal"],
                condition=Q(ended_at=None),
                nulls_distinct=False,
                name="user_terms_once_per_tool",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tool} · {self.principal or 'every end user'} · {self.decision}"


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


class ToolServer(models.Model):
    """A server of tools that speaks MCP. Where it is never changes: approvals are bound to it."""

    class Transport(models.TextChoices):
        HTTP = "http", "streamable HTTP"
        STDIO = "stdio", "a command on our own hosts"

    class State(models.TextChoices):
        ACTIVE = "active"
        RETIRED = "retired"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="tool_servers")
    slug = models.SlugField(max_length=64)
    transport = models.CharField(max_length=8, choices=Transport)
    url = models.CharField(max_length=500, blank=True)
    command = models.CharField(max_length=64, blank=True, help_text="A name in the operator's MCP_COMMANDS.")
    audience = models.CharField(max_length=500, blank=True)
    credential = models.CharField(max_length=64, blank=True, help_text="The slug of a secret of the team.")
    allow_private = models.BooleanField(default=False)
    state = models.CharField(max_length=16, choices=State, default=State.ACTIVE)
    checked_at = models.DateTimeField(null=True, editable=False)
    trouble = models.CharField(max_length=200, blank=True, editable=False)
    latency_ms = models.PositiveIntegerField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ToolServerQuerySet.as_manager()

    class Meta:
        verbose_name = "server of tools"
        verbose_name_plural = "servers of tools"
        ordering: ClassVar = ["slug"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "slug"], name="tool_server_slug_once_per_team"),
        ]

    def __str__(self) -> str:
        return self.slug


class ServerTool(models.Model):
    """What a server says about one of its tools: as it is now, and as it was accepted, if it was."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    server = models.ForeignKey(ToolServer, on_delete=models.PROTECT, related_name="listed")
    name = models.CharField(max_length=128)
    described = models.JSONField()
    digest = models.CharField(max_length=64, blank=True)
    faults = models.JSONField(default=list, blank=True)
    is_listed = models.BooleanField(default=True)
    seen_at = models.DateTimeField()
    tool = models.ForeignKey(Tool, on_delete=models.PROTECT, null=True, related_name="origins")
    accepted = models.JSONField(null=True, blank=True)
    accepted_digest = models.CharField(max_length=64, blank=True)

    objects = ServerToolQuerySet.as_manager()

    class Meta:
        verbose_name = "tool of a server"
        verbose_name_plural = "tools of servers"
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["server", "name"], name="server_tool_once_per_server"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_changed(self) -> bool:
        """Whether it was accepted, and is not listed as it was."""
        return self.tool_id is not None and (not self.is_listed or self.digest != self.accepted_digest)


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
