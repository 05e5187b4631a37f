"""What an agent is doing. Run, Step and ToolCall are projections of the run's ledger stream, written by the journal."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Coalesce

from agentops.identifiers import new_id
from agentops.tracing import SAMPLED, STATE_LIMIT
from identities.models import AgentIdentity, ApiKey, Application, Principal, Team, User
from runs.models.versions import AgentVersion
from runs.querysets import RunQuerySet
from tools.models import ToolVersion


class RunState(models.TextChoices):
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    REQUIRES_ACTION = "requires_action"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    HALTED = "halted"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class RunKind(models.TextChoices):
    TASK = "task", "a task that was given to an agent of ours"
    EXTERNAL = "external", "the calls of an agent outside, in one conversation"
    UNDO = "undo", "what another run has done is undone"
    APPLY = "apply", "what another run has proposed is carried out"
    FORK = "fork", "another run is gone through again from one of its steps on, without effects"
    CASE = "case", "a case of an evaluation set, whose tools answer as it says, without effects"


class RunMode(models.TextChoices):
    ACT = "act", "what it decides is carried out as it goes"
    PROPOSE = "propose", "what has an effect is staged, and people review all of it at the end"


class Proof(models.TextChoices):
    TOKEN = "token", "a verified token of the user's"
    ASSERTED = "asserted", "the word of an application that is trusted to name users"
    STAFF = "staff", "the session or key of a member of staff"


class Priority(models.IntegerChoices):
    """Which run begins first where workers or people have more to do than they can."""

    LOW = 0, "low"
    NORMAL = 1, "normal"
    HIGH = 2, "high"


ENDED_STATES = ("completed", "halted", "failed", "cancelled", "expired")
# A required action that outlives its run: nobody knows yet what became of a call.
UNSETTLED = [{"type": "outcome"}]


class Run(models.Model):
    """One task given to an agent version, to its end. Its id is its ledger stream."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="runs")
    identity = models.ForeignKey(AgentIdentity, on_delete=models.PROTECT, related_name="runs", db_index=False)
    agent_version = models.ForeignKey(AgentVersion, on_delete=models.PROTECT, related_name="runs")
    principal = models.ForeignKey(Principal, on_delete=models.PROTECT, related_name="runs")
    application = models.ForeignKey(Application, on_delete=models.PROTECT, null=True, related_name="runs")
    started_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    proof = models.CharField(
        max_length=16,
        choices=Proof,
        blank=True,
        db_default="",
        help_text="How it is known for whom the run acts. Empty: it began before that was kept.",
    )
    credential = models.ForeignKey(
        ApiKey,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="+",
        help_text="The API key with which it was started, if with one.",
    )
    # What it was started with, for good: on whose behalf it acts (the nearest first), and its own limits by tool.
    parent = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="children", db_index=False
    )
    # Of a child that a call of its parent's has started: which call, and the digest of the task that it was given.
    delegated_step = models.PositiveIntegerField(null=True)
    delegated_call = models.PositiveSmallIntegerField(null=True)
    task_digest = models.CharField(max_length=64, blank=True, db_default="")
    task = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text="The type of task, of those that its version declares, by whose checks it is judged.",
    )
    # Of a run that an agent outside plans: the digest of what its client calls the conversation.
    kind = models.CharField(max_length=8, choices=RunKind, default=RunKind.TASK, db_default=RunKind.TASK)
    conversation = models.CharField(max_length=64, blank=True, db_default="")
    undoes = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="undos", db_index=False
    )
    mode = models.CharField(max_length=8, choices=RunMode, default=RunMode.ACT, db_default=RunMode.ACT)
    applies = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    fork_of = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="forks", db_index=False
    )
    line = models.JSONField(default=list, db_default=Value([], models.JSONField()))
    limits = models.JSONField(null=True)
    priority = models.PositiveSmallIntegerField(
        choices=Priority, default=Priority.NORMAL, db_default=Priority.NORMAL
    )
    needs_review = models.BooleanField(
        default=False,
        db_default=False,
        help_text="It may ask people, and was to be admitted before it began.",
    )
    state = models.CharField(max_length=16, choices=RunState, default=RunState.QUEUED)
    status_reason = models.CharField(max_length=48, blank=True)
    status_detail = models.CharField(
        max_length=48, blank=True, db_default="", help_text="Which budget was reached."
    )
    required_actions = models.JSONField(default=list)
    # The caller's W3C Trace Context, continued in every model and tool call.
    trace_id = models.CharField(max_length=32)
    trace_flags = models.CharField(max_length=2, db_default=SAMPLED)
    trace_state = models.CharField(max_length=STATE_LIMIT, blank=True, db_default="")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()
    # The lease of a driver: only a write under the current epoch counts.
    lease_epoch = models.PositiveIntegerField(default=0)
    lease_owner = models.CharField(max_length=80, blank=True)
    lease_until = models.DateTimeField(null=True)
    wake_at = models.DateTimeField(
        null=True, help_text="When the sweeper should drive the run; null while it waits for people."
    )
    # Raised with the lease, before the work: of a driver that dies nobody else would count it.
    drives = models.PositiveSmallIntegerField(
        default=0,
        db_default=0,
        help_text="How many drives in a row have neither given the run back nor decided a step.",
    )
    drives_step = models.PositiveIntegerField(default=0, db_default=0)
    # What has been spent, and of what.
    max_steps = models.PositiveIntegerField()
    max_tokens = models.PositiveIntegerField()
    max_usd = models.DecimalField(max_digits=12, decimal_places=4)
    max_seconds = models.PositiveIntegerField()
    steps = models.PositiveIntegerField(default=0)
    tool_calls = models.PositiveIntegerField(default=0)
    tokens = models.PositiveBigIntegerField(default=0)
    usd = models.DecimalField(max_digits=16, decimal_places=8, default=0)
    worked_ms = models.PositiveBigIntegerField(default=0)

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [
            ("control_run", "Can pause, resume and cancel runs"),
            ("settle_outcome", "Can settle a call whose outcome is unknown"),
            ("answer_handover", "Can answer a conversation handed over by an agent"),
            ("extend_budget", "Can let a run go on beyond a limit of its own"),
            ("veto_call", "Can veto a call that is held before it goes out"),
        ]
        indexes: ClassVar = [
            models.Index(
                "priority",
                "team",
                Coalesce("lease_until", "wake_at"),
                name="run_due_in_turn",
                condition=Q(ended_at=None),
            ),
            models.Index(
                fields=["team"], name="run_leased", condition=Q(ended_at=None, lease_until__isnull=False)
            ),
            models.Index(fields=["team", "-id"], name="run_by_team"),
            models.Index(fields=["identity", "-id"], name="run_by_identity"),
            models.Index(
                fields=["agent_version", "task", "-id"],
                name="run_completed_by_task",
                condition=Q(state="completed"),
            ),
            models.Index(fields=["parent"], name="run_by_parent", condition=Q(parent__isnull=False)),
            models.Index(fields=["undoes"], name="run_by_undone", condition=Q(undoes__isnull=False)),
            models.Index(fields=["fork_of"], name="run_by_forked", condition=Q(fork_of__isnull=False)),
            models.Index(fields=["state", "-id"], name="run_by_state"),
            models.Index(
                fields=["team", "state"], name="run_for_review", condition=Q(needs_review=True, ended_at=None)
            ),
            models.Index(
                fields=["team"], name="run_unsettled", condition=Q(required_actions__contains=UNSETTLED)
            ),
        ]
        constraints: ClassVar = [
            # Two calls that arrive at once open one conversation, and find each other's effects in it.
            models.UniqueConstraint(
                fields=["identity", "principal", "application", "conversation"],
                condition=Q(kind="external", ended_at=None),
                nulls_distinct=False,
                name="run_one_open_conversation",
            ),
            models.UniqueConstraint(
                fields=["undoes"], condition=Q(undoes__isnull=False, ended_at=None), name="run_one_open_undo"
            ),
            # Whatever a driver does twice, one call has one child.
            models.UniqueConstraint(
                fields=["parent", "delegated_step", "delegated_call"],
                condition=Q(delegated_call__isnull=False),
                name="run_one_child_of_a_call",
            ),
        ]

    def __str__(self) -> str:
        return f"Run {self.id}"

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED_STATES


class Step(models.Model):
    """One planner turn: what the AI decided. Foreign keys of hot rows are not checked by the database."""

    pk = models.CompositePrimaryKey("run_id", "number")
    run = models.ForeignKey(
        Run, on_delete=models.DO_NOTHING, db_constraint=False, related_name="step_rows", db_index=False
    )
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=16)  # asking, decided, failed
    model = models.CharField(max_length=120)
    price_version = models.CharField(max_length=60, blank=True)
    attempts = models.PositiveSmallIntegerField(default=1)
    asked_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    input_tokens = models.PositiveIntegerField(default=0)
    cached_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    usd = models.DecimalField(max_digits=16, decimal_places=8, default=0)
    estimated = models.BooleanField(default=False)
    code = models.CharField(max_length=48, blank=True)
    decided_seq = models.PositiveIntegerField(null=True)

    class Meta:
        db_table = "runs_step"

    def __str__(self) -> str:
        return f"step {self.number}"


class ToolCall(models.Model):
    """One proposed action of a step, its gate and its outcome: what was executed."""

    pk = models.CompositePrimaryKey("run_id", "step", "number")
    run = models.ForeignKey(
        Run, on_delete=models.DO_NOTHING, db_constraint=False, related_name="call_rows", db_index=False
    )
    step = models.PositiveIntegerField()
    number = models.PositiveSmallIntegerField()
    tool_name = models.CharField(max_length=64)
    tool_version = models.ForeignKey(
        ToolVersion,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        related_name="calls",
        db_index=False,
    )
    effect = models.CharField(max_length=16, blank=True)
    state = models.CharField(max_length=16)
    decision = models.CharField(max_length=20, blank=True)
    reasons = models.JSONField(default=list)
    approval_id = models.UUIDField(null=True)
    args_digest = models.CharField(max_length=64, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    code = models.CharField(max_length=48, blank=True)
    proposed_at = models.DateTimeField()
    held_until = models.DateTimeField(
        null=True, help_text="When it goes out, or would have, unless somebody vetoes it."
    )
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    latency_ms = models.PositiveIntegerField(null=True)
    decided_seq = models.PositiveIntegerField(null=True)
    outcome_seq = models.PositiveIntegerField(null=True)

    class Meta:
        db_table = "runs_tool_call"
        indexes: ClassVar = [
            models.Index(fields=["tool_version", "-proposed_at"], name="call_by_tool"),
            # Without the state, which each call changes several times: few are held, and their rows stay as they are.
            models.Index(fields=["held_until"], name="call_held", condition=Q(held_until__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def key(self) -> str:
        """The idempotency key under which the effect is made."""
        return f"{self.run_id}:{self.step}:{self.tool_name}:{self.number}"


class RunSnapshot(models.Model):
    """A fold up to ``seq``: a cache that may be thrown away. Another engine version ignores it."""

    run = models.OneToOneField(Run, on_delete=models.CASCADE, primary_key=True, related_name="snapshot")
    seq = models.PositiveIntegerField()
    engine = models.PositiveSmallIntegerField()
    state = models.JSONField()

    def __str__(self) -> str:
        return f"{self.run_id} at {self.seq}"
