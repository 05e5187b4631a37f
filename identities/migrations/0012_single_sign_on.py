"""Signing on at the company's identity provider: whom it knows a person as, and why it was refused."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import agentops.identifiers


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("identities", "0011_changes"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="ProviderAccount",
            fields=[
                ("id", models.UUIDField(default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ("issuer", models.CharField(max_length=200)),
                ("subject", models.CharField(max_length=255)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("user", models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name="provider_account", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("issuer", "subject"), name="provider_account_once_per_subject")],
            },
        ),
        migrations.AlterField(
            model_name="refusedsignins",
            name="user",
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name="refusedsignins",
            name="reason",
            field=models.CharField(blank=True, default="", max_length=48),
            preserve_default=False,
        ),
        migrations.RemoveConstraint(
            model_name="refusedsignins",
            name="refused_sign_ins_once_per_address",
        ),
        migrations.AddConstraint(
            model_name="refusedsignins",
            constraint=models.UniqueConstraint(fields=("user", "address", "reason"), name="refused_sign_ins_once_per_address", nulls_distinct=False),
        ),
        migrations.AlterField(
            model_name="usedidentifier",
            name="purpose",
            field=models.CharField(choices=[("assertion", "Assertion"), ("tool_call", "Tool Call"), ("revoked", "Revoked"), ("sign_on", "Sign On")], max_length=16),
        ),
    ]
