"""Accounts of people and machines, teams, and the end users for whom runs act."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q

from agentops.identifiers import new_id
from identities.accounts import RecordedAccounts
from identities.querysets import PrincipalQuerySet, TeamQuerySet


class User(AbstractUser):
    """An account that permissions can be given to: a person, or the service account of an agent or application."""

    class Kind(models.TextChoices):
        PERSON = "person"
        AGENT = "agent"
        APPLICATION = "application"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.PERSON)
    token_epoch = models.PositiveIntegerField(
        default=1, help_text="Credentials and tokens of an earlier epoch count no more."
    )

    objects: ClassVar = RecordedAccounts()

    # How to find out whether the second factor of whoever makes this request is fresh; None: no request does.
    factor_is_fresh: Callable[[], bool] | None = None

    class Meta(AbstractUser.Meta):
        constraints: ClassVar = [
            # A superuser bypass must never reach a machine's account.
            models.CheckConstraint(
                condition=Q(kind="person") | Q(is_superuser=False, is_staff=False),
                name="user_service_account_has_no_staff_rights",
            )
        ]


class ProviderAccount(models.Model):
    """Whom the identity provider knows a member of staff as: by this pair alone, never by a name or an address."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="provider_account")
    issuer = models.CharField(max_length=200)
    subject = models.CharField(max_length=255)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="provider_account_once_per_subject")
        ]

    def __str__(self) -> str:
        return f"{self.user} at {self.issuer}"


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
