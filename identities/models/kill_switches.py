"""Kill switches: what stops everything, an end user's runs, those of a model provider, or those that a key started."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.text import capfirst

from agentops.identifiers import new_id
from identities.models.people import Team, User
from identities.querysets import KillSwitchQuerySet


class KillSwitch(models.Model):
    """A switch that somebody threw. Agents, applications and tools have states of their own instead."""

    class Scope(models.TextChoices):
        EVERYTHING = "everything"
        PRINCIPAL = "principal", "end user"
        PROVIDER = "provider", "model provider"
        CREDENTIAL = "credential", "API key"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    scope = models.CharField(max_length=16, choices=Scope)
    target = models.CharField(
        max_length=64,
        blank=True,
        help_text="The id of the end user or key here, or the provider's name; empty for everything.",
    )
    team = models.ForeignKey(
        Team,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text="The team of the end user, or of the key's application.",
    )
    thrown_at = models.DateTimeField(auto_now_add=True)
    thrown_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")

    objects = KillSwitchQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "kill switches"
        ordering: ClassVar = ["-id"]
        default_permissions = ("view",)
        permissions: ClassVar = [("throw_killswitch", "Can throw and lift kill switches")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["scope", "target"], condition=Q(lifted_at=None), name="kill_switch_thrown_once"
            ),
            models.CheckConstraint(
                condition=Q(scope="everything", target="")
                | Q(scope__in=["principal", "provider", "credential"]) & ~Q(target=""),
                name="kill_switch_names_its_target",
            ),
            models.CheckConstraint(
                condition=Q(lifted_at=None, lifted_by=None)
                | Q(lifted_at__isnull=False, lifted_by__isnull=False),
                name="kill_switch_lifted_by_somebody",
            ),
        ]

    named = ""  # what is shown of the target, where it was looked up

    def __str__(self) -> str:
        return capfirst(f"{self.get_scope_display()} {self.named or self.target}".strip())

    @property
    def state(self) -> str:
        """Return whether it still stops what it names."""
        return "thrown" if self.lifted_at is None else "lifted"
