"""How far the spans of runs have been told to a collector."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from runs.models.runs import Run


class SpanExport(models.Model):
    """A run that is being told of: written when it starts, gone once all of it was taken by the collector."""

    run = models.OneToOneField(Run, on_delete=models.CASCADE, primary_key=True, related_name="span_export")
    parent_span = models.CharField(
        max_length=16, blank=True, help_text="The caller's span, if there was one."
    )
    seq = models.PositiveIntegerField(default=0, help_text="What had ended by this entry has been told.")
    open_seq = models.PositiveIntegerField(
        default=0, help_text="Where the earliest span begins that had not."
    )
    due_at = models.DateTimeField(db_default=Now())
    failures = models.PositiveSmallIntegerField(default=0, help_text="In a row.")

    class Meta:
        db_table = "runs_span_export"
        default_permissions = ()
        indexes: ClassVar = [models.Index(fields=["due_at"], name="span_export_due")]

    def __str__(self) -> str:
        return f"spans of {self.run_id} to {self.seq}"
