"""What is counted of runs for those who watch: sums of what their entries say, and how far each stream was read."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from runs.models.runs import Run


class CountMark(models.Model):
    """A run whose entries are counted: written when it starts, gone once it has ended and all of it was."""

    run = models.OneToOneField(Run, on_delete=models.CASCADE, primary_key=True, related_name="count_mark")
    seq = models.PositiveIntegerField(default=0, help_text="Up to this entry it was counted.")

    class Meta:
        db_table = "runs_count_mark"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.run_id} counted to {self.seq}"


class Count(models.Model):
    """One sum that only grows: of a metric, under its labels, as JSON text in the order of their names."""

    id = models.BigAutoField(primary_key=True)
    metric = models.CharField(max_length=80)
    labels = models.TextField()
    value = models.DecimalField(max_digits=30, decimal_places=8)

    class Meta:
        db_table = "runs_count"
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["metric", "labels"], name="count_once"),
        ]

    def __str__(self) -> str:
        return f"{self.metric}{self.labels}"
