"""What the clients of the token endpoint prove themselves with, and what was refused to them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.db.models import Q

from agentops.identifiers import new_id
from identities.models.people import User
from identities.querysets import CredentialQuerySet

# What a deployment has to bring the next generation into use before the one it replaces ends.
OVERLAP = timedelta(hours=1)


class Credential(models.Model):
    """One generation of a client's key set: the hash of a secret, or a public key."""

    class Method(models.TextChoices):
        CLIENT_SECRET = "client_secret"  # noqa: S105  the name of a method
        PRIVATE_KEY_JWT = "private_key_jwt"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    owner = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="credentials", help_text="A service account."
    )
    generation = models.PositiveIntegerField()
    method = models.CharField(max_length=20, choices=Method)
    key_id = models.CharField(max_length=64)
    fingerprint = models.CharField(
        max_length=64,
        unique=True,
        help_text="Peppered hash of the secret, or thumbprint of the key (RFC 7638).",
    )
    public_jwk = models.JSONField(null=True)
    epoch = models.PositiveIntegerField(help_text="The owner's epoch in which it was issued.")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    first_used_at = models.DateTimeField(null=True)
    superseded_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    misused_at = models.DateTimeField(
        null=True, help_text="When it came back after its successor's first use."
    )

    objects = CredentialQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["owner", "-generation"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "generation"], name="credential_generation_once"),
            models.UniqueConstraint(
                fields=["owner"],
                condition=Q(superseded_at=None, revoked_at=None),
                name="credential_one_current_generation",
            ),
            models.UniqueConstraint(fields=["owner", "key_id"], name="credential_key_id_once_per_owner"),
            models.CheckConstraint(
                condition=Q(method="client_secret", public_jwk=None)
                | Q(method="private_key_jwt", public_jwk__isnull=False),
                name="credential_holds_what_its_method_needs",
            ),
        ]

    def __str__(self) -> str:
        return f"generation {self.generation} of {self.owner}"

    def state(self, now: datetime) -> str:
        """Return whether it works: current, replaced (works until its successor is used), old, expired or revoked."""
        if self.revoked_at is not None:
            return "revoked"
        if self.superseded_at is not None:
            return "replaced" if now < self.superseded_at + OVERLAP and not self._successor_used() else "old"
        return "expired" if self.expires_at <= now else "current"

    def _successor_used(self) -> bool:
        later = Credential.objects.filter(owner=self.owner_id, generation__gt=self.generation)
        return later.exclude(first_used_at=None).exists()


class UsedIdentifier(models.Model):
    """An identifier (jti) that is not taken again; kept until what it names has expired anyway."""

    class Purpose(models.TextChoices):
        ASSERTION = "assertion"
        TOOL_CALL = "tool_call"
        REVOKED = "revoked"
        SIGN_ON = "sign_on"

    purpose = models.CharField(max_length=16, choices=Purpose)
    digest = models.CharField(max_length=64)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["purpose", "digest"], name="used_identifier_once")
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.digest[:12]}"


class RefusedTokenRequests(models.Model):
    """Refused requests for tokens of one client from one address: one ledger entry tells of them per cool-off."""

    stream = models.UUIDField()
    stream_kind = models.CharField(max_length=16)
    address = models.CharField(max_length=64, help_text="A keyed digest: an address is personal.")
    error = models.CharField(max_length=32)
    reason = models.CharField(max_length=48)
    told_at = models.DateTimeField(db_index=True)
    untold = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["stream", "address"], name="refused_token_requests_once_per_address"
            )
        ]

    def __str__(self) -> str:
        return f"{self.untold} refused requests of {self.stream}"
