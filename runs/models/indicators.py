"""How far versions have been looked at, and what was found."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from runs.indicators.units import BY_NAME
from runs.models.versions import AgentVersion


class VersionLook(models.Model):
    """The last look at a published version by type of task, empty for none: after how many of its completed runs."""

    pk = models.CompositePrimaryKey("version_id", "task")
    version = models.ForeignKey(AgentVersion, on_delete=models.CASCADE, related_name="looks", db_index=False)
    task = models.CharField(max_length=64, blank=True, default="", db_default="")
    runs = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        db_table = "runs_version_look"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.version_id} {self.task} after {self.runs} runs"


class Regression(models.Model):
    """A version takes more of something, on average of a completed run, than the version before it: found once.

    ``task`` is of which type of task its runs are; empty: of none.
    """

    version = models.ForeignKey(AgentVersion, on_delete=models.CASCADE, related_name="regressions")
    than = models.ForeignKey(AgentVersion, on_delete=models.CASCADE, related_name="+", db_index=False)
    task = models.CharField(max_length=64, blank=True, default="", db_default="")
    unit = models.CharField(max_length=16)
    before = models.FloatField()
    now = models.FloatField()
    runs = models.PositiveIntegerField(help_text="After so many completed runs it was found.")
    at = models.DateTimeField()

    class Meta:
        db_table = "runs_regression"
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "task", "unit"], name="regression_found_once")
        ]

    def __str__(self) -> str:
        return f"{self.unit} of {self.version_id}"

    @property
    def worse(self) -> str:
        """Return in words what it takes more of, and with which tasks."""
        worse = BY_NAME[self.unit].worse
        return f"{self.task}: {worse}" if self.task else worse
