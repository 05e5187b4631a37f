"""Agent identities: who acts."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from agentops.identifiers import new_id
from identities.models.people import Team, User
from identities.querysets import AgentIdentityQuerySet


class AgentIdentity(models.Model):
    """Who acts. Owns grants through its service account; can be suspended and revoked."""

    class State(models.TextChoices):
        DRAFT = "draft"
        ACTIVE = "active"
        SUSPENDED = "suspended"
        REVOKED = "revoked"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="agents")
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    purpose = models.TextField()
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="owned_agents")
    sponsor = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="sponsored_agents",
        help_text="Answers for the agent when its owner has left; another person than the owner.",
    )
    service_account = models.OneToOneField(User, on_delete=models.PROTECT, related_name="agent_identity")
    state = models.CharField(max_length=16, choices=State, default=State.DRAFT)
    state_changed_at = models.DateTimeField(auto_now_add=True)
    ends_at = models.DateTimeField(null=True, blank=True, help_text="The end that somebody set.")
    recertify_by = models.DateTimeField(
        null=True, blank=True, help_text="Until when somebody has to look at it again."
    )
    # What every call is decided by: the first of the two above, so that a missed look denies by itself.
    expires_at = models.DateTimeField(null=True, blank=True)
    exposed = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Its card is published, and applications that may start it reach it over A2A.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AgentIdentityQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "agent identities"
        ordering: ClassVar = ["slug"]
        permissions: ClassVar = [
            ("start_run", "Can start runs of this agent"),
            ("operate_agent", "Can suspend, revoke and re-activate this agent, and stop its runs"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=["draft", "active", "suspended", "revoked"]), name="agent_state_known"
            ),
            models.CheckConstraint(condition=~Q(purpose=""), name="agent_has_purpose"),
            models.CheckConstraint(
                condition=Q(sponsor=None) | ~Q(sponsor=F("owner")), name="agent_sponsor_is_not_its_owner"
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{end: None}) | Q(expires_at__isnull=False, expires_at__lte=F(end)),
                    name=f"agent_expires_by_{end}",
                )
                for end in ("ends_at", "recertify_by")
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def may_act(self, now: datetime) -> bool:
        """Return whether the identity is active and has not expired."""
        return self.state == self.State.ACTIVE and (self.expires_at is None or now < self.expires_at)


class AgentIdentityUserObjectPermission(UserObjectPermissionBase):
    content_object = models.ForeignKey(AgentIdentity, on_delete=models.CASCADE)


class AgentIdentityGroupObjectPermission(GroupObjectPermissionBase):
    content_object = models.ForeignKey(AgentIdentity, on_delete=models.CASCADE)
