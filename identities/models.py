"""Who acts: people, teams, agent identities, applications, principals, and their credentials."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from agentops.identifiers import new_id
from identities.accounts import RecordedAccounts
from identities.querysets import (
    AgentIdentityQuerySet,
    ApplicationQuerySet,
    PrincipalQuerySet,
    TeamQuerySet,
)


class User(AbstractUser):
    """An account that permissions can be given to: a person, or the service account of an agent or application."""

    class Kind(models.TextChoices):
        PERSON = "person"
        AGENT = "agent"
        APPLICATION = "application"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.PERSON)

    objects: ClassVar = RecordedAccounts()

    class Meta(AbstractUser.Meta):
        constraints: ClassVar = [
            # A superuser bypass must never reach a machine's account.
            models.CheckConstraint(
                condition=Q(kind="person") | Q(is_superuser=False, is_staff=False),
                name="user_service_account_has_no_staff_rights",
            )
        ]


class Team(models.Model):
    """Who owns agents, tools, budgets and review together."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    members = models.ManyToManyField(User, related_name="teams", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TeamQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["slug"]

    def __str__(self) -> str:
        return self.name


# Members of staff are end users too, known to this installation by their username.
STAFF_ISSUER = "agentops"


class Principal(models.Model):
    """The end user on whose behalf a run acts. The subject is personal: it stands here and nowhere else."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="principals")
    issuer = models.CharField(max_length=200)
    subject = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)
    erased_at = models.DateTimeField(null=True, help_text="When a pseudonym took the subject's place.")

    objects = PrincipalQuerySet.as_manager()

    class Meta:
        verbose_name = "end user"
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "issuer", "subject"], name="principal_once_per_team")
        ]

    def __str__(self) -> str:
        return self.subject


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
    service_account = models.OneToOneField(User, on_delete=models.PROTECT, related_name="agent_identity")
    state = models.CharField(max_length=16, choices=State, default=State.DRAFT)
    state_changed_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
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


class Application(models.Model):
    """A client of the REST API: the product that starts runs for its users."""

    class State(models.TextChoices):
        ACTIVE = "active"
        REVOKED = "revoked"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="applications")
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    service_account = models.OneToOneField(User, on_delete=models.PROTECT, related_name="application")
    may_assert_users = models.BooleanField(
        default=False, help_text="Trusted to say for which end user it acts, without a token of that user."
    )
    state = models.CharField(max_length=16, choices=State, default=State.ACTIVE)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ApplicationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["slug"]

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """A bearer credential of an application or of a person. Only a peppered hash is kept."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    key_id = models.CharField(max_length=16, unique=True)
    secret_hash = models.CharField(max_length=64)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    label = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    verified_until = models.DateTimeField(
        null=True, blank=True, help_text="End of the window that a second factor opened for this key."
    )

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.label} ({self.key_id})"


class RefusedSignIns(models.Model):
    """Refused sign-ins as one person from one address: counted here, told by one ledger entry per cool-off."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    address = models.CharField(max_length=64, help_text="A keyed digest: an address is personal.")
    told_at = models.DateTimeField(db_index=True)
    untold = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "address"], name="refused_sign_ins_once_per_address")
        ]

    def __str__(self) -> str:
        return f"{self.untold} refused sign-ins as {self.user_id}"
