"""Credentials, and attempts to sign in without them."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.db import models

from agentops.identifiers import new_id
from identities.models.people import User


class ApiKey(models.Model):
    """A bearer credential of an application or of a person. Only a peppered hash is kept."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    key_id = models.CharField(max_length=16, unique=True)
    secret_hash = models.CharField(max_length=64)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    label = models.CharField(max_length=120)
    issued_by = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        help_text="Who made it: not somebody who approves what is started with it.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    verified_until = models.DateTimeField(
        null=True, blank=True, help_text="End of the window that a second factor opened for this key."
    )
    ceremony = models.JSONField(
        null=True,
        editable=False,
        help_text="What its person's security key was asked and has not answered yet.",
    )
    signed = models.JSONField(
        null=True,
        editable=False,
        help_text="What the security key signed last, until it is used or the window ends.",
    )

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.label} ({self.key_id})"

    def state(self, now: datetime) -> str:
        """Return whether it works: active, expired or revoked."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at <= now else "active"


class RefusedSignIns(models.Model):
    """Refused sign-ins as one person from one address: counted here, told by one ledger entry per cool-off.

    Those by the identity provider are counted by their reason, too; where nobody was proven, they are nobody's.
    """

    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="+")
    address = models.CharField(max_length=64, help_text="A keyed digest: an address is personal.")
    reason = models.CharField(max_length=48, blank=True)
    told_at = models.DateTimeField(db_index=True)
    untold = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "address", "reason"],
                nulls_distinct=False,
                name="refused_sign_ins_once_per_address",
            )
        ]

    def __str__(self) -> str:
        return f"{self.untold} refused sign-ins as {self.user_id or 'nobody'}"
