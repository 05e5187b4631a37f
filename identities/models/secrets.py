"""Secrets that tools need, sealed, and the leases by which single calls get them."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q

from agentops.identifiers import new_id
from identities.models.agents import AgentIdentity
from identities.models.people import Team
from identities.querysets import SecretQuerySet


class Secret(models.Model):
    """What a tool's target asks for. Only the sealed value ever changes, and the database refuses anything else."""

    class Provider(models.TextChoices):
        STATIC = "static", "handed out as it is"
        OAUTH = "oauth", "a token for each call, from the target's token endpoint"
        POSTGRES = "postgres", "a database role for each call"

    class State(models.TextChoices):
        ACTIVE = "active"
        RETIRED = "retired"

    sealed_fields = ("sealed_value",)

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="secrets")
    slug = models.SlugField(max_length=64, help_text="What a tool's configuration names as its credential.")
    purpose = models.TextField()
    provider = models.CharField(max_length=16, choices=Provider)
    settings = models.JSONField(default=dict, blank=True)
    sealed_value = models.TextField(blank=True, editable=False)
    version = models.PositiveIntegerField(default=0, editable=False, help_text="0: there is no value yet.")
    state = models.CharField(max_length=16, choices=State, default=State.ACTIVE)
    created_at = models.DateTimeField(auto_now_add=True)
    rotated_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects = SecretQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["slug"]
        constraints: ClassVar = [
            # For ever: approvals name a secret by it, so a retired one's name is nobody else's.
            models.UniqueConstraint(fields=["team", "slug"], name="secret_slug_once_per_team"),
            models.CheckConstraint(condition=~Q(purpose=""), name="secret_has_purpose"),
            models.CheckConstraint(
                condition=Q(version=0, sealed_value="") | Q(version__gt=0), name="secret_value_has_version"
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    def may_be_leased(self, now: datetime) -> bool:
        """Return whether there is a value that still counts."""
        is_over = self.expires_at is not None and now >= self.expires_at
        return self.state == self.State.ACTIVE and bool(self.sealed_value) and not is_over


class SecretLease(models.Model):
    """The right of one attempt of one call to a secret, until its end. Run and tool are known above this floor only."""

    class State(models.TextChoices):
        ISSUED = "issued"
        ENDED = "ended"
        REVOKING = "revoking"
        REVOKE_FAILED = "revoke_failed"

    sealed_fields = ("sealed_handle",)

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    secret = models.ForeignKey(Secret, on_delete=models.PROTECT, related_name="leases")
    identity = models.ForeignKey(AgentIdentity, on_delete=models.PROTECT, related_name="+", db_index=False)
    run_id = models.UUIDField()
    tool_id = models.UUIDField()
    call_key = models.CharField(max_length=120)
    state = models.CharField(max_length=16, choices=State, default=State.ISSUED)
    # By what the provider knows it: a role's name, a lease of Vault's, a token. The last is one to keep sealed.
    sealed_handle = models.TextField(blank=True, editable=False)
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    end_attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, help_text="When an end that failed is tried again.")
    trouble = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["expires_at"], name="lease_not_ended", condition=~Q(state="ended")),
            models.Index(
                fields=["identity", "tool_id"], name="lease_blocks_grant", condition=Q(state="revoke_failed")
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state="ended", ended_at__isnull=False)
                | Q(state__in=["issued", "revoking", "revoke_failed"], ended_at=None),
                name="lease_state_known",
            )
        ]

    def __str__(self) -> str:
        return f"{self.secret} for {self.call_key}"
