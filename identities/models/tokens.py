"""What tokens are signed with, whose tokens are believed, and how authority was passed on."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from agentops.identifiers import new_id
from identities.models.people import Principal, Team, User
from identities.querysets import DelegationQuerySet, SigningKeyQuerySet, TokenIssuerQuerySet

DEEPEST = 3  # actors in one chain


class SigningKey(models.Model):
    """A key of this installation. Published before it signs, and until the last token that it signed has ended."""

    class Algorithm(models.TextChoices):
        ES256 = "ES256"
        RS256 = "RS256"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kid = models.CharField(max_length=64, unique=True)
    algorithm = models.CharField(max_length=8, choices=Algorithm, default=Algorithm.ES256)
    public_jwk = models.JSONField()
    sealed_private_jwk = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    signs_from = models.DateTimeField(unique=True)
    revoked_at = models.DateTimeField(null=True)

    objects = SigningKeyQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-signs_from"]

    def __str__(self) -> str:
        return self.kid


class TokenIssuer(models.Model):
    """An identity provider whose tokens prove to one client who its user is."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="token_issuers")
    client = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        related_name="token_issuers",
        help_text="The service account of the client that presents these tokens.",
    )
    issuer = models.CharField(max_length=200, help_text="Exactly as the tokens' iss has it.")
    audience = models.CharField(
        max_length=200, help_text="What the provider knows the client by: the tokens' one aud."
    )
    jwks_url = models.CharField(
        max_length=500, blank=True, help_text="Empty: found by OpenID Connect discovery."
    )
    algorithms = models.JSONField(default=list)
    allow_private = models.BooleanField(
        default=False, help_text="The keys may be fetched from a private or loopback address."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    disabled_at = models.DateTimeField(null=True)

    objects = TokenIssuerQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["issuer"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["client", "issuer"],
                condition=Q(disabled_at=None),
                name="token_issuer_once_per_client",
            )
        ]

    def __str__(self) -> str:
        return self.issuer


class Delegation(models.Model):
    """One hop of authority: an actor was given a token for one audience, on behalf of a principal."""

    class Proof(models.TextChoices):
        TOKEN = "token"  # noqa: S105  the name of a proof
        ASSERTED = "asserted"
        SELF = "self"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")
    actor = models.ForeignKey(User, on_delete=models.PROTECT, related_name="delegations")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    principal = models.ForeignKey(
        Principal, null=True, on_delete=models.PROTECT, related_name="delegations",
        help_text="None: the first actor acts for itself.",
    )  # fmt: skip
    credential = models.ForeignKey(
        "Credential", null=True, on_delete=models.PROTECT, related_name="+",
        help_text="The key set by which the actor asked for it.",
    )  # fmt: skip
    proof = models.CharField(max_length=16, choices=Proof)
    audience = models.CharField(max_length=200)
    scope = models.CharField(max_length=200)
    depth = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    receipt = models.TextField(help_text="This hop in words of its own, signed: a compact JWS.")

    objects = DelegationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(depth__gte=1, depth__lte=DEEPEST), name="delegation_depth_bounded"
            ),
            models.CheckConstraint(
                condition=Q(parent=None, depth=1) | Q(parent__isnull=False, depth__gt=1),
                name="delegation_depth_follows_parent",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.actor} for {self.audience}"
