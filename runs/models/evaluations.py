"""Sets of cases by which versions of an agent are tried, what came of them; runs that are examples to learn from."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from agentops.identifiers import new_id
from identities.models import AgentIdentity, User
from runs.models.runs import Run
from runs.models.versions import AgentVersion
from runs.querysets import EvaluationQuerySet, EvaluationSetQuerySet, ExampleQuerySet


class EvaluationSet(models.Model):
    """Cases of an agent. ``digest`` names them as they stand; an evaluation under another says nothing of them."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    identity = models.ForeignKey(AgentIdentity, on_delete=models.PROTECT, related_name="evaluation_sets")
    name = models.CharField(max_length=64)
    description = models.CharField(max_length=500, blank=True)
    gating = models.BooleanField(
        default=False, help_text="No version of the agent is published that has not passed it."
    )
    pass_rate = models.DecimalField(
        max_digits=5,
        decimal_places=4,
        default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.0001")), MaxValueValidator(Decimal(1))],
        help_text="Which share of its runs has to pass; 1: all of them.",
    )
    digest = models.CharField(max_length=64)
    dropped_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = EvaluationSetQuerySet.as_manager()

    class Meta:
        db_table = "runs_evaluation_set"
        default_permissions = ("view", "change")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["identity", "name"], condition=Q(dropped_at=None), name="evaluation_set_name_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.identity.slug}: {self.name}"


class EvaluationCase(models.Model):
    """One case, as ``runs.evaluation.declared`` reads it; of one that was made of a run, whose words it holds."""

    evaluation_set = models.ForeignKey(EvaluationSet, on_delete=models.PROTECT, related_name="cases")
    place = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=64)
    written = models.JSONField()
    source_run = models.ForeignKey(Run, on_delete=models.PROTECT, null=True, related_name="cases")

    class Meta:
        db_table = "runs_evaluation_case"
        default_permissions = ()
        ordering: ClassVar = ["place", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["evaluation_set", "name"], name="evaluation_case_name_once")
        ]

    def __str__(self) -> str:
        return self.name


class Evaluation(models.Model):
    """A version tried by the cases of a set, each so many times, for at most so much money."""

    class State(models.TextChoices):
        RUNNING = "running"
        FINISHED = "finished"
        STOPPED = "stopped"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    evaluation_set = models.ForeignKey(EvaluationSet, on_delete=models.PROTECT, related_name="evaluations")
    version = models.ForeignKey(AgentVersion, on_delete=models.PROTECT, related_name="evaluations")
    set_digest = models.CharField(max_length=64)
    version_digest = models.CharField(max_length=64)
    repeat = models.PositiveSmallIntegerField()
    max_usd = models.DecimalField(max_digits=12, decimal_places=4)
    state = models.CharField(max_length=8, choices=State, default=State.RUNNING)
    why_stopped = models.CharField(max_length=48, blank=True, help_text="A code.")
    started_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    objects = EvaluationQuerySet.as_manager()

    class Meta:
        db_table = "runs_evaluation"
        default_permissions = ("view",)
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["id"], name="evaluation_running", condition=Q(state="running")),
        ]

    def __str__(self) -> str:
        return f"{self.evaluation_set.name} with version {self.version.number}"


class EvaluationResult(models.Model):
    """What came of one case, the ``repetition``th time; empty until its run has ended and was judged.

    ``checks`` are the sentences, each with whether it passed. ``why`` is a sentence where something else than a check
    decided. Of a case that was made of a run the sentences may quote it, and go with its words.
    """

    evaluation = models.ForeignKey(Evaluation, on_delete=models.PROTECT, related_name="results")
    place = models.PositiveSmallIntegerField()
    case = models.CharField(max_length=64)
    repetition = models.PositiveSmallIntegerField()
    source_run = models.ForeignKey(Run, on_delete=models.PROTECT, null=True, related_name="+")
    run = models.OneToOneField(Run, on_delete=models.PROTECT, null=True, related_name="case_result")
    passed = models.BooleanField(null=True)
    checks = models.JSONField(default=list)
    why = models.CharField(max_length=200, blank=True)
    steps = models.PositiveIntegerField(default=0)
    tokens = models.PositiveBigIntegerField(default=0)
    usd = models.DecimalField(max_digits=16, decimal_places=8, default=0)
    model_ms = models.PositiveBigIntegerField(default=0)
    approvals = models.PositiveIntegerField(default=0)
    denials = models.PositiveIntegerField(default=0)
    tool_errors = models.PositiveIntegerField(default=0)
    misses = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "runs_evaluation_result"
        default_permissions = ()
        ordering: ClassVar = ["place", "repetition"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["evaluation", "case", "repetition"], name="evaluation_result_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.case} ({self.repetition})"


class Example(models.Model):
    """A person's word on whether steps of a run are an example to learn from; why is in the ledger."""

    class Verdict(models.TextChoices):
        APPROVED = "approved"
        REJECTED = "rejected"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    run = models.OneToOneField(Run, on_delete=models.PROTECT, related_name="example")
    verdict = models.CharField(max_length=8, choices=Verdict)
    steps = models.JSONField(default=list, help_text="Which of its steps are meant.")
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField()

    objects = ExampleQuerySet.as_manager()

    class Meta:
        db_table = "runs_example"
        default_permissions = ("view",)
        permissions: ClassVar = [
            ("approve_example", "Can say which runs are examples to learn from"),
            ("export_example", "Can export examples to learn from"),
        ]

    def __str__(self) -> str:
        return f"{self.verdict}: run {self.run_id}"
