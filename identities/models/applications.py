"""Applications: the clients of the REST API."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from agentops.identifiers import new_id
from identities.models.people import Team, User
from identities.querysets import ApplicationQuerySet


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
    audience = models.CharField(
        max_length=200, unique=True, null=True, blank=True,
        help_text="The resource that it serves: tokens for this audience are meant for it.",
    )  # fmt: skip
    state = models.CharField(max_length=16, choices=State, default=State.ACTIVE)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ApplicationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["slug"]

    def __str__(self) -> str:
        return self.name
