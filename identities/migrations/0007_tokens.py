"""Give clients key sets, and record what tokens are signed with, whose are believed, and how authority was passed on."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import agentops.identifiers


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("identities", "0006_secrets"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="SigningKey",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("kid", models.CharField(max_length=64, unique=True)),
                (
                    "algorithm",
                    models.CharField(
                        choices=[("ES256", "Es256"), ("RS256", "Rs256")], default="ES256", max_length=8
                    ),
                ),
                ("public_jwk", models.JSONField()),
                ("sealed_private_jwk", models.TextField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("signs_from", models.DateTimeField(unique=True)),
                ("revoked_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-signs_from"],
            },
        ),
        migrations.AddField(
            model_name="application",
            name="audience",
            field=models.CharField(
                blank=True,
                help_text="The resource that it serves: tokens for this audience are meant for it.",
                max_length=200,
                null=True,
                unique=True,
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="token_epoch",
            field=models.PositiveIntegerField(
                default=1, help_text="Credentials and tokens of an earlier epoch count no more."
            ),
        ),
        migrations.CreateModel(
            name="RefusedTokenRequests",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("stream", models.UUIDField()),
                ("stream_kind", models.CharField(max_length=16)),
                (
                    "address",
                    models.CharField(help_text="A keyed digest: an address is personal.", max_length=64),
                ),
                ("error", models.CharField(max_length=32)),
                ("reason", models.CharField(max_length=48)),
                ("told_at", models.DateTimeField(db_index=True)),
                ("untold", models.PositiveIntegerField(default=0)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("stream", "address"), name="refused_token_requests_once_per_address"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="UsedIdentifier",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("assertion", "Assertion"),
                            ("tool_call", "Tool Call"),
                            ("revoked", "Revoked"),
                        ],
                        max_length=16,
                    ),
                ),
                ("digest", models.CharField(max_length=64)),
                ("expires_at", models.DateTimeField(db_index=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("purpose", "digest"), name="used_identifier_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Credential",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("generation", models.PositiveIntegerField()),
                (
                    "method",
                    models.CharField(
                        choices=[("client_secret", "Client Secret"), ("private_key_jwt", "Private Key Jwt")],
                        max_length=20,
                    ),
                ),
                ("key_id", models.CharField(max_length=64)),
                (
                    "fingerprint",
                    models.CharField(
                        help_text="Peppered hash of the secret, or thumbprint of the key (RFC 7638).",
                        max_length=64,
                        unique=True,
                    ),
                ),
                ("public_jwk", models.JSONField(null=True)),
                ("epoch", models.PositiveIntegerField(help_text="The owner's epoch in which it was issued.")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("expires_at", models.DateTimeField()),
                ("first_used_at", models.DateTimeField(null=True)),
                ("superseded_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
                (
                    "misused_at",
                    models.DateTimeField(
                        help_text="When it came back after its successor's first use.", null=True
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        help_text="A service account.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credentials",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["owner", "-generation"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("owner", "generation"), name="credential_generation_once"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("revoked_at", None), ("superseded_at", None)),
                        fields=("owner",),
                        name="credential_one_current_generation",
                    ),
                    models.UniqueConstraint(
                        fields=("owner", "key_id"), name="credential_key_id_once_per_owner"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("method", "client_secret"), ("public_jwk", None)),
                            models.Q(("method", "private_key_jwt"), ("public_jwk__isnull", False)),
                            _connector="OR",
                        ),
                        name="credential_holds_what_its_method_needs",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Delegation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "proof",
                    models.CharField(
                        choices=[("token", "Token"), ("asserted", "Asserted"), ("self", "Self")],
                        max_length=16,
                    ),
                ),
                ("audience", models.CharField(max_length=200)),
                ("scope", models.CharField(max_length=200)),
                ("depth", models.PositiveSmallIntegerField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("expires_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(null=True)),
                (
                    "receipt",
                    models.TextField(help_text="This hop in words of its own, signed: a compact JWS."),
                ),
                (
                    "actor",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="delegations",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "parent",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="children",
                        to="identities.delegation",
                    ),
                ),
                (
                    "principal",
                    models.ForeignKey(
                        help_text="None: the first actor acts for itself.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="delegations",
                        to="identities.principal",
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="identities.team"
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("depth__gte", 1), ("depth__lte", 3)),
                        name="delegation_depth_bounded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("depth", 1), ("parent", None)),
                            models.Q(("depth__gt", 1), ("parent__isnull", False)),
                            _connector="OR",
                        ),
                        name="delegation_depth_follows_parent",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TokenIssuer",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("issuer", models.CharField(help_text="Exactly as the tokens' iss has it.", max_length=200)),
                (
                    "audience",
                    models.CharField(
                        help_text="What the provider knows the client by: the tokens' one aud.",
                        max_length=200,
                    ),
                ),
                (
                    "jwks_url",
                    models.CharField(
                        blank=True, help_text="Empty: found by OpenID Connect discovery.", max_length=500
                    ),
                ),
                ("algorithms", models.JSONField(default=list)),
                (
                    "allow_private",
                    models.BooleanField(
                        default=False, help_text="The keys may be fetched from a private or loopback address."
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("disabled_at", models.DateTimeField(null=True)),
                (
                    "client",
                    models.ForeignKey(
                        help_text="The service account of the client that presents these tokens.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="token_issuers",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="token_issuers",
                        to="identities.team",
                    ),
                ),
            ],
            options={
                "ordering": ["issuer"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("disabled_at", None)),
                        fields=("client", "issuer"),
                        name="token_issuer_once_per_client",
                    )
                ],
            },
        ),
    ]
