"""Whether runs did what was asked, by the checks of their type of task."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from runs.models.runs import Run


class Fulfilment(models.Model):
    """The verdict about one run of a type of task: written without one when it starts, judged after its end.

    ``fulfilled`` is empty before, and where nobody can tell any more: ``why_unknown`` says why. ``checks`` are the
    sentences, each with whether it passed; they hold nothing that was said in the run.
    """

    run = models.OneToOneField(Run, on_delete=models.CASCADE, primary_key=True, related_name="fulfilment")
    task = models.CharField(max_length=64)
    fulfilled = models.BooleanField(null=True)
    why_unknown = models.CharField(max_length=80, blank=True, db_default="", default="")
    checks = models.JSONField(default=list)
    rules = models.PositiveSmallIntegerField(null=True, help_text="By which rules it was judged.")
    judged_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "runs_fulfilment"
        default_permissions = ()
        indexes: ClassVar = [
            models.Index(fields=["run"], name="fulfilment_pending", condition=Q(judged_at=None)),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(fulfilled=None) | Q(judged_at__isnull=False), name="fulfilment_found_when_judged"
            )
        ]

    def __str__(self) -> str:
        return f"{self.task} of {self.run_id}"
