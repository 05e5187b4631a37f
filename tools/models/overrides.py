"""Who has let a tool version be used in spite of what lint says of it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from agentops.identifiers import new_id
from identities.models import User
from tools.models.catalogue import ToolVersion


class LintOverride(models.Model):
    """One person's word for one version, over the findings that they saw; it is never changed."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    version = models.ForeignKey(ToolVersion, on_delete=models.PROTECT, related_name="lint_overrides")
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=500)
    findings = models.JSONField(help_text="What was overridden: [code, place] each.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["created_at"]

    def __str__(self) -> str:
        return f"{self.version} by {self.by}"
