"""How far versions have been looked at, and what was found."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from runs.indicators.units import BY_NAME
from runs.models.versions import AgentVersion


class VersionLook(models.Model):
    """The last look at a published version: after how many of its completed runs."""

    version = models.OneToOneField(
        AgentVersion, on_delete=models.CASCADE, primary_key=True, related_name="look"
    )
    runs = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        db_table = "runs_version_look"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.version_id} after {self.runs} runs"


class Regression(models.Model):
    """A version takes more of something, on average of a completed run, than the version before it: found once."""

    version = models.ForeignKey(AgentVersion, on_delete=models.CASCADE, related_name="regressions")
    than = models.ForeignKey(AgentVersion, on_delete=models.CASCADE, related_name="+", db_index=False)
    unit = models.CharField(max_length=16)
    before = models.FloatField()
    now = models.FloatField()
    runs = models.PositiveIntegerField(help_text="After so many completed runs it was found.")
    at = models.DateTimeField()

    class Meta:
        db_table = "runs_regression"
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "unit"], name="regression_found_once")
        ]

    def __str__(self) -> str:
        return f"{self.unit} of {self.version_id}"

    @property
    def worse(self) -> str:
        """Return in words what it takes more of."""
        return BY_NAME[self.unit].worse
